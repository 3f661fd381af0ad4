"""Fits the detector of images that are unlike any class, and tells how well it does."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels, Vectors
from retraining.features.image_vectors import ImageVectors
from retraining.inference.novelty import FALSE_ALARMS, NoveltyDetector

_QUANTILES = 201


@dataclasses.dataclass(frozen=True)
class LeftOutClass:
    """A class taken for something unknown: the share in [0, 1] of its images that are called unknown then."""

    label: int
    caught: float


@dataclasses.dataclass(frozen=True)
class NoveltyCheck:
    """How well images of no class would be told apart.

    `test_novelty` float32 [n] in [0, 1] is that of the test images, which the detector has not seen; those
    above 1 - FALSE_ALARMS are false alarms. `left_out` has each class that was taken for something unknown:
    harder to tell than most things that are no class at all.
    """

    test_novelty: NDArray[np.float32]
    left_out: tuple[LeftOutClass, ...]

    @property
    def false_alarms(self) -> float:
        """The share in [0, 1] of the test images that are called unknown; NaN if there are none."""
        above = self.test_novelty > 1 - FALSE_ALARMS
        return float(above.mean()) if len(above) else float("nan")


def fit(known: ImageVectors, folds: NDArray[np.int64], classes: int) -> NoveltyDetector:
    """Return the detector of the classes of images, whose folds, int64 [n], are those of cross-validation.

    The distances that its quantiles tell are from means that the image itself is not part of.
    """
    count = int(folds.max()) + 1
    sums = np.zeros((count, classes, known.feature_size))
    for rows, vectors in known.blocks():
        np.add.at(sums, (folds[rows], known.labels[rows]), vectors)
    distances = np.empty(len(known), np.float32)
    without = [
        NoveltyDetector(_unit(sums.sum(0) - sums[fold]), np.zeros(1, np.float32)) for fold in range(count)
    ]
    for rows, vectors in known.blocks():
        for fold, detector in enumerate(without):
            here = folds[rows] == fold
            distances[rows[here]] = detector.distances(vectors[here])
    quantiles = np.quantile(distances, np.linspace(0, 1, _QUANTILES)).astype(np.float32)
    return NoveltyDetector(_unit(sums.sum(0)), quantiles)


def check(detector: NoveltyDetector, testing: Vectors, labels: Labels) -> NoveltyCheck:
    """Return how well a detector does on test images float32 [n, feature_size] with labels int64 [n]."""
    found = []
    for label in np.unique(labels).tolist():
        others = NoveltyDetector(np.delete(detector.means, label, axis=0), detector.quantiles)
        caught = others.novelty(testing[labels == label]) > 1 - FALSE_ALARMS
        found.append(LeftOutClass(label, float(caught.mean())))
    return NoveltyCheck(detector.novelty(testing), tuple(found))


def _unit(sums: NDArray[np.float64]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    unit: NDArray[np.float32] = np.divide(sums, lengths, out=np.zeros_like(sums), where=lengths > 0).astype(
        np.float32
    )
    return unit
