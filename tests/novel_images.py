"""A toy classifier that tells images unlike any class: its network, its detector, and images."""

from __future__ import annotations

import numpy as np

from retraining.export import classifier_graph
from retraining.export.classifier_graph import ClassifierGraph
from retraining.features.extractor import FeatureExtractor
from retraining.inference.novelty import NoveltyDetector
from retraining.training.softmax_layer import SoftmaxLayer
from tests import toy_networks

LABELS = ("ant", "bee", "Käfer")
FEATURES = 12


def images(count: int, seed: int = 1) -> list[np.ndarray]:
    """Return images of one colour each with noise, as files have them: uint8 [16, 16, 3]."""
    rng = np.random.default_rng(seed)
    size = toy_networks.SIZE
    colours = rng.integers(0, 200, (count, 1, 1, 3))
    return list((colours + rng.integers(0, 55, (count, size, size, 3))).astype(np.uint8))


def extractor() -> FeatureExtractor:
    return toy_networks.extractor(toy_networks.residual, feature_size=FEATURES)


def layer() -> SoftmaxLayer:
    weights = np.random.default_rng(0).normal(size=(FEATURES, len(LABELS))).astype(np.float32)
    return SoftmaxLayer(weights, np.zeros(len(LABELS), np.float32))


def detector(network: FeatureExtractor) -> NoveltyDetector:
    """Return the detector of the classes that three images each stand for."""
    vectors = network.extract(np.stack(images(3 * len(LABELS), seed=0)).astype(np.float32) / np.float32(255))
    return around(vectors.reshape(len(LABELS), 3, -1).mean(1), 0.004)


def around(means: np.ndarray, furthest: float) -> NoveltyDetector:
    """Return the detector of classes around means float32 [classes, features], `furthest` from 0 to 2."""
    directions = means / np.linalg.norm(means, axis=1, keepdims=True)
    # In the precision in which they are stored.
    stored = directions.astype(np.float16).astype(np.float32)
    return NoveltyDetector(stored, np.linspace(0, furthest, 21).astype(np.float32))


def classifier(network: FeatureExtractor, novelty: NoveltyDetector | None) -> ClassifierGraph:
    frozen = classifier_graph.build(network, layer(), "final_result", labels=LABELS, novelty=novelty)
    return ClassifierGraph(frozen, LABELS, network.image_size, name="toy")
