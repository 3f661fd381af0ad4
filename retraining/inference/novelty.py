"""How unlike the images of its classes an image looks to a classifier, by its feature vector."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors

# Images of the classes that are called unknown by mistake, as a share.
FALSE_ALARMS = 0.05

_HEADER = struct.Struct("<4sIII")  # kind, centres, feature size, number of quantiles
_KIND = b"NOV1"
_LONGEST = 1.01  # that half precision makes of a direction


@dataclasses.dataclass(frozen=True)
class NoveltyDetector:
    """The classes as directions in feature space, and how far from them images of the classes are.

    `centres` are float32 [k * classes, feature_size], the k of each class together, each of length 1 and
    rounded to half precision; one is 0 if there was no image for it. `quantiles` are float32 [m], ascending:
    the shares 0, 1/(m-1), ..., 1 of images of the classes, not used for the centres, are no further away.
    """

    centres: NDArray[np.float32]
    quantiles: NDArray[np.float32]

    def distances(self, vectors: Vectors, hidden: NDArray[np.bool_] | None = None) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 2]: 1 minus the cosine with the nearest centre; 1 for zeros.

        `hidden`, bool [n, k * classes], are centres that are not there for a vector.
        """
        cosines: NDArray[np.float32] = directions(vectors) @ self.centres.T
        if hidden is not None:
            cosines[hidden] = -1
        distances: NDArray[np.float32] = np.clip(1 - cosines.max(axis=1), 0, 2)
        return distances

    def shares(self, distances: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 1]: the share of images of the classes that are nearer than these."""
        levels = np.linspace(0, 1, len(self.quantiles))
        return np.interp(distances, self.quantiles, levels).astype(np.float32)

    def novelty(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 1]: the share of images of the classes that are less unlike them.

        An image with more than 1 - FALSE_ALARMS is called unknown.
        """
        return self.shares(self.distances(vectors))

    def encode(self) -> bytes:
        """Return the detector as bytes, the centres in half precision."""
        count, width = self.centres.shape
        header = _HEADER.pack(_KIND, count, width, len(self.quantiles))
        return header + self.centres.astype("<f2").tobytes() + self.quantiles.astype("<f4").tobytes()

    @classmethod
    def decode(cls, content: bytes) -> NoveltyDetector:
        """Return the detector that `encode` wrote. Raises ValueError if it did not."""
        if len(content) < _HEADER.size:
            raise ValueError("shorter than the header of a detector")
        kind, rows, width, count = _HEADER.unpack_from(content)
        split = _HEADER.size + 2 * rows * width
        if kind != _KIND or not (rows and width and count > 1) or len(content) != split + 4 * count:
            raise ValueError("not a detector: its header does not fit its content")
        centres = np.frombuffer(content, "<f2", rows * width, _HEADER.size).astype(np.float32)
        quantiles = np.frombuffer(content, "<f4", count, split).astype(np.float32)
        centres = centres.reshape(rows, width)
        # Written so that NaN also fails.
        if not (np.square(centres).sum(axis=1) <= _LONGEST).all():
            raise ValueError("not a detector: a centre is longer than 1")
        if not (np.isfinite(quantiles).all() and (quantiles[1:] >= quantiles[:-1]).all()):
            raise ValueError("not a detector: the quantiles do not ascend")
        return cls(centres, quantiles)


def directions(vectors: Vectors) -> Vectors:
    """Return vectors float32 [n, feature_size] scaled to length 1; zeros if one is 0 or not finite."""
    largest = np.abs(vectors).max(axis=1, keepdims=True, initial=0)
    usable = np.isfinite(largest) & (largest > 0)
    # By the largest number first: the square of a large one is infinite, that of a small one 0.
    scaled = np.divide(vectors, largest, out=np.zeros_like(vectors), where=usable)
    unit: Vectors = np.divide(scaled, np.linalg.norm(scaled, axis=1, keepdims=True), out=scaled, where=usable)
    return unit
