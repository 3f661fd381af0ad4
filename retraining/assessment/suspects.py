"""Images whose label is probably wrong."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.assessment.scored import Scored
from retraining.data.dataset import LabelledImage
from retraining.features.bottleneck_sets import Bottlenecks


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


def find(bottlenecks: Bottlenecks, judged: Scored) -> tuple[Suspect, ...]:
    """Return the images to look at among those that layers have judged unseen, the surest mistakes first.

    How many: those off the diagonal of the confident joint, which counts images that are as sure of another
    class as images of that class are on average. Which: those with the lowest score of their own class.
    Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 70, 2021.
    """
    labels, scores = judged.labels, np.exp(judged.log_probabilities)
    found = []
    for row in ranked(scores, labels)[: confident_errors(scores, labels)].tolist():
        suggested = int(scores[row].argmax())
        if suggested != labels[row]:
            number = judged.numbers[row]
            image, digest = bottlenecks.dataset.images[number], bottlenecks.digests[number]
            own, other = float(scores[row, labels[row]]), float(scores[row, suggested])
            found.append(Suspect(image, digest, suggested, own, other))
    return tuple(found)


def ranked(scores: NDArray[np.float32], labels: Labels) -> NDArray[np.int64]:
    """Return int64 [n], all rows of scores float32 [n, classes], the most suspect label first."""
    return np.argsort(scores[np.arange(len(labels)), labels], kind="stable")


def confident_errors(scores: NDArray[np.float32], labels: Labels) -> int:
    """Return how many labels the confident joint counts as wrong."""
    classes = scores.shape[1]
    own = scores[np.arange(len(labels)), labels]
    least = np.full(classes, np.inf)
    for label in np.unique(labels):
        least[label] = own[labels == label].mean()
    sure = np.where(scores >= least, scores, -1)
    return int(((sure.max(axis=1) >= 0) & (sure.argmax(axis=1) != labels)).sum())
