"""Classifiers in .tflite files, this program's and others': read without TensorFlow, and refused in one line."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize, Pixels
from retraining.engines import conversion, tflite_conversion
from retraining.errors import BadRequest
from retraining.export import tflite
from retraining.graphs.frozen_graph import forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.runtimes import flat_tables, litert, requirements, tflite_metadata
from retraining.runtimes.tflite_metadata import Metadata
from retraining.settings.label_image import GraphSettings
from retraining.storage import labels_file
from tests.conftest import PROJECT
from tests.engines import networks
from tests.export.tiny_classifiers import LABELS, tiny

IMAGES = networks.random_pixels(6)
EXACT = forward(tiny().frozen)

SPEC = tf.TensorSpec([1, networks.SIZE, networks.SIZE, 3], tf.float32, "pixels")


@pytest.fixture(scope="module")
def plain() -> bytes:
    """A classifier without metadata, as other programs write it."""
    return conversion.quietly(tflite_conversion.convert, tiny().frozen)


@pytest.fixture
def folder(plain: bytes, tmp_path: Path) -> Path:
    """A folder with that classifier and its labels beside it."""
    (tmp_path / "other.tflite").write_bytes(plain)
    (tmp_path / "other_labels.txt").write_bytes(labels_file.encode(LABELS))
    return tmp_path


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A classifier as this program writes it."""
    path = tmp_path_factory.mktemp("own") / "graph.tflite"
    tflite.write_float32(tiny(), path)
    return path.read_bytes()


def loaded(path: Path, **settings: Any) -> ImageClassifier:
    return loading.load(GraphSettings(graph=path, **settings))


def refusal(path: Path, **settings: Any) -> str:
    with pytest.raises(BadRequest) as caught:
        loaded(path, **settings)
    return caught.value.message.text(setting_name=lambda name: f"--{name}")


def converted(function: Callable[..., Any], *specs: tf.TensorSpec) -> bytes:
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    return conversion.quietly(lambda _: converter.convert(), tiny().frozen)


def test_tensorflow_is_not_imported_and_nothing_is_printed(own: bytes, tmp_path: Path) -> None:
    (tmp_path / "graph.tflite").write_bytes(own)
    program = (
        "import sys\n"
        "from pathlib import Path\n"
        "import numpy as np\n"
        "from retraining.inference import loading\n"
        "from retraining.settings.label_image import GraphSettings\n"
        "classifier = loading.load(GraphSettings(graph=Path(sys.argv[1])))\n"
        "print(len(classifier.scores([np.zeros((32, 32, 3), np.uint8)] * 3)))\n"
        "print(sorted({'tensorflow', 'keras', 'onnxruntime'} & set(sys.modules)))\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "graph.tflite")]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("3\n[]\n", "")


def test_other_programs_file_takes_its_labels_from_beside(folder: Path) -> None:
    classifier = loaded(folder / "other.tflite")
    assert (classifier.labels, classifier.mean, classifier.std) == (LABELS, 0, 255)
    np.testing.assert_allclose(classifier.scores(list(IMAGES)), EXACT(IMAGES), atol=1e-6)


def test_settings_count_more_than_what_is_inside(own: bytes, tmp_path: Path) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(own)
    (tmp_path / "names.txt").write_text("\n".join("abcdefgh"))
    settings = {"input_mean": 128.0, "input_std": 64.0, "significant_bits": 10}
    classifier = loaded(path, labels=tmp_path / "names.txt", **settings)
    assert classifier.labels == tuple("abcdefgh")
    assert (classifier.mean, classifier.std, classifier.significant_bits) == (128, 64, 10)


@pytest.mark.parametrize("kind", [tf.uint8, tf.int8])
def test_quantized_file_without_metadata_takes_pixel_values(kind: Any, folder: Path) -> None:
    def quantized(graph: Any) -> bytes:
        converter = tflite_conversion._converter(graph)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None] * 2 - 1] for image in IMAGES)
        converter.inference_input_type = converter.inference_output_type = kind
        return tflite_conversion._converted(converter)

    (folder / "other.tflite").write_bytes(conversion.quietly(quantized, tiny().frozen))
    classifier = loaded(folder / "other.tflite")
    assert classifier.std == pytest.approx(127.5, rel=1e-3)
    np.testing.assert_allclose(classifier.scores(list(IMAGES)), EXACT(IMAGES * 2 - 1), atol=0.03)


