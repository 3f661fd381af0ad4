"""A frozen graph is converted for LiteRT after its first use, and from then on used without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import label_image
import retraining
from retraining.engines.table import CONVERTING
from retraining.errors import BadRequest
from retraining.graphs import recorded
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import classifier_conversion, graph_classifier, kept_classifier, loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import LITERT
from retraining.storage import private_folder
from tests import old_graphs
from tests.conftest import COLOURS, PROJECT, write_photo

LABELS = ("wild rose", "Löwenzahn", "tulip")


def write_graph(path: Path, *, batch: int | None = None, size: int | None = 8, mean: float = 0.0) -> Path:
    """Write a small classifier of LABELS, with the labels in it, whose answers depend on the colours."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [batch, size, size, 3], "input")
        kernel = np.random.default_rng(0).normal(0, 0.3, (3, 3, 3, 3)).astype(np.float32)
        maps = tf.nn.relu(tf.nn.conv2d(pixels * 2.0 - mean, kernel, 1, "SAME"))
        tf.nn.softmax(tf.reduce_mean(maps, [1, 2]), name="scores")
    graph_def = graph.as_graph_def()
    recorded.record(graph_def, labels=LABELS, significant_bits=12)
    path.write_bytes(graph_def.SerializeToString())
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    for seed, (name, colour) in enumerate(COLOURS.items()):
        write_photo(folder / f"{name}.jpg", colour, seed)
    return sorted(folder.iterdir())


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_graph(tmp_path_factory.mktemp("graph") / "flowers.pb")


