"""Layers trained in fewer, larger steps: they must be as sure as the layer that they stand for."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.arrays import Batch
from retraining.assessment import layers
from retraining.features.image_vectors import ImageVectors
from retraining.training.softmax_layer import gradient_step, initial_layer

STEPS, RATE = 500, 0.01


@pytest.mark.parametrize("length", [0, 1, 20, 100])
def test_layer_is_as_sure_as_the_one_of_a_training_however_long_the_vectors(length: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 3
    vectors = rng.random((200, 16), np.float32) + np.eye(3, 16, dtype=np.float32)[labels]
    vectors *= length / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = initial_layer(16, 3, rng)
    for _ in range(STEPS):
        rows = rng.integers(200, size=100)
        expected = gradient_step(expected, Batch(vectors[rows], labels[rows]), RATE).layer
    images = ImageVectors(np.arange(200), labels, (vectors,))
    (found,) = layers.train(images, np.ones((200, 1), bool), 3, steps=STEPS, learning_rate=RATE, seed=0)
    sizes = [np.abs(layer.weights).mean() for layer in (found, expected)]
    assert sizes[0] == pytest.approx(sizes[1], rel=0.15 if length else 0.5)
