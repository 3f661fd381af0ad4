"""Array types that the whole package uses, and the size of an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.float32]
"""One image [height, width, 3] or several [n, height, width, 3]: red, green, blue in [0, 1]."""

Vectors = NDArray[np.float32]
"""Feature vectors ("bottlenecks") [n, feature_size], one row per image."""

Labels = NDArray[np.int64]
"""Class indices [n], one per image."""

Probabilities = NDArray[np.float32]
"""Class probabilities [n, classes], each row summing to 1."""

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""A network: from a batch of inputs to a batch of outputs."""


@dataclasses.dataclass(frozen=True)
class ImageSize:
    """Height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


@dataclasses.dataclass(frozen=True)
class Batch:
    """Feature vectors float32 [n, feature_size] and their labels int64 [n]."""

    vectors: Vectors
    labels: Labels
