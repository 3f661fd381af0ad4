"""Images with the scores of a layer that has not seen them."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels


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
