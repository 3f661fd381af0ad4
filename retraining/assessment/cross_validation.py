"""Scores for every image by layers that have not seen it, from feature vectors that are there already."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.assessment import folds, layers
from retraining.assessment.judges import Judges
from retraining.assessment.scored import Scored, most_images
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import Groups
from retraining.settings.training import TrainingSettings

# Steps times learning rate after which wrong labels show best, for each class. Later, layers learn them too:
# measured by `python -m benchmarks label_errors`.
_EARLY = 1.0
# Multiplications that take about half a minute. Beyond, two layers do for what FOLDS would: of wrong labels
# they find as many where each still learns from enough images of a class.
_MOST_WORK = 5e11
_FEWER_FOLDS = 2
_ENOUGH_OF_A_CLASS = 100

_LEAST_STEPS = TrainingSettings.how_many_training_steps  # that may be taken for that, however few are trained


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """What layers make of images that they were not trained on.

    `folds` int64 [n] says of the training and validation images which one of FOLDS layers has not seen each.
    `held_in` are those images, or a sample if they are many, with its scores. `judges` judge the images of
    all sets: layers that were stopped early and so have not learnt wrong labels by heart.

    A layer that has seen no image of a class cannot tell it: if none has, all scores of an image are equal.
    """

    held_in: Scored
    folds: NDArray[np.int64]
    judges: Judges


def cross_validate(
    bottlenecks: Bottlenecks, settings: TrainingSettings, near: Groups = ()
) -> CrossValidation:
    """Return the scores of all images; `near` are groups of files that show nearly the same.

    Layers are trained for as long as `settings` say. The test images are not used to train any, so that
    whatever is chosen by these scores can still be tested on them.
    """
    classes, steps = len(bottlenecks.dataset.labels), settings.how_many_training_steps
    known = ImageVectors.of_sets(bottlenecks, Split.TRAINING, Split.VALIDATION)
    everything = ImageVectors.of_sets(bottlenecks, Split.TRAINING, Split.VALIDATION, Split.TESTING)
    images = [bottlenecks.dataset.images[number] for number in everything.numbers]
    groups = folds.groups(images, [bottlenecks.digests[number] for number in everything.numbers], near)
    count = _how_many_folds(known, classes, settings)
    fold_of = folds.deal(known.labels.tolist(), groups[: len(known)], folds=count)
    is_unseen = _is_unseen(groups, fold_of, count)
    is_used = ~is_unseen[: len(known)]
    can_judge = is_unseen & _knows(is_used, known.labels, classes)[:, everything.labels].T
    early = max(1, round(min(max(steps, _LEAST_STEPS), _EARLY * classes / settings.learning_rate)))
    ends = sorted({early, steps})
    stages = layers.stages(
        known, is_used, classes, steps=ends, learning_rate=settings.learning_rate, seed=settings.seed
    )
    trained = dict(zip(ends, stages, strict=True))
    judges = Judges(trained[early], everything, can_judge)
    held_in = judges if early == steps else Judges(trained[steps], known, can_judge[: len(known)])
    sample = known.sample(bottlenecks.digests, most_images(classes))
    if len(sample) < len(known):
        held_in = held_in.only(sample)
    return CrossValidation(held_in.first(len(sample)), fold_of, judges)


def _how_many_folds(known: ImageVectors, classes: int, settings: TrainingSettings) -> int:
    """Return how many layers there is time for."""
    takes_long = layers.work(known, folds.FOLDS, classes, settings) > _MOST_WORK
    return _FEWER_FOLDS if takes_long and len(known) >= _ENOUGH_OF_A_CLASS * classes else folds.FOLDS


def _is_unseen(groups: list[folds.Group], fold_of: NDArray[np.int64], count: int) -> NDArray[np.bool_]:
    """Return bool [n, count], whether the layer of a fold has seen neither an image nor a copy of it.

    `groups` of the images, of which those at the end, the test images, are in no fold.
    """
    known = dict(zip(groups, fold_of.tolist(), strict=False))
    own = np.array([known.get(group, -1) for group in groups], np.int64)[:, np.newaxis]
    is_unseen: NDArray[np.bool_] = (own == np.arange(count)) | (own < 0)
    return is_unseen


def _knows(is_used: NDArray[np.bool_], labels: Labels, classes: int) -> NDArray[np.bool_]:
    """Return bool [layers, classes], whether a layer has images of a class."""
    found = np.zeros((is_used.shape[1], classes), bool)
    for layer, used in enumerate(is_used.T):
        found[layer, labels[used]] = True
    return found