@pytest.fixture(scope="module")
def prepared(graph: Path, photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache folder in which the graph is kept converted."""
    folder = tmp_path_factory.mktemp("caches") / "image-retrainer"
    load(graph, folder).prepare_next_run(photos)
    return folder


@pytest.fixture
def cache(prepared: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    (tmp_path / "cache").mkdir(mode=0o700)
    for path in prepared.iterdir():
        (tmp_path / "cache" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "cache"


@pytest.fixture
def without_tensorflow(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(_: GraphSettings) -> Any:
        raise AssertionError("TensorFlow would be imported")

    monkeypatch.setattr(graph_classifier, "load", forbidden)


def load(graph: Path, cache: Path, **settings: Any) -> ImageClassifier:
    return loading.load(GraphSettings(graph=graph, cache_dir=cache, **settings))


def in_tensorflow(graph: Path, photos: list[Path], **settings: Any) -> np.ndarray:
    settings_given = GraphSettings(graph=graph, engine="tensorflow", **settings)
    return loading.load(settings_given).scores(photos)


def kept_files(cache: Path, suffix: str) -> list[Path]:
    return sorted(path for path in cache.iterdir() if path.suffix == suffix)


@pytest.mark.usefixtures("without_tensorflow")
def test_second_run_gives_the_same_answers_without_tensorflow(cache: Path, graph: Path) -> None:
    classifier = load(graph, cache)
    assert (classifier.labels, classifier.size.height, classifier.significant_bits) == (LABELS, 8, 12)
    assert (classifier.mean, classifier.std) == (0, 255)


def test_scores_are_tensorflows(cache: Path, graph: Path, photos: list[Path]) -> None:
    scores = load(graph, cache).scores(photos)
    np.testing.assert_allclose(scores, in_tensorflow(graph, photos), atol=1e-5)
    assert np.ptp(scores, axis=0).max() > 0.01


@pytest.mark.usefixtures("without_tensorflow")
def test_python_uses_what_a_command_has_kept(cache: Path, graph: Path, photos: list[Path]) -> None:
    classifier = retraining.load_classifier(graph, cache_dir=cache)
    assert [dict(found).keys() for found in classifier.predict(photos)] == [set(LABELS)] * 3


def test_process_of_a_second_run_imports_no_tensorflow(cache: Path, graph: Path, photos: list[Path]) -> None:
    words = [f"--graph={graph}", f"--cache_dir={cache}", f"--image={photos[0]}"]
    program = f"import sys, label_image; label_image.main({words}); print('tensorflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "False"
    assert len(done.stdout.splitlines()) == 4


def test_folder_is_private_and_its_record_says_how_it_was_checked(prepared: Path) -> None:
    assert prepared.stat().st_mode & 0o777 == 0o700
    assert (prepared / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d1")
    (path,) = kept_files(prepared, ".json")
    record = json.loads(path.read_text())
    assert path.name.startswith("flowers-")
    assert record["labels"] == list(LABELS)
    assert (record["height"], record["width"], record["classes"], record["images"]) == (8, 8, 3, 4)
    assert 0 <= record["largest_difference"] < 1e-5
    assert record["versions"].startswith("ai-edge-litert 2.")
    assert " tensorflow 2." in record["versions"]


@pytest.mark.parametrize("suffix", [".tflite", ".json"])
@pytest.mark.parametrize("damage", ["empty", "cut", "flipped"])
def test_damaged_file_is_made_again_with_a_warning(
    suffix: str,
    damage: str,
    cache: Path,
    graph: Path,
    photos: list[Path],
    caplog: pytest.LogCaptureFixture,
) -> None:
    (path,) = kept_files(cache, suffix)
    content = path.read_bytes()
    middle = content.index(b"tulip") if suffix == ".json" else len(content) // 2
    changed = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
    path.write_bytes({"empty": b"", "cut": content[:-9], "flipped": changed}[damage])
    load(graph, cache).prepare_next_run(photos)
    assert caplog.messages == [f"'{path}' is damaged; the network is converted again."]
    assert path.read_bytes() == content


@pytest.mark.usefixtures("without_tensorflow")
def test_labels_of_a_file_replace_those_inside(cache: Path, graph: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    assert load(graph, cache, labels=tmp_path / "labels.txt").labels == ("a", "b", "c")
    (tmp_path / "labels.txt").write_text("a\nb\n")
    with pytest.raises(BadRequest, match="the graph gives 3 scores, but labels names 2 classes"):
        load(graph, cache, labels=tmp_path / "labels.txt")


def test_other_settings_and_other_graphs_are_kept_apart(
    cache: Path, graph: Path, photos: list[Path], tmp_path: Path
) -> None:
    load(graph, cache, input_mean=10).prepare_next_run(photos)
    load(write_graph(tmp_path / "flowers.pb", mean=0.5), cache).prepare_next_run(photos)
    assert len(kept_files(cache, ".tflite")) == 3
    assert (load(graph, cache, input_mean=10).mean, load(graph, cache).mean) == (10, 0)


@pytest.mark.parametrize(("batch", "size"), [(1, 8), (None, None)])
def test_graphs_of_one_image_or_of_any_size_are_kept_too(
    batch: int | None, size: int | None, photos: list[Path], tmp_path: Path
) -> None:
    graph = write_graph(tmp_path / "net.pb", batch=batch, size=size)
    settings = {} if size else {"input_height": 8, "input_width": 12}
    load(graph, tmp_path / "cache", **settings).prepare_next_run(photos)
    assert len(kept_files(tmp_path / "cache", ".tflite")) == 1
    found = load(graph, tmp_path / "cache", **settings).scores(photos)
    np.testing.assert_allclose(found, in_tensorflow(graph, photos, **settings), atol=1e-5)


def test_graph_that_decodes_images_itself_is_entered_where_it_is_said_to_be(
    photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    graph = old_graphs.mobilenet_retrained(tmp_path / "net.pb")
    said = []
    for _ in range(2):
        caplog.clear()
        with caplog.at_level("INFO"):
            classifier = load(graph, tmp_path / "cache")
            said.append(caplog.messages)
        scores = classifier.scores(photos)
        classifier.prepare_next_run(photos)
        np.testing.assert_allclose(scores, in_tensorflow(graph, photos), atol=1e-5)
    assert said == [["Input of the graph: 'input' (16x16), mean 127.5, std 127.5."]] * 2


@pytest.mark.parametrize("fault", ["cannot convert", "differs", "not a number"])
def test_conversion_that_fails_is_not_tried_again(
    fault: str, graph: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def convert(_: Any) -> bytes:
        if fault == "cannot convert":
            raise ValueError("no such op")
        return b"converted"

    wrong = np.full((1, 3), np.nan if fault == "not a number" else 0.4, np.float32)
    row = dataclasses.replace(
        CONVERTING[LITERT],
        convert=convert,
        load=lambda _: lambda images: np.repeat(wrong, len(images), axis=0),
    )
    monkeypatch.setitem(CONVERTING, LITERT, row)
    load(graph, tmp_path / "cache").prepare_next_run(photos)
    assert kept_files(tmp_path / "cache", ".tflite") == []
    (record,) = kept_files(tmp_path / "cache", ".json")
    assert json.loads(record.read_text())["refused"].startswith(
        "it" if fault == "cannot convert" else "its scores"
    )

    def forbidden(*_: Any) -> None:
        raise AssertionError("is tried again")

    monkeypatch.setattr(classifier_conversion, "convert", forbidden)
    again = load(graph, tmp_path / "cache")
    again.prepare_next_run(photos)
    np.testing.assert_array_equal(again.scores(photos), in_tensorflow(graph, photos))


def test_two_runs_at_once_leave_one_that_a_third_can_use(
    graph: Path, photos: list[Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    both = [load(graph, tmp_path / "cache") for _ in range(2)]
    for classifier in both:
        classifier.prepare_next_run(photos)
    third = load(graph, tmp_path / "cache")
    np.testing.assert_allclose(third.scores(photos), both[0].scores(photos), atol=1e-5)
    assert (len(kept_files(tmp_path / "cache", ".tflite")), caplog.messages) == (1, [])


@pytest.mark.parametrize("trap", ["link", "shared"])
def test_folder_that_others_may_have_filled_is_not_used(
    trap: str, cache: Path, graph: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = cache
    if trap == "link":
        place = tmp_path / "link"
        place.symlink_to(cache)
    else:
        cache.chmod(0o777)
    before = sorted(cache.iterdir())
    load(graph, place).prepare_next_run(())
    assert caplog.messages == [
        f"cache folder '{place}' is not used, since others can write to it, or it is a link. Change that, or name "
        "another with cache_dir."
    ]
    assert sorted(cache.iterdir()) == before


def test_nothing_is_kept_where_it_cannot_be_or_is_not_wanted(graph: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert kept_classifier.find_place(GraphSettings(graph=graph, cache_dir=tmp_path / "file" / "x")) is None
    asked = GraphSettings(graph=graph, cache_dir=tmp_path / "cache", engine="tensorflow")
    assert kept_classifier.find_place(asked) is None
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"XDG_CACHE_HOME": "/caches"}, "/caches/image-retrainer"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/ann"}, "/home/ann/.cache/image-retrainer"),
        ({"HOME": "/home/ann"}, "/home/ann/.cache/image-retrainer"),
    ],
)
def test_default_folder_is_where_the_system_wants_caches(
    variables: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert private_folder.of_caches() == Path(folder)


def test_answer_is_printed_before_the_graph_is_converted(
    graph: Path,
    photos: list[Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    printed = []
    monkeypatch.setattr(
        classifier_conversion, "convert", lambda *_: printed.append(capsys.readouterr().out.count("\n"))
    )
    words = [f"--graph={graph}", f"--cache_dir={tmp_path / 'cache'}", "--image", *map(str, photos)]
    assert label_image.main(words) == 0
    assert printed == [12]
