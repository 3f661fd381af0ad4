"""label_image.py with bad graphs, labels and layers: one line, no traceback."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import label_image
from retraining.graphs.quiet_tensorflow import tf
from tests.conftest import COLOURS, write_photo
from tests.data.test_bad_images import odd_files
from tests.test_label_image import label, write_pixel_classifier


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_photo(tmp_path / "photo.jpg", COLOURS["cyan"], 0)
    return tmp_path / "photo.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a good graph of two scores at `scores`, input `input`, and its labels."""
    (tmp_path / "model").mkdir()
    write_pixel_classifier(tmp_path / "model", batch=None, size=8)
    return tmp_path / "model"


def errors(folder: Path, photo: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """Return the exit status of label_image.py and the one line that it prints."""
    status = label(folder, "--output_layer", "scores", "--image", photo, *words)
    (line,) = capsys.readouterr().err.splitlines()
    return f"{status}: {line}"


def write(folder: Path, build: object) -> None:
    graph = tf.Graph()
    with graph.as_default():
        build()  # type: ignore[operator]
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())


def scores_of(pixels: tf.Tensor, width: int = 2) -> None:
    mean = tf.reshape(tf.reduce_mean(tf.cast(pixels, tf.float32)), [1, 1])
    tf.identity(tf.tile(mean, [tf.shape(pixels)[0], width]), "scores")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_graph_that_was_cut_is_refused(
    share: float, folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = (folder / "graph.pb").read_bytes()
    (folder / "graph.pb").write_bytes(content[: int(share * len(content))])
    line = errors(folder, photo, capsys)
    assert line.startswith("2: label_image: error: ")
    assert "cut short" in line or "is not an op of the graph" in line


@pytest.mark.parametrize("content", [b"no graph", b"\xff" * 1000, b"\x89PNG\r\n\x1a\n", b"PK\x03\x04"])
def test_file_that_is_not_a_graph_is_refused(
    content: bytes, folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "graph.pb").write_bytes(content)
    assert errors(folder, photo, capsys) == (
        f"2: label_image: error: '{folder / 'graph.pb'}' is not a frozen graph, or is cut short. Give the file "
        "that retrain.py wrote."
    )


def test_graph_with_a_missing_op_is_refused(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph_def = tf.compat.v1.GraphDef.FromString((folder / "graph.pb").read_bytes())
    del graph_def.node[1]
    (folder / "graph.pb").write_bytes(graph_def.SerializeToString())
    assert errors(folder, photo, capsys).startswith(
        f"2: label_image: error: graph '{folder / 'graph.pb'}' cannot be loaded, it may be damaged or cut short: "
    )


def test_graph_with_an_op_that_tensorflow_does_not_know_is_refused(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph_def = tf.compat.v1.GraphDef.FromString((folder / "graph.pb").read_bytes())
    graph_def.node.add(name="odd", op="NobodysOp")
    (folder / "graph.pb").write_bytes(graph_def.SerializeToString())
    assert "cannot be loaded, it may be damaged or cut short: " in errors(folder, photo, capsys)


@pytest.mark.parametrize("kind", ["folder", "pipe", "missing"])
@pytest.mark.parametrize("flag", ["graph.pb", "labels.txt"])
def test_graph_or_labels_that_are_not_a_file_are_refused(
    flag: str, kind: str, folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / flag).unlink()
    if kind == "folder":
        (folder / flag).mkdir()
    elif kind == "pipe":
        os.mkfifo(folder / flag)
    found = {"folder": "is not a file", "pipe": "is not a file", "missing": "does not exist"}[kind]
    if (flag, kind) == ("graph.pb", "folder"):
        found = "is a folder without saved_model.pb"
    assert errors(folder, photo, capsys) == (
        f"2: label_image: error: --{flag.split('.')[0]} '{folder / flag}' {found}. retrain.py writes the graph and "
        "its labels."
    )


@pytest.mark.parametrize(
    ("dtype", "shape"),
    [("uint8", [None, 8, 8, 3]), ("float32", [None, 8, 8, 1]), ("float32", [None, 192]), ("string", [])],
)
def test_input_that_does_not_take_images_is_refused_with_what_it_takes(
    dtype: str, shape: list[int | None], folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        pixels = tf.compat.v1.placeholder(dtype, shape, "odd")
        other = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "good")
        scores_of(other)
        tf.identity(pixels, "scores_too")

    write(folder, build)
    assert errors(folder, photo, capsys, "--input_layer", "odd") == (
        f"2: label_image: error: input layer 'odd' takes {dtype} {tf.TensorShape(shape)}; images are float32 "
        "[batch, height, width, 3]. Name another with --input_layer: good."
    )
    assert label(folder, "--output_layer", "scores", "--input_layer", "good", "--image", photo) == 0


def test_output_that_is_not_numeric_is_refused(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        tf.strings.as_string(pixels, name="scores")

    write(folder, build)
    assert errors(folder, photo, capsys) == (
        "2: label_image: error: output layer 'scores' gives string; scores are float32. Nothing else in "
        "the graph looks like one."
    )


def test_layer_without_an_output_is_refused(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        scores_of(pixels)
        tf.no_op("nothing")

    write(folder, build)
    assert errors(folder, photo, capsys, "--output_layer", "nothing") == (
        "2: label_image: error: op 'nothing' of the graph has no output. Name another layer."
    )


@pytest.mark.parametrize("width", [1, 3, 1001])
def test_labels_that_do_not_match_the_width_are_refused_with_both_counts(
    width: int, folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, lambda: scores_of(tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "input"), width))
    assert errors(folder, photo, capsys) == (
        f"2: label_image: error: the graph gives {width} scores, but --labels names 2 classes; they must come "
        "from the same training."
    )


def test_empty_labels_are_refused(folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "labels.txt").write_bytes(b"\n")
    assert errors(folder, photo, capsys) == (
        f"2: label_image: error: labels '{folder / 'labels.txt'}' is empty. Give the file that retrain.py wrote "
        "with the graph."
    )


def test_graph_that_fails_when_it_runs_says_why(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], "input")
        tf.identity(tf.reshape(pixels, [-1, 7])[:, :2], "scores")

    write(folder, build)
    assert errors(folder, photo, capsys, "--input_height", "8", "--input_width", "8").startswith(
        "1: label_image: error: the graph cannot be run: Input to reshape is a tensor with 192 values"
    )


def test_scores_that_are_not_numbers_are_reported_and_not_printed(
    folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def build() -> None:
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        scores_of(tf.math.log(-1 - pixels))

    write(folder, build)
    assert label(folder, "--output_layer", "scores", "--image", photo) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        f"warning: {photo}: makes the graph give scores that are not numbers.",
        "label_image: error: 1 of 1 images could not be labelled, see above.",
    ]


def test_unusable_files_are_named_and_the_other_images_are_labelled(
    folder: Path,
    photo: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has a limit
    Path("odd").mkdir()
    expected = {str(path): reason for path, reason in odd_files(Path("odd")).items()}
    words = ["--graph", str(folder / "graph.pb"), "--labels", str(folder / "labels.txt")]
    words += ["--output_layer", "scores", "--image", "odd", "--image", str(photo)]
    assert label_image.main(words) == 1
    captured = capsys.readouterr()
    assert captured.out.startswith(f"{photo}\nmean ")
    *named, last = captured.err.splitlines()
    assert sorted(named) == sorted(f"warning: {path}: {reason}." for path, reason in expected.items())
    assert last == "label_image: error: 6 of 7 images could not be labelled, see above."
