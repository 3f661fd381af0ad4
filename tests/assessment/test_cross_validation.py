"""Scores for every image by layers that have not seen it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retraining.assessment import layers
from retraining.assessment.cross_validation import CrossValidation, cross_validate
from retraining.assessment.scored import Scored
from retraining.data.split import Split
from retraining.features import image_vectors
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import Groups
from retraining.settings.training import TrainingSettings
from tests.assessment import blobs

SETTINGS = TrainingSettings(how_many_training_steps=400)


def _judged(images: Bottlenecks, near: Groups = ()) -> Scored:
    judges = cross_validate(images, SETTINGS, near).judges
    return judges.first(len(judges))


def _accuracy(found: CrossValidation) -> float:
    judged = found.judges.first(len(found.judges))
    return float(np.mean(judged.log_probabilities.argmax(1) == judged.labels))


def _are_equal(one: CrossValidation, other: CrossValidation) -> bool:
    pairs = zip(_all_scores(one), _all_scores(other), strict=True)
    return all(np.array_equal(a.log_probabilities, b.log_probabilities) for a, b in pairs)


def _all_scores(found: CrossValidation) -> tuple[Scored, Scored]:
    return found.held_in, found.judges.first(len(found.judges))


def test_every_image_is_judged_once_and_training_and_validation_images_are_held_in() -> None:
    images = blobs.blobs([20, 30, 25])
    found = cross_validate(images, SETTINGS)
    assert sorted(found.judges.numbers) == list(range(75))
    labels = np.array([image.label for image in images.dataset.images])
    assert found.judges.labels.tolist() == labels[found.judges.numbers].tolist()
    testing = set(image_vectors.numbers(images, Split.TESTING).tolist())
    assert set(found.held_in.numbers.tolist()) == set(range(75)) - testing
    assert len(found.folds) == len(found.held_in)
    assert _accuracy(found) > 0.95


def test_no_image_is_judged_by_a_layer_that_has_seen_it() -> None:
    """Labels that mean nothing can be learnt by heart, and cannot be told of an image not seen."""
    images = blobs.blobs([14, 14], spread=1.0)
    labels = np.random.default_rng(1).integers(2, size=28).tolist()
    images = blobs.relabelled(images, dict(enumerate(labels)))
    found = cross_validate(images, SETTINGS)
    known = ImageVectors.of_sets(images, Split.TRAINING, Split.VALIDATION)
    everything = np.ones((len(known), 1), bool)
    (layer,) = layers.train(known, everything, 2, steps=400, learning_rate=0.01, seed=0)
    learnt = layer.log_probabilities(known.take(np.arange(len(known)))).argmax(1)
    assert np.mean(learnt == known.labels) > 0.95
    assert _accuracy(found) < 0.7
    assert np.mean(found.held_in.log_probabilities.argmax(1) == found.held_in.labels) < 0.7


def test_the_test_images_are_not_used_to_train() -> None:
    images = blobs.blobs([20, 20, 20])
    testing = image_vectors.numbers(images, Split.TESTING).tolist()
    wrong = blobs.relabelled(images, dict.fromkeys(testing, 0))
    before, after = cross_validate(images, SETTINGS), cross_validate(wrong, SETTINGS)
    assert len(testing) > 3
    assert _are_equal(before, after)


def test_a_test_image_is_not_judged_by_layers_that_have_seen_its_copy() -> None:
    images = blobs.blobs([15, 15], spread=2.0)
    known, tested = (
        int(image_vectors.numbers(images, split)[0]) for split in (Split.TRAINING, Split.TESTING)
    )
    files = images.dataset.images[known].file, images.dataset.images[tested].file
    images.testing.vectors[0] = images.training.vectors[0]
    judged = _judged(images, near=(files,))
    rows = [judged.numbers.tolist().index(number) for number in (known, tested)]
    assert judged.log_probabilities[rows[0]].tolist() == judged.log_probabilities[rows[1]].tolist()
    judged = _judged(images)
    assert judged.log_probabilities[rows[0]].tolist() != judged.log_probabilities[rows[1]].tolist()


def test_the_same_seed_gives_the_same_scores_and_another_seed_others() -> None:
    images = blobs.blobs([12, 12])
    found = cross_validate(images, SETTINGS)
    assert _are_equal(found, cross_validate(images, SETTINGS))
    assert not _are_equal(found, cross_validate(images, dataclasses.replace(SETTINGS, seed=1)))


def test_layers_are_trained_for_as_long_as_the_settings_say() -> None:
    """Steps times rate is what counts: short trainings leave all classes about as likely."""
    images = blobs.blobs([20, 20, 20])
    surest = [
        np.exp(cross_validate(images, settings).held_in.log_probabilities).max()
        for settings in (
            TrainingSettings(how_many_training_steps=1),
            TrainingSettings(how_many_training_steps=50),
            TrainingSettings(how_many_training_steps=500),
        )
    ]
    assert surest[0] < surest[1] < surest[2]


@pytest.mark.parametrize(
    "images",
    [
        pytest.param(blobs.blobs([1, 2, 3, 4]), id="fewer images than folds"),
        pytest.param(blobs.blobs([1, 1]), id="one image in each class"),
        pytest.param(blobs.blobs([6, 7], held_out=(0, 0)), id="nothing held out"),
        pytest.param(blobs.blobs([6, 7], held_out=(0, 0.3)), id="no validation images"),
        pytest.param(blobs.blobs([6, 7], held_out=(0.3, 0)), id="no test images"),
        pytest.param(blobs.blobs([3] * 300), id="many classes"),
    ],
)
@pytest.mark.parametrize("rate", [0.01, 1e30])
def test_all_scores_are_numbers_whatever_the_images_and_the_rate(images: Bottlenecks, rate: float) -> None:
    steps = 20 if len(images.dataset.labels) == 300 else 100
    found = cross_validate(images, TrainingSettings(how_many_training_steps=steps, learning_rate=rate))
    for scored in _all_scores(found):
        assert np.isfinite(scored.log_probabilities).all()
        assert np.allclose(np.exp(scored.log_probabilities).sum(1), 1, atol=1e-4)


def test_a_class_that_its_layer_has_never_seen_is_not_judged() -> None:
    images = blobs.blobs([1, 20, 20])
    found = _judged(images)
    row = found.labels.tolist().index(0)
    assert np.allclose(np.exp(found.log_probabilities[row]), 1 / 3)
    others = np.delete(found.log_probabilities, row, axis=0)
    assert not np.isclose(others[:, 1], others[:, 2]).any()


def test_a_layer_stopped_early_is_less_sure_of_what_it_has_learnt() -> None:
    images, _ = blobs.flipped(blobs.blobs([30, 30], spread=2.0), 6)
    found = cross_validate(images, TrainingSettings())
    early = found.judges.first(len(found.held_in)).log_probabilities
    assert np.exp(early).max(1).mean() < np.exp(found.held_in.log_probabilities).max(1).mean()