def test_bytes_without_a_scale_are_taken_as_they_are(folder: Path) -> None:
    spec = tf.TensorSpec(SPEC.shape, tf.uint8, "pixels")
    content = converted(lambda pixels: tf.reduce_mean(tf.cast(pixels, tf.float32), [1, 2]), spec)
    (folder / "other.tflite").write_bytes(content)
    (folder / "other_labels.txt").write_text("red\ngreen\nblue\n")
    photo = np.full((networks.SIZE, networks.SIZE, 3), (200, 100, 7), np.uint8)
    (scores,) = loaded(folder / "other.tflite").scores([photo])
    np.testing.assert_allclose(scores, (200, 100, 7), atol=1e-4)


def test_each_channel_may_have_a_scaling_of_its_own(plain: bytes, tmp_path: Path) -> None:
    about = Metadata("other", LABELS, mean=(120.0, 110.0, 100.0), std=(60.0, 50.0, 40.0))
    path = tmp_path / "graph.tflite"
    path.write_bytes(tflite_metadata.added(plain, about))
    scaled = ((IMAGES * 255 - np.array(about.mean)) / np.array(about.std)).astype(np.float32)
    np.testing.assert_allclose(loaded(path).scores(list(IMAGES)), EXACT(scaled), atol=1e-5)


