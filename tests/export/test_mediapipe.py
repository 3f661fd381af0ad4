"""MediaPipe's ImageClassifier, as applications on phones use it, on the files that are exported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retraining.data import sample_photos
from retraining.export import classifier_graph, tflite
from retraining.export.classifier_graph import ClassifierGraph
from retraining.features.extractor import load_extractor
from retraining.inference import loading
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import ModuleSettings
from retraining.training.softmax_layer import SoftmaxLayer
from tests import novel_images

pytestmark = [
    pytest.mark.soak,
    pytest.mark.filterwarnings("ignore"),  # of libraries that MediaPipe brings along
]

TOLERANCE = 1e-3


@pytest.fixture(scope="module")
def classifier() -> ClassifierGraph:
    """A network with a new layer of random weights, and labels of several scripts."""
    extractor = load_extractor(ModuleSettings("builtin_small"))
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.3, (extractor.feature_size, 3)).astype(np.float32)
    layer = SoftmaxLayer(weights, np.zeros(3, np.float32))
    labels = ("Käfer", "水母", "two words")
    novelty = novel_images.around(weights.T, 0.5)  # which MediaPipe must not mind
    graph = classifier_graph.build(extractor, layer, "final_result", novelty=novelty)
    return ClassifierGraph(graph, labels, extractor.image_size, significant_bits=12, name=extractor.name)


@pytest.fixture(scope="module")
def photos(classifier: ClassifierGraph, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos in the size of the network, since MediaPipe resizes in a way of its own."""
    folder = tmp_path_factory.mktemp("photos")
    sample_photos.write(folder, per_class=4, seed=0)
    size = (classifier.size.width, classifier.size.height)
    for photo in folder.glob("*/*.jpg"):
        Image.open(photo).resize(size).save(photo.with_suffix(".png"))
    return sorted(folder.glob("*/*.png"))


def answers(path: Path, photos: list[Path]) -> list[dict[str, float]]:
    """Return the score of each label of each photo, as MediaPipe gives them."""
    mediapipe = pytest.importorskip("mediapipe")
    from mediapipe.tasks import python
    from mediapipe.tasks.python import vision

    base = python.BaseOptions(model_asset_path=str(path))
    options = vision.ImageClassifierOptions(base_options=base)
    found = []
    with vision.ImageClassifier.create_from_options(options) as runner:
        for photo in photos:
            (head,) = runner.classify(mediapipe.Image.create_from_file(str(photo))).classifications
            found.append({category.category_name: category.score for category in head.categories})
    return found


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_mediapipe_gives_the_labels_and_scores_of_label_image(
    name: str, classifier: ClassifierGraph, photos: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("mediapipe")
    path = tmp_path / "graph.tflite"
    writers: dict[str, Any] = {"float32": tflite.write_float32, "float16": tflite.write_float16}
    reader = classifier.classifier()
    if name == "int8":
        tflite.write_int8(classifier, path, [reader.prepared(photo)[0] for photo in photos])
    else:
        writers[name](classifier, path)
    own = loading.load(GraphSettings(graph=path))
    for mine, theirs in zip(own.predict(photos), answers(path, photos), strict=True):
        assert set(theirs) == set(classifier.labels)
        assert theirs == pytest.approx(dict(mine), abs=TOLERANCE)
