"""Test images that the model gets wrong, each with the training images that may be the reason."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors
from retraining.assessment.scored import Scored
from retraining.data.dataset import Dataset, LabelledImage
from retraining.features.image_vectors import ImageVectors

NEIGHBOURS = 3
MOST = 500  # of the surest ones are described; a page with more is not read


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A test image with the labels that score best, as (label, score in [0, 1]), and its own label's score.

    `nearest` are the training images with the highest cosine of feature vectors, the nearest first.
    """

    image: LabelledImage
    best: tuple[tuple[int, float], ...]
    own_score: float
    nearest: tuple[LabelledImage, ...]


def find(
    dataset: Dataset, scored: Scored, testing: ImageVectors, training: ImageVectors
) -> tuple[Mistake, ...]:
    """Return the test images gone wrong, the surest first, at most MOST of them.

    `scored` are the images of `testing`, by the model itself.
    """
    scores = np.exp(scored.log_probabilities)
    if not len(scored):
        return ()
    (wrong,) = np.nonzero(scores.argmax(axis=1) != scored.labels)
    surest = wrong[np.argsort(-scores[wrong].max(axis=1), kind="stable")][:MOST]
    nearest = _nearest(testing, surest, training)
    best = np.argsort(-scores[surest], axis=1, kind="stable")[:, :3]
    return tuple(
        Mistake(
            image=dataset.images[scored.numbers[row]],
            best=tuple((int(label), float(scores[row, label])) for label in labels),
            own_score=float(scores[row, scored.labels[row]]),
            nearest=tuple(dataset.images[number] for number in numbers),
        )
        for row, labels, numbers in zip(surest, best, nearest, strict=True)
    )


def _nearest(testing: ImageVectors, rows: NDArray[np.int64], training: ImageVectors) -> NDArray[np.int64]:
    """Return int64 [n, NEIGHBOURS], the places in the dataset of the nearest training images."""
    wanted = _directions(testing.take(rows))
    cosines = np.empty((len(rows), len(training)), np.float32)
    for block, vectors in training.blocks():
        cosines[:, block] = wanted @ _directions(vectors).T
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :NEIGHBOURS]
    return training.numbers[order]


def _directions(vectors: Vectors) -> Vectors:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
    return unit
