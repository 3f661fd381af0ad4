"""ONNX models: written, read back, used by ONNX Runtime and OpenCV, and refused when they are broken."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.errors import BadRequest, WorkFailed
from retraining.export import onnx_model
from retraining.graphs.frozen_graph import forward
from retraining.inference import loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings
from tests.conftest import PROJECT, write_photo
from tests.export import scaled_classifier
from tests.export.scaled_classifier import LABELS, SIZE

onnx = pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

helper = onnx.helper


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "flowers"  # told by its content, not by its name
    onnx_model.write(scaled_classifier.build(), path)
    return path


def pixels(count: int) -> np.ndarray:
    return np.random.default_rng(1).random((count, SIZE.height, SIZE.width, 3), np.float32)


def load(path: Path, **settings: Any) -> ImageClassifier:
    return loading.load(GraphSettings(graph=path, **settings))


def metadata(path: Path) -> dict[str, str]:
    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def test_onnx_model_gives_the_scores_that_tensorflow_gives(exported: Path) -> None:
    classifier = load(exported)
    expected = forward(scaled_classifier.build().frozen)(pixels(11))
    for count in (1, 11):  # a single photo is computed alone
        np.testing.assert_allclose(classifier.run(pixels(11)[:count]), expected[:count], atol=1e-6)


def test_everything_that_is_needed_is_inside(exported: Path) -> None:
    classifier = load(exported)
    assert classifier.labels == LABELS
    assert classifier.size == SIZE
    assert (classifier.mean, classifier.std, classifier.significant_bits) == (10.0, 200.0, 12)
    assert {key: json.loads(value) for key, value in metadata(exported).items()} == {
        "name": "tiny",
        "labels": list(LABELS),
        "image_size": [32, 24],
        "input_mean": 10.0,
        "input_std": 200.0,
        "significant_bits": 12,
    }


def test_what_the_user_gives_counts_more(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("a\nb\nc\n")
    classifier = load(exported, labels=tmp_path / "labels.txt", input_mean=0, input_std=1, significant_bits=9)
    assert classifier.labels == ("a", "b", "c")
    assert (classifier.mean, classifier.std, classifier.significant_bits) == (0, 1, 9)
    with pytest.raises(BadRequest, match="input_height 99 contradicts the graph, which takes 32"):
        load(exported, input_height=99)


def test_opencv_gives_the_scores_that_tensorflow_gives(exported: Path) -> None:
    net = cv2.dnn.readNetFromONNX(np.frombuffer(exported.read_bytes(), np.uint8))
    expected = forward(scaled_classifier.build().frozen)(pixels(3))
    for number in range(3):
        net.setInput(pixels(3)[number : number + 1])
        np.testing.assert_allclose(net.forward(), expected[number : number + 1], atol=1e-5)


def test_photo_is_labelled_without_tensorflow(exported: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "red.png", (230, 20, 20), 0)
    program = (
        "import sys; from retraining.inference import loading; "
        "from retraining.settings.label_image import GraphSettings; "
        "classifier = loading.load(GraphSettings(graph=sys.argv[1])); "
        "print(ascii(classifier.predict(sys.argv[2])[0][0].label), "
        "[name for name in ('tensorflow', 'onnx', 'tf2onnx') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, exported, tmp_path / "red.png"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{LABELS[0]!a} []\n"


# --- Models of other programs.


def write_foreign(
    path: Path,
    shape: tuple[int | str | None, ...],
    *,
    axes: tuple[int, int],
    dtype: int = onnx.TensorProto.FLOAT,
    outputs: int = 1,
) -> None:
    """Write a model that gives the mean of each color, over the axes of height and width."""
    names = [f"scores{number or ''}" for number in range(outputs)]
    nodes = [helper.make_node("ReduceMean", ["images"], [name], axes=axes, keepdims=0) for name in names]
    scores = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [shape[0], 3]) for name in names]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("images", dtype, shape)], scores)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    (tmp_path / "foreign.txt").write_text("red\ngreen\nblue\n")
    return tmp_path / "foreign.onnx"


@pytest.mark.parametrize("shape", [("N", 3, 8, 6), (1, 3, 8, 6), (2, 3, None, None)])
def test_channels_may_come_first(shape: tuple[int | str | None, ...], foreign: Path, tmp_path: Path) -> None:
    write_foreign(foreign, shape, axes=(2, 3))
    size = {} if shape[2] else {"input_height": 8, "input_width": 6}
    classifier = load(foreign, labels=tmp_path / "foreign.txt", **size)
    assert classifier.size == ImageSize(8, 6)
    images = [np.full((8, 6, 3), value, np.float32) * [1, 0.5, 0] for value in (0.25, 0.5, 1.0)]
    expected = [[0.25, 0.125, 0], [0.5, 0.25, 0], [1, 0.5, 0]]
    np.testing.assert_allclose(classifier.scores(images), expected, atol=1e-6)


def test_labels_are_those_beside_a_model_without_them(foreign: Path, tmp_path: Path) -> None:
    write_foreign(foreign, ("N", 8, 6, 3), axes=(1, 2))
    classifier = load(foreign, labels=tmp_path / "foreign.txt", input_mean=127.5, input_std=127.5)
    assert classifier.predict(np.full((8, 6, 3), 1.0))[0][0] == ("red", 1.0)
    assert (classifier.mean, classifier.std, classifier.significant_bits) == (127.5, 127.5, None)


@pytest.mark.parametrize(
    ("shape", "dtype", "message"),
    [
        (
            ("N", 8, 6, 4),
            onnx.TensorProto.FLOAT,
            "input layer 'images' takes float32 [any, 8, 6, 4]; images are float32 [batch, height, width, 3] or [batch, 3, height, width].",
        ),
        (
            (1, 8, 6, 3),
            onnx.TensorProto.DOUBLE,
            "input layer 'images' takes double [1, 8, 6, 3]; images are float32 [batch, height, width, 3] or [batch, 3, height, width].",
        ),
        (
            ("N", None, None, 3),
            onnx.TensorProto.FLOAT,
            "the graph takes images of any size: set input_height.",
        ),
    ],
)
def test_what_is_no_image_classifier_is_refused(
    shape: tuple[int | str | None, ...], dtype: int, message: str, foreign: Path, tmp_path: Path
) -> None:
    axes = (1, 2)
    write_foreign(foreign, shape, axes=axes, dtype=dtype)
    if dtype == onnx.TensorProto.DOUBLE:
        model = onnx.load(foreign)
        model.graph.output[0].type.tensor_type.elem_type = dtype
        foreign.write_bytes(model.SerializeToString())
    with pytest.raises(BadRequest) as caught:
        load(foreign, labels=tmp_path / "foreign.txt")
    assert str(caught.value) == message


def test_one_of_several_outputs_is_named(foreign: Path, tmp_path: Path) -> None:
    write_foreign(foreign, ("N", 8, 6, 3), axes=(1, 2), outputs=2)
    labels = tmp_path / "foreign.txt"
    with pytest.raises(BadRequest) as caught:
        load(foreign, labels=labels)
    assert str(caught.value) == "the graph has 2 outputs (scores, scores1). Name one with output_layer."
    with pytest.raises(BadRequest) as caught:
        load(foreign, labels=labels, output_layer="score")
    assert str(caught.value) == "output_layer 'score' is not one of the graph's outputs: scores, scores1."
    assert load(foreign, labels=labels, output_layer="scores1", input_layer="images:0").labels[0] == "red"


def test_labels_of_another_training_are_refused(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "two.txt").write_text("a\nb\n")
    with pytest.raises(BadRequest, match="the graph gives 3 scores, but labels names 2 classes"):
        load(exported, labels=tmp_path / "two.txt")


# --- Broken files.


@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_model_that_was_cut_is_refused(
    share: float, exported: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    content = exported.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BadRequest) as caught:
        load(path)
    start = f"graph '{path}' cannot be loaded, it may be damaged or cut short: "
    assert str(caught.value).startswith(start)
    assert str(caught.value).endswith(" protobuf parsing failed.")  # in ONNX Runtime's words
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", "daisy, roses"),
        ("labels", "[]"),
        ("input_std", "0"),
        ("input_mean", "NaN"),
        ("significant_bits", "99"),
    ],
)
def test_metadata_that_makes_no_sense_is_refused(
    key: str, value: str, exported: Path, tmp_path: Path
) -> None:
    model = onnx.load(exported)
    next(entry for entry in model.metadata_props if entry.key == key).value = value
    path = tmp_path / "changed.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadRequest) as caught:
        load(path)
    assert str(caught.value) == (
        f"graph '{path}' has no usable {key} in its metadata. Export it again, or set {key}."
    )


def test_model_that_fails_on_an_image_says_so(foreign: Path, tmp_path: Path) -> None:
    write_foreign(foreign, ("N", 8, 6, 3), axes=(1, 2))
    model = onnx.load(foreign)
    model.graph.node[0].output[0] = "means"
    model.graph.node.append(helper.make_node("Reshape", ["means", "shape"], ["scores"]))
    shape = helper.make_tensor("shape", onnx.TensorProto.INT64, [2], [7, 3])
    model.graph.initializer.append(shape)
    foreign.write_bytes(model.SerializeToString())
    with pytest.raises(WorkFailed, match=r"^the graph cannot be run: .*Reshape"):
        load(foreign, labels=tmp_path / "foreign.txt").predict(np.zeros((8, 6, 3)))


def test_without_onnx_runtime_the_message_names_the_command(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadRequest) as caught:
        load(exported)
    assert str(caught.value) == (
        "reading an ONNX model needs onnxruntime, which is not installed. Install it with pip install "
        "'.[onnx]' or pip install onnxruntime."
    )


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\x08",
        b"\x0a\x10\x12\x3a",  # a frozen graph
        b"\x08\x01\x12\x80\x04",  # a SavedModel
        b"\x1c\0\0\0TFL3",
        b"\x08\0\0\0TFL3",
        b"\x08\x08hello",
    ],
)
def test_other_files_are_not_taken_for_onnx_models(head: bytes, tmp_path: Path) -> None:
    reader = next(reader for reader in loading.READERS if reader.recognizes(tmp_path / "any", head))
    assert "onnx" not in reader.load.__name__
