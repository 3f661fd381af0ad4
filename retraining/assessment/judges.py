"""Layers that judge images which they have not seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.assessment.layers import Layers
from retraining.assessment.scored import Scored
from retraining.features.image_vectors import ImageVectors


@dataclasses.dataclass(frozen=True)
class Judges:
    """Layers, and images; `can_judge`, bool [n, layers], says which layers can judge an image.

    An image has the mean probabilities of those. If there is none, all of its scores are equal.
    """

    layers: Layers
    images: ImageVectors
    can_judge: NDArray[np.bool_]

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The places of the images in the dataset, int64 [n]."""
        return self.images.numbers

    @property
    def labels(self) -> Labels:
        """The classes that the folders of the images say, int64 [n]."""
        return self.images.labels

    def __len__(self) -> int:
        return len(self.images)

    def only(self, rows: NDArray[np.int64]) -> Judges:
        """Return the judges of only these images."""
        return Judges(self.layers, self.images.only(rows), self.can_judge[rows])

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield all rows and their log probabilities, float32 [.., classes], a block at a time."""
        for rows, vectors in self.images.blocks():
            can_judge = self.can_judge[rows]
            found = np.full((len(rows), len(self.layers[0].biases)), -np.inf, np.float32)
            for layer, judges in zip(self.layers, can_judge.T, strict=True):
                # By logarithms, since a probability may be too small for a number.
                found[judges] = np.logaddexp(found[judges], layer.log_probabilities(vectors[judges]))
            yield rows, _mean(found, can_judge.sum(axis=1))

    def first(self, count: int) -> Scored:
        """Return the first images with their scores."""
        found = np.empty((count, len(self.layers[0].biases)), np.float32)
        for rows, scores in self.blocks():
            if rows[0] >= count:
                break
            found[rows[0] : rows[-1] + 1] = scores[: count - rows[0]]
        return Scored(self.numbers[:count], self.labels[:count], found)


def _mean(added: NDArray[np.float32], judges: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the log probabilities of images that so many layers have judged."""
    added[judges == 0] = 0
    added -= np.log(np.where(judges, judges, added.shape[1])).astype(np.float32)[:, np.newaxis]
    return added
