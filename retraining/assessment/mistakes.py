"""Test images that the model gets wrong, each with the training images that may be the reason."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.answers import Answers
from retraining.data.dataset import Dataset, LabelledImage
from retraining.features.image_vectors import ImageVectors
from retraining.inference.novelty import directions

NEIGHBOURS = 3
MOST = 500  # of the surest ones are described; a page with more is not read


@dataclasses.dataclass(frozen=True)
class Mistake:
    """A test image with the labels that score best, as (label, score in [0, 1]), and its own label's score.

    `nearest` are the training images with the highest cosine of feature vectors, the nearest first.
    """

    image: LabelledImage
    best: tuple[tuple[int, float], ...]
    own_score: float
    nearest: tuple[LabelledImage, ...]


def find(
    dataset: Dataset, answers: Answers, testing: ImageVectors, training: ImageVectors
) -> tuple[Mistake, ...]:
    """Return the test images gone wrong, the surest first, at most MOST of them.

    `answers` are those of the model itself for the images of `testing`.
    """
    (wrong,) = np.nonzero(~answers.is_right)
    if not len(wrong):
        return ()
    scores = np.exp(answers.log_probabilities[wrong])
    surest = np.argsort(-scores[:, 0], kind="stable")[:MOST]
    scores, rows = scores[surest], wrong[surest]
    nearest = _nearest(testing, rows, training)
    return tuple(
        Mistake(
            image=dataset.images[answers.numbers[row]],
            best=tuple(zip(answers.best[row].tolist(), best.tolist(), strict=True)),
            own_score=float(np.exp(answers.own[row])),
            nearest=tuple(dataset.images[number] for number in numbers),
        )
        for row, best, numbers in zip(rows, scores, nearest, strict=True)
    )


def _nearest(testing: ImageVectors, rows: NDArray[np.int64], training: ImageVectors) -> NDArray[np.int64]:
    """Return int64 [n, NEIGHBOURS], the places in the dataset of the nearest training images."""
    wanted = directions(testing.take(rows))
    nearest = np.empty((len(rows), 0), np.int64)
    cosines = np.empty((len(rows), 0), np.float32)
    for block, vectors in training.blocks():
        nearest = np.concatenate([nearest, np.broadcast_to(block, (len(rows), len(block)))], axis=1)
        cosines = np.concatenate([cosines, wanted @ directions(vectors).T], axis=1)
        kept = min(NEIGHBOURS, cosines.shape[1])
        best = np.argpartition(-cosines, kept - 1, axis=1)[:, :kept]
        nearest, cosines = np.take_along_axis(nearest, best, 1), np.take_along_axis(cosines, best, 1)
    order = np.argsort(-cosines, axis=1, kind="stable")
    return training.numbers[np.take_along_axis(nearest, order, 1)]