def test_one_image_needs_one_interpreter(own: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []

    class Counted(litert._Interpreter):
        def __init__(self, *arguments: Any) -> None:
            made.append(arguments)
            super().__init__(*arguments)

    monkeypatch.setattr(litert, "_Interpreter", Counted)
    network = litert.Network(own)
    for _ in range(3):
        network.run(IMAGES[:1])
    assert len(made) == 1
    np.testing.assert_allclose(network.run(IMAGES), EXACT(IMAGES), atol=1e-6)


@pytest.mark.parametrize("kept", [8, 100, 0.5, 0.9])
def test_file_that_was_cut_short_is_refused(kept: float, own: bytes, tmp_path: Path) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(own[: int(kept if kept > 1 else kept * len(own))])
    assert refusal(path) == (
        f"graph '{path}' cannot be loaded, it may be damaged or cut short: The model is not a valid Flatbuffer "
        "buffer."
    )


@pytest.mark.parametrize("lost", [1, 30, 150])
def test_file_that_lost_its_labels_is_refused(lost: int, own: bytes, tmp_path: Path) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(own[:-lost])
    assert refusal(path) == (
        f"graph '{path}' cannot be loaded, it may be damaged or cut short: what it says of itself cannot be read."
    )


@pytest.mark.parametrize(("mean", "std"), [((0.0,), (0.0,)), ((1.0, 2.0), (1.0,)), ((np.nan,), (1.0,))])
def test_scaling_that_nothing_can_be_scaled_by_is_refused(
    mean: tuple[float, ...],
    std: tuple[float, ...],
    own: bytes,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(own)
    monkeypatch.setattr(flat_tables.ReadTable, "floats", lambda _, field: (mean, std)[field])
    assert refusal(path) == (
        f"graph '{path}' cannot be loaded, it may be damaged or cut short: what it says of itself cannot be read."
    )


def test_metadata_that_is_nonsense_is_refused_in_one_line(own: bytes, tmp_path: Path) -> None:
    path = tmp_path / "graph.tflite"
    start = own.index(b"M001") - 4  # of the metadata
    for seed in range(40):
        content = bytearray(own)
        places = np.random.default_rng(seed).integers(start, start + 500, 8)
        for place in places:
            content[place] = (content[place] + 1 + seed) % 256
        path.write_bytes(content)
        try:
            loaded(path)
        except BadRequest as error:
            assert "\n" not in str(error)


def mean(pixels: Pixels) -> Any:
    return tf.reduce_mean(pixels, [1, 2])


NOT_CLASSIFIERS: Sequence[tuple[Any, Sequence[Any], str]] = [
    (
        lambda numbers: numbers * 2,
        [tf.TensorSpec([1, 10])],
        "takes float32 [1, 10]; images are float32, uint8 or int8 [1, height, width, 3]. Convert it again for one "
        "image of one size.",
    ),
    (
        mean,
        [tf.TensorSpec([4, 8, 8, 3])],
        "takes float32 [4, 8, 8, 3]; images are float32, uint8 or int8 [1, height, width, 3]. Convert it again "
        "for one image of one size.",
    ),
    (
        lambda pixels: mean(tf.cast(pixels, tf.float32)),
        [tf.TensorSpec([1, 8, 8, 3], tf.int32)],
        "takes int32 [1, 8, 8, 3]; images are float32, uint8 or int8 [1, height, width, 3]. Convert it again for "
        "one image of one size.",
    ),
    (
        lambda pixels: tf.argmax(mean(pixels), axis=1),
        [tf.TensorSpec([1, 8, 8, 3])],
        "gives int64 [1]; scores are float32, uint8 or int8 [1, classes]. Give another file.",
    ),
    (
        lambda pixels, more: mean(pixels + more),
        [tf.TensorSpec([1, 8, 8, 3], name="a"), tf.TensorSpec([1, 8, 8, 3], name="b")],
        "has 2 inputs (a, b); a classifier of images has one. Give another file.",
    ),
]


@pytest.mark.parametrize(
    ("function", "specs", "reason"),
    NOT_CLASSIFIERS,
    ids=["numbers", "four at a time", "integers", "one answer", "two inputs"],
)
def test_network_that_classifies_no_images_is_refused(
    function: Any, specs: Sequence[Any], reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "graph.tflite"
    path.write_bytes(converted(function, *specs))
    assert refusal(path) == f"graph '{path}' {reason}"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"input_layer": "input"},
            "--input_layer 'input' is not in the graph, which has 'images'. Leave it out.",
        ),
        (
            {"output_layer": "import/scores:0"},
            "--output_layer 'import/scores:0' is not in the graph, which has 'final_result'. Leave it out.",
        ),
        (
            {"input_width": 64},
            "--input_width 64 contradicts the graph, which takes 32. Leave it out.",
        ),
    ],
    ids=["input", "output", "width"],
)
def test_settings_that_contradict_the_file_are_refused(
    settings: dict[str, Any], reason: str, folder: Path
) -> None:
    assert refusal(folder / "other.tflite", **settings) == reason


def test_settings_that_agree_with_the_file_are_accepted(folder: Path) -> None:
    layers = {"input_layer": "import/images:0", "output_layer": "final_result"}
    classifier = loaded(folder / "other.tflite", input_height=32, input_width=32, **layers)
    assert classifier.size == ImageSize(32, 32)


def test_labels_of_another_training_are_refused(folder: Path) -> None:
    (folder / "other_labels.txt").write_text("a\nb\n")
    assert refusal(folder / "other.tflite") == (
        "the graph gives 8 scores, but --labels names 2 classes; they must come from the same training."
    )


def test_without_litert_the_message_says_what_to_install(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "other.tflite"
    monkeypatch.setattr(requirements, "missing", lambda packages: list(packages))
    assert refusal(path) == (
        f"graph '{path}' needs ai-edge-litert, not installed here. Run pip install ai-edge-litert."
    )
