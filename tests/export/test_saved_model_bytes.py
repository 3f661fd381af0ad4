"""SavedModels of bytes: called as TensorFlow Serving calls them, and by label_image.py."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images
from retraining.errors import BadRequest
from retraining.export import saved_model, saved_model_bytes
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.inference.sources import ImageSource
from retraining.settings.label_image import GraphSettings
from tests.conftest import PROJECT, write_photo
from tests.image_files import encoded, png, usable

SIZE = ImageSize(16, 24)
LABELS = ("reddish", "gr\u00fcn\nish", "blue")


@pytest.fixture(scope="module")
def classifier() -> ClassifierGraph:
    """A classifier whose scores are the softmax of the mean red, green and blue of an image's left half."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, SIZE.height, SIZE.width, 3], "Placeholder")
        colours = tf.reduce_mean(pixels[:, :, : SIZE.width // 2], [1, 2])
        tf.nn.softmax(colours * 4.0, name="final_result")
    frozen = FrozenGraph(graph.as_graph_def(), "Placeholder:0", "final_result:0")
    return ClassifierGraph(frozen, LABELS, SIZE, significant_bits=12)


@pytest.fixture(scope="module")
def of_bytes(classifier: ClassifierGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "graph.saved_model_bytes"
    saved_model_bytes.write(classifier, folder)
    return folder


@pytest.fixture(scope="module")
def of_pixels(classifier: ClassifierGraph, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "graph.saved_model"
    saved_model.write_classifier(classifier, folder)
    return folder


@pytest.fixture(scope="module")
def reference(of_pixels: Path) -> ImageClassifier:
    return loading.load(GraphSettings(graph=of_pixels))


def served(folder: Path) -> Any:
    """Return what TensorFlow Serving does with the JSON of a `:predict` request: its rows as JSON again.

    https://www.tensorflow.org/tfx/serving/api_rest: an object with the only key "b64" is bytes in base64;
    with several outputs, each of the "predictions" is an object with a value of each.
    """
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    (name,) = signature.structured_input_signature[1]

    def predict(request: str) -> str:
        instances = json.loads(request)["instances"]
        assert all(list(instance) == [name] for instance in instances)
        assert name.endswith("_bytes")
        given = [base64.b64decode(instance[name]["b64"], validate=True) for instance in instances]
        outputs = signature(**{name: tf.constant(given)})
        rows = [
            {key: _plain(value.numpy()[row]) for key, value in outputs.items()} for row in range(len(given))
        ]
        return json.dumps({"predictions": rows})

    return predict


def _plain(values: np.ndarray) -> list[Any]:
    return [value.decode() if isinstance(value, bytes) else float(value) for value in values]


def request_of(*files: bytes) -> str:
    return json.dumps(
        {"instances": [{"image_bytes": {"b64": base64.b64encode(file).decode()}} for file in files]}
    )


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Return an image with patches of colour and noise."""
    random = np.random.default_rng(seed)
    patches = np.kron(random.integers(0, 256, (3, 4, 3)), np.ones((-(-height // 3), -(-width // 4), 1)))
    noisy = patches[:height, :width] + random.normal(0, 20, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def test_serving_gives_labels_and_scores_for_photos_of_any_size_in_one_request(
    of_bytes: Path, reference: ImageClassifier
) -> None:
    files = [
        encoded(photo(60, 40), "JPEG"),
        encoded(photo(400, 300, seed=1), "JPEG"),  # which is decoded at an eighth
        encoded(photo(33, 47, seed=2), "PNG"),
        encoded(photo(5, 3, seed=3), "PNG"),  # which is enlarged
        encoded(photo(60, 40, seed=4).convert("L"), "JPEG"),
        encoded(photo(60, 40, seed=5), "GIF", save_all=True, append_images=[photo(60, 40, seed=6)]),
        encoded(photo(60, 40, seed=7), "BMP"),
    ]
    rows = json.loads(served(of_bytes)(request_of(*files)))["predictions"]
    assert [row["labels"] for row in rows] == [list(LABELS)] * len(files)
    assert np.array([row["scores"] for row in rows]) == pytest.approx(reference.scores(files), abs=2e-3)


ALIKE = (
    "JPEG, baseline",
    "JPEG, progressive",
    "JPEG, MPO",
    "PNG",
)


def test_graph_reads_files_as_label_image_does(of_bytes: Path, reference: ImageClassifier) -> None:
    transparent = photo(40, 30).convert("RGBA")
    transparent.putalpha(Image.linear_gradient("L").resize((40, 30)))
    files = [
        *(usable()[name] for name in ALIKE),
        encoded(transparent, "PNG"),
        encoded(transparent.convert("LA"), "PNG"),
        encoded(photo(40, 30).convert("P"), "PNG"),
        encoded(photo(40, 30).convert("1"), "PNG"),
    ]
    rows = json.loads(served(of_bytes)(request_of(*files)))["predictions"]
    assert np.array([row["scores"] for row in rows]) == pytest.approx(reference.scores(files), abs=2e-3)


def test_label_image_answers_from_a_saved_model_of_bytes_as_from_pixels(
    of_bytes: Path, reference: ImageClassifier
) -> None:
    of_files = loading.load(GraphSettings(graph=of_bytes))
    given: list[ImageSource] = [
        *usable().values(),
        photo(30, 20),
        np.asarray(photo(30, 20)),
        np.full((16, 24, 3), 0.25),
    ]
    for ours, theirs in zip(of_files.classify(given), reference.classify(given), strict=True):
        assert (ours.reason, len(ours.predictions)) == (theirs.reason, len(theirs.predictions))
        assert dict(ours.predictions) == pytest.approx(dict(theirs.predictions), abs=3e-3)


def test_files_are_passed_as_they_are_unless_they_are_rotated_or_of_another_kind(of_bytes: Path) -> None:
    classifier = loading.load(GraphSettings(graph=of_bytes))
    deep = png(np.full((20, 30, 3), 1 << 11, np.uint16))
    exif = Image.Exif()
    exif[0x0112] = 6
    rotated = encoded(photo(60, 40), "JPEG", exif=exif)
    jpeg, other = encoded(photo(60, 40), "JPEG"), encoded(photo(60, 40), "WebP")
    assert classifier.prepare(jpeg).taken is jpeg
    for file in (rotated, other, deep):
        made = classifier.prepare(file).taken
        assert made.startswith(b"\x89PNG")
        expected = images.decode(file, SIZE, 12)
        assert images.decode(made, SIZE) == pytest.approx(expected, abs=1 / 255)


def test_damaged_file_is_refused_as_by_other_classifiers(of_bytes: Path) -> None:
    classifier = loading.load(GraphSettings(graph=of_bytes))
    whole = encoded(photo(60, 40), "JPEG")
    first, second = classifier.classify([whole[: len(whole) // 2], whole])
    assert (first.reason, second.reason) == ("is cut short", "")


def test_files_that_tensorflow_refuses_are_given_as_png(of_bytes: Path) -> None:
    classifier = loading.load(GraphSettings(graph=of_bytes))
    webp = encoded(photo(60, 40), "WebP")
    as_png = encoded(Image.open(io.BytesIO(webp)), "PNG")
    assert classifier.run([webp]) == pytest.approx(classifier.run([as_png]))


@pytest.mark.parametrize("kind", ["of_bytes", "of_pixels"])
def test_labels_size_and_bits_are_inside(kind: str, request: pytest.FixtureRequest) -> None:
    folder: Path = request.getfixturevalue(kind)
    assets = folder / "assets"
    assert (assets / "labels.txt").read_text(encoding="utf-8") == "reddish\ngr\u00fcn\\nish\nblue\n"
    assert json.loads((assets / "classifier.json").read_text()) == {
        "height": 16,
        "width": 24,
        "input_mean": 0.0,
        "input_std": 255.0,
        "significant_bits": 12,
    }
    recorded = {
        Path(asset.asset_path.numpy().decode()) for asset in tf.saved_model.load(str(folder)).asset_paths
    }
    assert recorded == {assets / "labels.txt", assets / "classifier.json"}
    classifier = loading.load(GraphSettings(graph=folder))
    assert (classifier.labels, classifier.size, classifier.significant_bits) == (LABELS, SIZE, 12)


def test_signature_of_pixels_is_still_image_and_prediction(of_pixels: Path) -> None:
    signature = tf.saved_model.load(str(of_pixels)).signatures["serving_default"]
    assert list(signature.structured_input_signature[1]) == ["image"]
    assert list(signature.structured_outputs) == ["prediction"]


def test_other_scaling_of_pixels_is_in_the_file(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        scaled = tf.compat.v1.placeholder(tf.float32, [None, 16, 24, 3], "input")
        tf.reduce_mean(scaled, [1, 2], name="scores")
    frozen = FrozenGraph(graph.as_graph_def(), "input:0", "scores:0")
    other = ClassifierGraph(frozen, LABELS, SIZE, mean=128, std=64)
    grey = encoded(Image.new("RGB", (30, 30), (160, 128, 96)), "PNG")
    for write in (saved_model.write_classifier, saved_model_bytes.write):
        folder = tmp_path / write.__module__
        write(other, folder)
        scores = loading.load(GraphSettings(graph=folder)).scores([grey])
        assert scores[0] == pytest.approx([0.5, 0, -0.5], abs=1e-6)


def test_settings_of_pixels_are_refused(of_bytes: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        loading.load(GraphSettings(graph=of_bytes, input_mean=128))
    assert str(caught.value) == (
        f"input_mean means nothing for '{of_bytes}', which prepares images itself. Leave it out."
    )


def test_damaged_description_is_refused(classifier: ClassifierGraph, tmp_path: Path) -> None:
    folder = tmp_path / "saved"
    saved_model_bytes.write(classifier, folder)
    (folder / "assets" / "classifier.json").write_text("{}")
    with pytest.raises(BadRequest) as caught:
        loading.load(GraphSettings(graph=folder))
    assert str(caught.value) == (
        f"'{folder / 'assets' / 'classifier.json'}' cannot be read: 'height'. Export the SavedModel again."
    )


@pytest.mark.soak
def test_fresh_process_reads_the_folder(of_bytes: Path, tmp_path: Path) -> None:
    write_photo(tmp_path / "photo.jpg", (250, 10, 10), seed=1)
    words = ["label_image.py", f"--graph={of_bytes}", f"--image={tmp_path / 'photo.jpg'}"]
    command = [sys.executable, *words, "--num_top_predictions=1"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[0], done.stderr) == (0, LABELS[0], "")
