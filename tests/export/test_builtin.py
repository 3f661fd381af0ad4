"""The classifier of the built-in network, in every form that it is exported to: small, and always the same answers."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import label_image
import retraining
from retraining.arrays import ImageSize
from retraining.data import images, sample_photos
from retraining.graphs.quiet_tensorflow import tf
from retraining.model import RetrainedModel

LARGEST_DIFFERENCE = 1e-3


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("builtin")
    sample_photos.write(folder / "photos", per_class=4, seed=0)
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> RetrainedModel:
    model = retraining.retrain(
        folder / "photos", bottleneck_dir=folder / "bottlenecks", how_many_training_steps=100
    )
    model.export(folder / "graph.pb")
    model.export(folder / "float32.pb", float32_weights=True)
    model.export(folder / "saved_model", format="saved_model")
    return model


@pytest.fixture(scope="module")
def photo(folder: Path) -> Path:
    return folder / "photos" / "tulip" / "tulip_0001.jpg"


@pytest.fixture(scope="module")
def pixels(photo: Path) -> np.ndarray:
    """A photo as the network takes it, in whole numbers so that OpenCV gets the same ones."""
    exact = images.decode(photo.read_bytes(), ImageSize(224, 224))
    return np.rint(exact * 255).astype(np.uint8)


@pytest.fixture(scope="module")
def expected(model: RetrainedModel, pixels: np.ndarray) -> np.ndarray:
    scores = dict(model.predict([pixels])[0])
    return np.array([scores[label] for label in model.labels])


def test_graph_takes_less_than_four_and_a_half_megabytes(model: RetrainedModel, folder: Path) -> None:
    assert model.extractor.name == "efficientnet_lite0"
    assert 3.5e6 < (folder / "graph.pb").stat().st_size < 4.5e6
    assert 13e6 < (folder / "float32.pb").stat().st_size < 14e6


@pytest.mark.parametrize("name", ["graph.pb", "float32.pb"])
def test_tensorflows_own_sample_gets_the_answers_of_the_classifier(
    name: str, folder: Path, pixels: np.ndarray, expected: np.ndarray
) -> None:
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(tf.compat.v1.GraphDef.FromString((folder / name).read_bytes()))
    with tf.compat.v1.Session(graph=graph) as session:
        given = {"import/Placeholder:0": pixels[np.newaxis] / np.float32(255)}
        (scores,) = session.run("import/final_result:0", given)
    np.testing.assert_allclose(scores, expected, atol=LARGEST_DIFFERENCE)


def test_opencv_gets_the_answers_of_the_classifier_from_the_float32_form(
    model: RetrainedModel, folder: Path, pixels: np.ndarray, expected: np.ndarray
) -> None:
    assert model.labels
    net = cv2.dnn.readNetFromTensorflow(str(folder / "float32.pb"))
    net.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(pixels[..., ::-1]), 1 / 255, swapRB=True))
    np.testing.assert_allclose(net.forward()[0], expected, atol=LARGEST_DIFFERENCE)


def test_label_image_reads_graph_and_saved_model(
    model: RetrainedModel, folder: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (best,) = model.predict([photo], best=5)
    for name in ("graph.pb", "saved_model"):
        labels = folder / "graph_labels.txt"
        assert (
            label_image.main(["--graph", f"{folder / name}", "--labels", f"{labels}", "--image", f"{photo}"])
            == 0
        )
        lines = [line.split() for line in capsys.readouterr().out.splitlines()]
        assert [label for label, _ in lines] == [label for label, _ in best]
        np.testing.assert_allclose(
            [float(score) for _, score in lines], [score for _, score in best], atol=LARGEST_DIFFERENCE
        )
