"""TensorFlow Lite models: written, read back and used, with all they need inside."""

from __future__ import annotations

import logging
import runpy
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

from retraining.engines import conversion, tflite_conversion
from retraining.export import tflite, writers
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.frozen_graph import forward
from retraining.inference import loading
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings
from retraining.storage import labels_file
from tests.conftest import PROJECT
from tests.engines import networks
from tests.export.tiny_classifiers import LABELS, SIZE, tiny

IMAGES = networks.random_pixels(8)


def write_int8(classifier: ClassifierGraph, path: Path) -> None:
    tflite.write_int8(classifier, path, iter(IMAGES))


# How each is written, and how much a score may differ.
WRITERS = {
    "float32": (tflite.write_float32, 1e-6),
    "float16": (tflite.write_float16, 1e-3),
    "int8": (write_int8, 0.02),
}

Write = Callable[[ClassifierGraph, Path], None]


def written(classifier: ClassifierGraph, folder: Path, write: Write = tflite.write_float32) -> Path:
    write(classifier, folder / "graph.tflite")
    return folder / "graph.tflite"


def loaded(path: Path) -> ImageClassifier:
    return loading.load(GraphSettings(graph=path))


@pytest.mark.parametrize("name", WRITERS)
def test_file_is_read_back_with_all_it_needs_inside(name: str, tmp_path: Path) -> None:
    write, tolerance = WRITERS[name]
    given = tiny(significant_bits=12)
    classifier = loaded(written(given, tmp_path, write))
    assert (classifier.labels, classifier.size) == (LABELS, SIZE)
    assert (classifier.mean, classifier.std, classifier.significant_bits) == (0, 255, 12)
    expected = forward(given.frozen)(IMAGES)
    np.testing.assert_allclose(classifier.scores(list(IMAGES)), expected, atol=tolerance)


def test_bits_are_not_recorded_if_none_are_known(tmp_path: Path) -> None:
    assert loaded(written(tiny(), tmp_path)).significant_bits is None


@pytest.mark.parametrize("write", [tflite.write_float32, write_int8])
def test_scaling_of_pixels_is_recorded_and_kept(write: Write, tmp_path: Path) -> None:
    given = tiny(mean=127.5, std=127.5)
    classifier = loaded(written(given, tmp_path, write))
    assert (classifier.mean, classifier.std) == (127.5, 127.5)
    expected = forward(given.frozen)(IMAGES * 2 - 1)
    np.testing.assert_allclose(classifier.scores(list(IMAGES)), expected, atol=0.03)


def test_labels_are_a_file_that_any_zip_program_takes_out(tmp_path: Path) -> None:
    with zipfile.ZipFile(written(tiny(), tmp_path)) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED
        content = archive.read("labels.txt")
    assert content == labels_file.encode(LABELS)
    assert content.splitlines()[:4] == [b"ant", b"bee", "Käfer".encode(), rb"a\nb"]


def test_input_and_output_have_names_in_a_signature(tmp_path: Path) -> None:
    interpreter = Interpreter(str(written(tiny(), tmp_path)))
    names = {"serving_default": {"inputs": ["image"], "outputs": ["prediction"]}}
    assert interpreter.get_signature_list() == names
    scores = interpreter.get_signature_runner()(image=IMAGES[:1])["prediction"]
    np.testing.assert_allclose(scores, forward(tiny().frozen)(IMAGES[:1]), atol=1e-6)


def test_bytes_of_the_int8_file_are_pixel_values_and_scores_of_256(tmp_path: Path) -> None:
    interpreter = Interpreter(str(written(tiny(), tmp_path, write_int8)))
    (given,), (wanted,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["dtype"], given["quantization"]) == (np.uint8, (pytest.approx(1 / 255), 0))
    assert (wanted["dtype"], wanted["quantization"]) == (np.uint8, (1 / 256, 0))


def test_int8_file_is_only_as_good_as_its_samples(tmp_path: Path) -> None:
    def difference(samples: np.ndarray) -> float:
        tflite.write_int8(tiny(), tmp_path / "graph.tflite", samples)
        exact = forward(tiny().frozen)(IMAGES)
        return float(np.abs(loaded(tmp_path / "graph.tflite").scores(list(IMAGES)) - exact).max())

    black = np.zeros_like(IMAGES)
    assert difference(black) > 10 * difference(IMAGES)


def test_samples_are_left_as_they_are(tmp_path: Path) -> None:
    samples = IMAGES.copy()
    tflite.write_int8(tiny(), tmp_path / "graph.tflite", samples)
    np.testing.assert_array_equal(samples, IMAGES)


def test_same_classifier_gives_the_same_bytes_and_nothing_is_printed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    root = list(logging.root.handlers)
    first = written(tiny(), tmp_path, write_int8).read_bytes()
    assert written(tiny(), tmp_path, write_int8).read_bytes() == first
    assert capfd.readouterr() == ("", "")
    assert logging.root.handlers == root


def test_metadata_leaves_the_network_as_it_is_byte_for_byte(tmp_path: Path) -> None:
    plain = conversion.quietly(tflite_conversion.convert, tiny().frozen)
    content = written(tiny(), tmp_path).read_bytes()
    place = content.index(plain)
    assert place % 16 == 0  # so its weights lie as they should


@pytest.mark.parametrize("write", [tflite.write_float32, tflite.write_float16])
def test_opencv_reads_what_is_not_in_bytes(write: Write, tmp_path: Path) -> None:
    net = cv2.dnn.readNetFromTFLite(str(written(tiny(), tmp_path, write)))
    for image in IMAGES:
        net.setInput(cv2.dnn.blobFromImage(image))
        np.testing.assert_allclose(net.forward(), forward(tiny().frozen)(image[None]), atol=1e-3)


@pytest.mark.parametrize("name", ["tflite", "tflite-int8"])
def test_program_of_the_page_prints_what_label_image_finds(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    exported, photo = tmp_path / "tiny.tflite", tmp_path / "photo.png"
    labels = tuple("abcdefgh")
    writers.WRITERS[name].write(tiny(labels=labels), exported, lambda: iter(networks.random_pixels(4)))
    pixels = (networks.random_pixels(1)[0] * 255).astype(np.uint8)
    Image.fromarray(pixels).save(photo)
    monkeypatch.setattr(sys, "argv", ["classify.py", str(exported), str(photo)])
    runpy.run_path(str(PROJECT / "docs" / "examples" / "classify.py"), run_name="__main__")
    (predicted,) = loading.load(GraphSettings(graph=exported)).predict(photo)
    printed = {label: float(score) for label, score in map(str.split, capsys.readouterr().out.splitlines())}
    scores = dict(predicted)
    assert printed == pytest.approx({label: scores[label] for label in printed}, abs=1e-5)
    assert min(printed.values()) == pytest.approx(predicted[2].score, abs=1e-5)  # these are the best three
