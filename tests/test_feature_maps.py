from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining import feature_maps
from tests.conftest import COLOURS, write_photo
from tests.visualization.test_inspected_network import LISTED, write_network


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


def test_pages_are_written_and_listed(
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


def test_maps_of_a_network_trained_by_compare(
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


def test_named_layers_are_shown_in_the_given_order(graph: Path, photo: Path, tmp_path: Path) -> None:
    assert show(graph, photo, tmp_path / "out", "--layers", "last,first") == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["00_input.png", "01_last.png", "02_first.png"]


def test_input_page_shows_the_image_and_each_channel(graph: Path, photo: Path, tmp_path: Path) -> None:
    assert show(graph, photo, tmp_path / "out") == 0
    with Image.open(tmp_path / "out" / "00_input.png") as page:
        pixels = np.asarray(page).astype(int)
    magenta = (pixels[..., 0] > 150) & (pixels[..., 1] < 90) & (pixels[..., 2] > 150)
    grey = (np.ptp(pixels, axis=-1) == 0) & (pixels[..., 0] > 60)
    assert grey.sum() > 2 * magenta.sum() > 0  # three grey channels, without their black pixels


def test_same_image_gives_the_same_bytes(graph: Path, photo: Path, tmp_path: Path) -> None:
    pages = []
    for out in (tmp_path / "a", tmp_path / "b"):
        assert show(graph, photo, out) == 0
        pages.append([path.read_bytes() for path in sorted(out.iterdir())])
    assert pages[0] == pages[1]


def test_layers_are_listed_without_an_image(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert feature_maps.main(["--graph", str(graph), "--list_layers"]) == 0
    assert capsys.readouterr().out == f"{LISTED}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", r"--image is required: the image to show the network\."),
        (
            "--image /nowhere.jpg",
            r"--image '/nowhere\.jpg' cannot be read \(No such file or directory\)\. Give an image\.",
        ),
        (
            "--image {page}",
            r"--image '.*page\.jpg' is a web page, not an image\. Give an image\.",
        ),
        (
            "--image {photo} --output_dir {photo}",
            r"--output_dir must be a folder, received the file '.*photo\.jpg'\.",
        ),
        (
            "--image {photo} --layers frst",
            r"--layers 'frst' is not a layer of graph with feature maps\. Did you mean first or last\?",
        ),
    ],
)
def test_mistake_is_refused_in_one_line_and_writes_nothing(
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
