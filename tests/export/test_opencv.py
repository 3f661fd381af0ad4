"""Exported graphs in OpenCV's dnn module: the same answers as TensorFlow's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

import retrain
import retraining
from retraining.data import images, sample_photos
from retraining.export import classifier_graph
from retraining.features.extractor import load_extractor
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import FrozenGraph, forward
from retraining.settings.module import ModuleSettings
from retraining.training.softmax_layer import SoftmaxLayer
from tests import novel_images
from tests.test_retrain import words

# Recorded in the graph, like a detector of unknown images, which OpenCV must not mind.
LABELS = ("daisy", "wild rose", "Löwenzahn", "tulip")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    sample_photos.write(folder, per_class=2, seed=0)
    return sorted(folder.glob("*/*.jpg"))


def classifier(handle: str, *, float32_weights: bool) -> FrozenGraph:
    """Return the graph of a module with a new layer of random weights, for four classes."""
    extractor = load_extractor(ModuleSettings(handle))
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.3, (extractor.feature_size, 4)).astype(np.float32)
    layer = SoftmaxLayer(weights, rng.normal(0, 0.3, 4).astype(np.float32))
    return classifier_graph.build(
        extractor,
        layer,
        "final_result",
        labels=LABELS,
        float32_weights=float32_weights,
        novelty=novel_images.around(weights.T, 0.5),
    )


def opened(graph: FrozenGraph, folder: Path) -> cv2.dnn.Net:
    (folder / "graph.pb").write_bytes(graph_file.encode(graph))
    return cv2.dnn.readNetFromTensorflow(str(folder / "graph.pb"))


@pytest.mark.parametrize(
    ("kind", "float32_weights"), [("builtin_small", True), ("tf2_module", False), ("tf1_hub_module", False)]
)
def test_opencv_gives_the_probabilities_that_tensorflow_gives(
    kind: str, float32_weights: bool, photos: list[Path], request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    handle = kind if kind == "builtin_small" else str(request.getfixturevalue(kind))
    graph = classifier(handle, float32_weights=float32_weights)
    size = load_extractor(ModuleSettings(handle)).image_size
    net = opened(graph, tmp_path)
    run = forward(graph)
    for photo in photos:
        pixels = np.rint(images.decode(photo.read_bytes(), size) * 255).astype(np.uint8)
        net.setInput(cv2.dnn.blobFromImage(np.ascontiguousarray(pixels[..., ::-1]), 1 / 255, swapRB=True))
        expected = run((pixels[np.newaxis] / 255).astype(np.float32))
        np.testing.assert_allclose(net.forward(), expected, atol=1e-5)


def test_half_precision_is_what_opencv_cannot_read(tmp_path: Path) -> None:
    with pytest.raises(cv2.error, match="Const input blob for weights not found"):
        opened(classifier("builtin_small", float32_weights=False), tmp_path)


def test_flag_and_keyword_write_the_same_graph_which_opencv_reads(
    colour_photos: Path, tmp_path: Path
) -> None:
    assert retrain.main(words(colour_photos, tmp_path, "--float32_weights")) == 0
    model = retraining.retrain(
        colour_photos,
        tfhub_module="builtin_small",
        bottleneck_dir=tmp_path / "bottlenecks",
        how_many_training_steps=400,
    )
    single = model.export(tmp_path / "single.pb", float32_weights=True)
    assert single.read_bytes() == (tmp_path / "graph.pb").read_bytes()
    assert cv2.dnn.readNetFromTensorflow(str(single)).getLayerNames()[-1] == "final_result"
    half = model.export(tmp_path / "half.pb")
    assert 1.9 < single.stat().st_size / half.stat().st_size < 2
