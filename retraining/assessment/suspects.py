"""Images whose label is probably wrong."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.scored import Scored
from retraining.data.dataset import LabelledImage
from retraining.features.bottleneck_sets import Bottlenecks

# How many times as likely another class is. Measured by `python -m benchmarks label_errors`: of photos whose
# labels are right by far the most, few are listed, and of those that are wrong, most.
ODDS = 5.0

_IMAGES_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True)
class Suspect:
    """An image whose label may be wrong: the class it looks more like, and the scores of both in [0, 1].

    `digest` is the SHA-256 of its file.
    """

    image: LabelledImage
    digest: bytes
    suggested: int
    own_score: float
    suggested_score: float


@dataclasses.dataclass(frozen=True)
class Doubts:
    """Of each judged image, the likeliest other class, int64 [n], and the logarithm of its odds, float32 [n].

    The odds are how many times as likely that class is as the image's own.
    """

    others: NDArray[np.int64]
    log_odds: NDArray[np.float32]

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The rows of all images, int64 [n], the most suspect label first."""
        return np.argsort(-self.log_odds, kind="stable")

    @property
    def count(self) -> int:
        """How many of them, from the first on, are to be looked at."""
        return int((self.log_odds > math.log(ODDS)).sum())


def find(bottlenecks: Bottlenecks, judged: Scored) -> tuple[Suspect, ...]:
    """Return the images to look at among those that layers have judged unseen, the surest mistakes first.

    They are those of which another class is ODDS times as likely as their own.
    """
    found = doubts(judged)
    return tuple(
        _suspect(bottlenecks, judged, row, int(found.others[row]))
        for row in found.ranked[: found.count].tolist()
    )


def doubts(judged: Scored) -> Doubts:
    """Return how much each image looks like another class than its own."""
    others = np.zeros(len(judged), np.int64)
    log_odds = np.full(len(judged), -np.inf, np.float32)
    for start in range(0, len(judged), _IMAGES_AT_ONCE):
        block = slice(start, start + _IMAGES_AT_ONCE)
        scores = judged.log_probabilities[block].copy()
        rows, labels = np.arange(len(scores)), judged.labels[block]
        own = scores[rows, labels]
        scores[rows, labels] = -np.inf
        others[block] = scores.argmax(axis=1)
        log_odds[block] = scores.max(axis=1) - own
    return Doubts(others, log_odds)


def _suspect(bottlenecks: Bottlenecks, judged: Scored, row: int, other: int) -> Suspect:
    number, label = judged.numbers[row], judged.labels[row]
    own_score, suggested_score = np.exp(judged.log_probabilities[row, [label, other]]).tolist()
    return Suspect(
        bottlenecks.dataset.images[number], bottlenecks.digests[number], other, own_score, suggested_score
    )
