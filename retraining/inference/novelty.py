"""How unlike the images of its classes an image looks to a classifier, by its feature vector."""

from __future__ import annotations

import dataclasses
import struct

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors

# Images of the classes that are called unknown by mistake, as a share.
FALSE_ALARMS = 0.05

_HEADER = struct.Struct("<4sIII")  # kind, classes, feature size, number of quantiles
_KIND = b"NOV1"


@dataclasses.dataclass(frozen=True)
class NoveltyDetector:
    """The classes as directions in feature space, and how far from them images of the classes are.

    `means` are float32 [classes, feature_size], each of length 1. `quantiles` are float32 [k], ascending: the
    shares 0, 1/(k-1), ..., 1 of images of the classes, not used for the means, are no further away.
    """

    means: NDArray[np.float32]
    quantiles: NDArray[np.float32]

    def distances(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 2]: 1 minus the cosine with the nearest class."""
        lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
        directions = np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0)
        distances: NDArray[np.float32] = 1 - (directions @ self.means.T).max(axis=1)
        return distances

    def novelty(self, vectors: Vectors) -> NDArray[np.float32]:
        """Return float32 [n] in [0, 1]: the share of images of the classes that are less unlike them.

        An image with more than 1 - FALSE_ALARMS is called unknown.
        """
        shares = np.linspace(0, 1, len(self.quantiles))
        found: NDArray[np.float32] = np.interp(self.distances(vectors), self.quantiles, shares).astype(
            np.float32
        )
        return found

    def encode(self) -> bytes:
        """Return the detector as bytes, the means rounded to half precision."""
        classes, width = self.means.shape
        header = _HEADER.pack(_KIND, classes, width, len(self.quantiles))
        return header + self.means.astype("<f2").tobytes() + self.quantiles.astype("<f4").tobytes()

    @classmethod
    def decode(cls, content: bytes) -> NoveltyDetector:
        """Return the detector that `encode` wrote. Raises ValueError if it did not."""
        if len(content) < _HEADER.size:
            raise ValueError("cut short")
        kind, classes, width, count = _HEADER.unpack_from(content)
        split = _HEADER.size + 2 * classes * width
        if kind != _KIND or len(content) != split + 4 * count:
            raise ValueError("no detector")
        means = np.frombuffer(content, "<f2", classes * width, _HEADER.size).astype(np.float32)
        quantiles = np.frombuffer(content, "<f4", count, split).astype(np.float32)
        return cls(means.reshape(classes, width), quantiles)
