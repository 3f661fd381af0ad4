"""Scores for every image by layers that have not seen it, from feature vectors that are there already."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.assessment import folds, layers
from retraining.assessment.scored import Scored
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import Groups
from retraining.settings.training import TrainingSettings


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """What layers make of images that they were not trained on.

    `held_in` are the training and validation images, each scored by the one of FOLDS layers that has not seen
    it, and `folds` int64 [n] which one that is. `testing` are the test images, which no layer has seen, with
    the mean probabilities of all layers.
    """

    held_in: Scored
    folds: NDArray[np.int64]
    testing: Scored


def cross_validate(
    bottlenecks: Bottlenecks, settings: TrainingSettings, near: Groups = ()
) -> CrossValidation:
    """Return the scores of all images; `near` are groups of files that show nearly the same.

    A layer is trained for as long as `settings` say. The test images are not used to train any, so that
    whatever is chosen by these scores can still be tested on them.
    """
    dataset = bottlenecks.dataset
    known = ImageVectors.of_sets(bottlenecks, Split.TRAINING, Split.VALIDATION)
    testing = ImageVectors.of_sets(bottlenecks, Split.TESTING)
    fold_of = folds.deal(
        [dataset.images[number] for number in known.numbers],
        [bottlenecks.digests[number] for number in known.numbers],
        near,
    )
    trained = layers.train(
        known,
        fold_of[:, np.newaxis] != np.arange(folds.FOLDS),
        len(dataset.labels),
        steps=settings.how_many_training_steps,
        learning_rate=settings.learning_rate,
        seed=settings.seed,
    )
    scores = np.empty((len(known), len(dataset.labels)), np.float32)
    for rows, vectors in known.blocks():
        for fold, layer in enumerate(trained):
            here = fold_of[rows] == fold
            scores[rows[here]] = layer.log_probabilities(vectors[here])
    tested = np.empty((len(testing), len(dataset.labels)), np.float32)
    for rows, vectors in testing.blocks():
        tested[rows] = np.log(np.mean([layer.probabilities(vectors) for layer in trained], axis=0))
    return CrossValidation(
        Scored(known.numbers, known.labels, scores), fold_of, Scored(testing.numbers, testing.labels, tested)
    )
