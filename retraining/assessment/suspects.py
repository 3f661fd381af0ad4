"""Images whose label is probably wrong."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.data.dataset import LabelledImage
from retraining.features.bottleneck_sets import Bottlenecks

# How many times as likely another class is. Measured by `python -m benchmarks label_errors`: of photos whose
# labels are right by far the most, few are listed, and of those that are wrong, most.
ODDS = 5.0


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


class Judged(Protocol):
    """Images that layers judge which have not seen them, a block at a time."""

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The places of the images in the dataset, int64 [n]."""

    @property
    def labels(self) -> Labels:
        """The classes that the folders of the images say, int64 [n]."""

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
        """Yield all rows and their log probabilities, float32 [.., classes], a block at a time."""


@dataclasses.dataclass(frozen=True)
class Doubts:
    """Of each judged image, the likeliest other class, int64 [n], and the log probabilities of both classes.

    `own` is that of the image's own class and `other` that of the other one, float32 [n].
    """

    others: NDArray[np.int64]
    own: NDArray[np.float32]
    other: NDArray[np.float32]

    @property
    def log_odds(self) -> NDArray[np.float32]:
        """The logarithms of how many times as likely the other class is as the image's own, float32 [n]."""
        odds: NDArray[np.float32] = self.other - self.own
        return odds

    @property
    def ranked(self) -> NDArray[np.int64]:
        """The rows of all images, int64 [n], the most suspect label first."""
        return np.argsort(-self.log_odds, kind="stable")

    @property
    def count(self) -> int:
        """How many of them, from the first on, are to be looked at."""
        return int((self.log_odds > math.log(ODDS)).sum())


def find(bottlenecks: Bottlenecks, judged: Judged) -> tuple[Suspect, ...]:
    """Return the images to look at among those that layers have judged unseen, the surest mistakes first.

    They are those of which another class is ODDS times as likely as their own.
    """
    found = doubts(judged)
    return tuple(
        _suspect(bottlenecks, int(judged.numbers[row]), found, row)
        for row in found.ranked[: found.count].tolist()
    )


def doubts(judged: Judged) -> Doubts:
    """Return how much each image looks like another class than its own."""
    count = len(judged.labels)
    others, own = np.zeros(count, np.int64), np.zeros(count, np.float32)
    other = np.full(count, -np.inf, np.float32)
    for block, given in judged.blocks():
        scores = given.copy()
        rows, labels = np.arange(len(scores)), judged.labels[block]
        own[block] = scores[rows, labels]
        scores[rows, labels] = -np.inf
        others[block] = scores.argmax(axis=1)
        other[block] = scores.max(axis=1)
    return Doubts(others, own, other)


def _suspect(bottlenecks: Bottlenecks, number: int, found: Doubts, row: int) -> Suspect:
    own_score, suggested_score = np.exp([found.own[row], found.other[row]]).tolist()
    return Suspect(
        bottlenecks.dataset.images[number],
        bottlenecks.digests[number],
        int(found.others[row]),
        own_score,
        suggested_score,
    )
