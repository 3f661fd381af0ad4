"""Images with the scores of a layer that has not seen them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels

# Of more images, a sample is scored: what is told by it, such as a temperature, would hardly change.
MOST_IMAGES = 50_000
_MOST_SCORES = 20_000_000  # of all classes: 80 MB

_IMAGES_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True)
class Scored:
    """Images, and what layers that were not trained on them make of them.

    `numbers` int64 [n] are the images' places in the dataset, `labels` int64 [n] the classes that their
    folders say, and `log_probabilities` float32 [n, classes].
    """

    numbers: NDArray[np.int64]
    labels: Labels
    log_probabilities: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.numbers)

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield all rows and their log probabilities, a block at a time."""
        for start in range(0, len(self), _IMAGES_AT_ONCE):
            rows = np.arange(start, min(start + _IMAGES_AT_ONCE, len(self)))
            yield rows, self.log_probabilities[rows]


def most_images(classes: int) -> int:
    """Return how many images are scored at most, so that their scores for so many classes fit in memory."""
    return max(1, min(MOST_IMAGES, _MOST_SCORES // classes))
