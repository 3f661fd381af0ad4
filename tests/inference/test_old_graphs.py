"""Graphs from before TensorFlow Hub are used rightly, without flags, by every program that takes a graph."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import label_image
import retraining
from retraining import deep_dream, feature_maps
from retraining.graphs import graph_file
from retraining.graphs.quiet_tensorflow import tf
from tests import old_graphs
from tests.old_graphs import LABELS

COLOUR = (200, 30, 90)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """An image of one colour: resizing and decoding change nothing in it."""
    Image.new("RGB", (40, 40), COLOUR).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def jpeg() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (40, 40), COLOUR).save(content, "JPEG", quality=100, subsampling=0)
    return content.getvalue()


def own_scores(path: Path, output: str) -> np.ndarray:
    """Return what a graph gives for the colour when it decodes the image itself."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_file.read(path), name="")
        scores: np.ndarray = session.run(f"{output}:0", {"DecodeJpeg/contents:0": jpeg()})[0]
    return scores


def scores_of(path: Path, photo: Path, **settings: object) -> np.ndarray:
    (found,) = retraining.load_classifier(path, **settings).predict(photo)  # type: ignore[arg-type]
    return np.array([dict(found)[label] for label in LABELS])


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records]


INCEPTION = "Input of the graph: 'Mul' (299x299), mean 128, std 128."


