from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining import feature_maps
from retraining.settings.network import NetworkSettings
from retraining.visualization import feature_maps as maps_pages
from retraining.visualization import inspected_network
from retraining.visualization.inspected_network import Layer
from tests.conftest import COLOURS, write_photo
from tests.visualization.test_inspected_network import LISTED, write_network


def layers(*sizes: int) -> list[Layer]:
    return [Layer(f"{index}", "", "", "Conv2D", size, size, 1) for index, size in enumerate(sizes)]


def sizes(chosen: list[Layer]) -> list[int]:
    return [layer.height for layer in chosen]


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_photo(tmp_path / "photo.jpg", COLOURS["magenta"], seed=1)
    return tmp_path / "photo.jpg"


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return write_network(tmp_path / "network")


def show(graph: Path, photo: Path, out: Path, *words: str) -> int:
    flags = ["--graph", graph, "--image", photo, "--output_dir", out, *words]
    return feature_maps.main([str(word) for word in flags])


@pytest.mark.soak
def test_inception_v3_at_224_gives_the_maps_of_the_article() -> None:
    network = inspected_network.load(
        NetworkSettings(tfhub_module="keras:InceptionV3?weights=random", image_size=224)
    )
    chosen = maps_pages.chosen(network, "")
    assert sizes(chosen) == [111, 54, 25, 12, 5]
    assert chosen[-1] == network.convolutions[-1]
    pixels = np.random.default_rng(0).random((224, 224, 3), np.float32)
    maps = network.values([layer.tensor_name for layer in chosen], pixels)
    assert [values.shape for values in maps] == [
        (111, 111, 32),
        (54, 54, 80),
        (25, 25, 64),
        (12, 12, 384),
        (5, 5, 192),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([64, 32, 32, 16, 16], [0, 1, 4]),
        ([149, 147, 147, 73, 71, 35, 17, 8, 8], [0, 3, 5, 6, 8]),  # borders without padding
        ([15, 8, 8, 4, 2], [0, 1, 3, 4]),  # odd sizes, padded
        ([112, 1, 1, 56, 1, 28, 1], [0, 3, 5]),  # what reweights the channels has no maps
        ([32, 32, 32], [0, 2]),
        ([32], [0]),
        ([1, 1], [0, 1]),
    ],
)
def test_default_choice_is_the_first_one_at_each_new_size_and_the_last(
    given: list[int], expected: list[int]
) -> None:
    chosen = maps_pages.one_at_each_size(layers(*given))
    assert [int(layer.name) for layer in chosen] == expected


def test_pages_are_written_and_each_is_told(
    graph: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert show(graph, photo, out) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        f"Input of graph: {out / '00_input.png'}",
        f"first, 6 maps of 30x30: {out / '01_first.png'}",
        f"second, 6 maps of 15x15: {out / '02_second.png'}",
        f"last, 8 maps of 8x8: {out / '03_last.png'}",
    ]
    for path in out.iterdir():
        with Image.open(path) as page:
            assert (page.format, page.mode) == ("PNG", "RGB")
            assert np.asarray(page).max() == 255


def test_network_that_compare_trained_shows_its_maps(
    alexnet_weights: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    words = ("--network", "alexnet", "--weights", alexnet_weights, "--image", photo, "--output_dir", out)
    assert feature_maps.main([str(word) for word in words]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        f"Input of alexnet: {out / '00_input.png'}",
        f"conv1_pre_relu, 8 maps of 15x15: {out / '01_conv1_pre_relu.png'}",
        f"conv2_pre_relu, 13 maps of 7x7: {out / '02_conv2_pre_relu.png'}",
        f"conv5_pre_relu, 13 maps of 3x3: {out / '03_conv5_pre_relu.png'}",
    ]


def test_named_layers_are_shown_in_the_order_they_were_named(
    graph: Path, photo: Path, tmp_path: Path
) -> None:
    assert show(graph, photo, tmp_path / "out", "--layers", "last,first") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00_input.png", "01_last.png", "02_first.png"]


def test_input_page_shows_the_photograph_and_each_channel(graph: Path, photo: Path, tmp_path: Path) -> None:
    assert show(graph, photo, tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "00_input.png") as page:
        pixels = np.asarray(page).astype(int)
    magenta = (pixels[..., 0] > 150) & (pixels[..., 1] < 90) & (pixels[..., 2] > 150)
    grey = (np.ptp(pixels, axis=-1) == 0) & (pixels[..., 0] > 60)
    assert grey.sum() > 2 * magenta.sum() > 0  # three channels in grey, less what is black there


def test_same_photograph_gives_the_same_bytes(graph: Path, photo: Path, tmp_path: Path) -> None:
    pages = []
    for out in (tmp_path / "a", tmp_path / "b"):
        assert show(graph, photo, out) == 0
        pages.append([path.read_bytes() for path in sorted(out.iterdir())])
    assert pages[0] == pages[1]


def test_layers_are_listed_without_a_photograph(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert feature_maps.main(["--graph", str(graph), "--list_layers"]) == 0
    assert capsys.readouterr().out == f"{LISTED}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", r"--image is required: the photograph that the network is shown\."),
        (
            "--image /nowhere.jpg",
            r"--image '/nowhere\.jpg' cannot be read \(No such file or directory\)\. Give a photograph\.",
        ),
        (
            "--image {page}",
            r"--image '.*page\.jpg' is a web page, not an image\. Give a "
            r"photograph\.",
        ),
        (
            "--image {photo} --output_dir {photo}",
            r"--output_dir must be a folder, received the file '.*photo\.jpg'\.",
        ),
        (
            "--image {photo} --layers frst",
            r"--layers: 'frst' is no layer with maps of graph\. Nearest: first, last\.",
        ),
    ],
)
def test_request_that_cannot_be_met_is_one_line_and_writes_nothing(
    words: str, message: str, graph: Path, photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.jpg").write_bytes(b"<html>")
    before = sorted(tmp_path.rglob("*"))
    flags = [word.format(photo=photo, page=tmp_path / "page.jpg") for word in words.split()]
    if "--output_dir" not in flags:
        flags += ["--output_dir", str(tmp_path / "out")]
    assert feature_maps.main(["--graph", str(graph), *flags]) == 2
    assert re.fullmatch(f"feature_maps: error: {message}\n", capsys.readouterr().err)
    assert sorted(tmp_path.rglob("*")) == before