@pytest.mark.parametrize("contents", ["Const", "Placeholder"])
@pytest.mark.parametrize("is_retrained", [False, True])
def test_inception_of_2015_gives_what_it_gives_for_a_jpeg(
    contents: str, is_retrained: bool, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = old_graphs.inception_2015(tmp_path / "net.pb", contents=contents, is_retrained=is_retrained)
    with caplog.at_level("INFO"):
        scores = scores_of(path, photo)
    expected = own_scores(path, "final_result" if is_retrained else "softmax")
    np.testing.assert_allclose(scores, expected, atol=0.02)
    assert scores.argmax() == 0
    assert logged(caplog) == [INCEPTION]


def test_retrained_mobilenet_gets_its_mean_and_std(
    photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = old_graphs.mobilenet_retrained(tmp_path / "net.pb")
    with caplog.at_level("INFO"):
        scores = scores_of(path, photo)
    assert logged(caplog) == ["Input of the graph: 'input' (16x16), mean 127.5, std 127.5."]
    given = scores_of(path, photo, input_layer="input", input_mean=127.5, input_std=127.5)
    np.testing.assert_array_equal(scores, given)
    assert np.abs(scores - scores_of(path, photo, input_mean=0, input_std=255)).max() > 0.01


def test_what_is_given_wins_and_is_not_reported(
    photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = old_graphs.inception_2015(tmp_path / "net.pb")
    with caplog.at_level("INFO"):
        classifier = retraining.load_classifier(path, input_mean=0, input_std=255)
    assert (classifier.mean, classifier.std, logged(caplog)) == (0, 255, [])
    classifier = retraining.load_classifier(path, input_mean=100)
    assert (classifier.mean, classifier.std) == (100, 128)
    before_scaling = retraining.load_classifier(path, input_layer="ResizeBilinear")
    assert (before_scaling.mean, before_scaling.std) == (0, 1)
    np.testing.assert_allclose(scores_of(path, photo, input_layer="Sub"), scores_of(path, photo), atol=1e-6)


def test_refused_layer_is_answered_with_the_one_that_works(
    photo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = old_graphs.inception_2015(tmp_path / "net.pb", contents="Placeholder")
    words = [f"--graph={path}", f"--labels={tmp_path / 'net_labels.txt'}", f"--image={photo}"]
    assert label_image.main([*words, "--input_layer=DecodeJpeg/contents"]) == 2
    assert capsys.readouterr().err == (
        "label_image: error: input layer 'DecodeJpeg/contents' takes string (); images are float32 [batch, height, "
        "width, 3]. Use --input_layer Mul --input_mean 128 --input_std 128, or leave these out.\n"
    )
    works = ["--input_layer", "Mul", "--input_mean", "128", "--input_std", "128"]
    assert label_image.main([*words, *works]) == 0
    with_flags = capsys.readouterr().out
    assert label_image.main(words) == 0
    assert capsys.readouterr().out == f"{INCEPTION}\n{with_flags}"


@pytest.mark.parametrize("write", [old_graphs.inception_2015, old_graphs.mobilenet_retrained])
def test_feature_maps_deep_dream_and_retrain_take_them_too(
    write: Callable[[Path], Path], photo: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "net.pb")
    assert feature_maps.main([f"--graph={path}", f"--image={photo}", f"--output_dir={tmp_path}"]) == 0
    words = ["--layers=all", "--steps=1", "--octaves=1", f"--output_dir={tmp_path}"]
    assert deep_dream.main([f"--graph={path}", *words]) == 0
    extractor = retraining.load_extractor(str(path))
    mean, std = (128, 128) if write is old_graphs.inception_2015 else (127.5, 127.5)
    size = extractor.image_size
    pixels = np.full((1, size.height, size.width, 3), np.array(COLOUR, np.float32) / 255)
    assert (size.height, extractor.feature_size) == (299 if mean == 128 else 16, 3)
    scaled = (np.array(COLOUR) - mean) / std
    mixed = scaled @ np.array([[1, 0.2, 0], [0, 1, 0.1], [0.3, 0, 1]])
    np.testing.assert_allclose(extractor.extract(pixels)[0], mixed, atol=1e-4)


def _prepared_unlike_any_known_graph() -> None:
    """Prepare an image as tf.image.convert_image_dtype does, and then scale it to [-1, 1]."""
    image = old_graphs.decoded(size=16) * (1 / 255)
    scaled = tf.divide(tf.subtract(image, 0.5), 0.5, name="scaled")
    tf.nn.softmax(tf.reshape(old_graphs.colours(scaled, "conv", "pool"), [1, 3]), name="scores")


def _with_a_mean_of_each_channel() -> None:
    image = old_graphs.decoded(size=16) - tf.constant([123.68, 116.779, 103.939])
    tf.nn.softmax(tf.reshape(old_graphs.colours(image / 100.0, "conv", "pool"), [1, 3]), name="scores")


@pytest.mark.parametrize(
    ("build", "shown"),
    [
        (_prepared_unlike_any_known_graph, "'scaled' (16x16), mean 127.5, std 127.5."),
        (_with_a_mean_of_each_channel, "'ResizeBilinear' (16x16), mean 0, std 1."),
    ],
)
def test_input_of_any_graph_that_decodes_is_read_from_its_ops(
    build: Callable[[], None], shown: str, photo: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = old_graphs.write(tmp_path / "net.pb", build)
    with caplog.at_level("INFO"):
        scores = scores_of(path, photo)
    np.testing.assert_allclose(scores, own_scores(path, "scores"), atol=0.02)
    assert logged(caplog) == [f"Input of the graph: {shown}"]


@pytest.mark.parametrize(
    ("scale", "std"),
    [
        (lambda x: (x - 127.5) / 127.5, 1),
        (lambda x: x * (1 / 255), 1),
        (lambda x: x - tf.constant([123.68, 116.779, 103.939]), 1),
        (lambda x: x * 2.0 - 1.0, 255),
        (lambda x: (x * 255.0 - 128.0) / 128.0, 255),
        (lambda x: tf.nn.relu(x) - 50.0, 255),
    ],
)
def test_placeholder_whose_ops_expect_0_to_255_gets_that(
    scale: Callable[[tf.Tensor], tf.Tensor], std: float, photo: Path, tmp_path: Path
) -> None:
    def build() -> None:
        scaled = scale(tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "data"))
        tf.nn.softmax(tf.reduce_mean(scaled, [1, 2]), name="scores")

    classifier = retraining.load_classifier(old_graphs.write(tmp_path / "net.pb", build))
    assert (classifier.mean, classifier.std) == (0, std)
    assert classifier.predict(photo)[0][0].label == "red"


def test_images_prepared_apart_from_the_network_are_not_its_input(tmp_path: Path) -> None:
    def build() -> None:
        data = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "data")
        tf.nn.softmax(tf.reduce_mean(data, [1, 2]), name="scores")
        tf.multiply(old_graphs.decoded(size=8), 1 / 128, name="prepared")

    path = old_graphs.write(tmp_path / "net.pb", build)
    classifier = retraining.load_classifier(path, output_layer="scores")
    assert (classifier.mean, classifier.std) == (0, 255)
