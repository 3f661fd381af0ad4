"""The assessment of a model: which images its scores and its detector are fitted on."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retraining.assessment import assessment, findings
from retraining.data.split import Split
from retraining.features.extractor import FeatureExtractor
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import NearDuplicates
from retraining.settings.training import TrainingSettings
from retraining.training.model import TrainedModel
from tests.conftest import Computed

SETTINGS = TrainingSettings(how_many_training_steps=50)


@pytest.fixture(scope="module")
def model(computed: Computed, extractor: FeatureExtractor) -> TrainedModel:
    return TrainedModel.train(computed.bottlenecks, extractor, SETTINGS)


def count(model: TrainedModel, *splits: Split) -> int:
    return len(ImageVectors.of_sets(model.bottlenecks, *splits))


def test_frozen_network_is_judged_on_training_and_validation_images(model: TrainedModel) -> None:
    found = assessment.assess(model, SETTINGS, NearDuplicates(), frozen=model.bottlenecks)
    assert found.calibration.known.counts.sum() == count(model, Split.TRAINING, Split.VALIDATION)
    assert found.crossed is not None
    assert found.novelty is not None


def test_network_is_frozen_whatever_vectors_its_layer_was_trained_on(model: TrainedModel) -> None:
    others = dataclasses.replace(model.bottlenecks)  # as those of random views are
    found = assessment.assess(model, SETTINGS, NearDuplicates(), frozen=others)
    assert found.frozen is model.bottlenecks
    assert found.calibration.known.counts.sum() == count(model, Split.TRAINING, Split.VALIDATION)


def test_fine_tuned_network_is_judged_on_validation_images_and_its_labels_by_the_frozen_vectors(
    model: TrainedModel,
) -> None:
    frozen = dataclasses.replace(model.bottlenecks)
    tuned = dataclasses.replace(model, is_fine_tuned=True)
    found = assessment.assess(tuned, SETTINGS, NearDuplicates(), frozen=frozen)
    assert found.calibration.known.counts.sum() == count(model, Split.VALIDATION)
    assert found.frozen is frozen
    said = findings.find(tuned, found)
    assert said.judged == len(model.bottlenecks.dataset.images)
    assert said.is_fine_tuned


def test_network_from_scratch_has_only_held_out_images_judged_and_no_trend(model: TrainedModel) -> None:
    found = assessment.assess(model, SETTINGS, NearDuplicates(), frozen=None)
    assert found.calibration.known.counts.sum() == count(model, Split.VALIDATION)
    said = findings.find(model, found)
    assert said.judged == count(model, Split.VALIDATION, Split.TESTING)
    assert said.trend is None


def test_given_temperature_is_not_fitted_again(model: TrainedModel) -> None:
    found = assessment.assess(model, SETTINGS, NearDuplicates(), frozen=model.bottlenecks, temperature=3.0)
    assert found.calibration.temperature == found.calibration.fitted == 3


def test_mistakes_are_sorted_by_how_sure_they_are_and_have_their_nearest_training_images(
    model: TrainedModel,
) -> None:
    # A layer that is always wrong: each answer is the next class.
    layer = dataclasses.replace(
        model.layer, weights=np.roll(model.layer.weights, 1, axis=1), biases=np.roll(model.layer.biases, 1)
    )
    wrong = dataclasses.replace(model, layer=layer)
    said = findings.find(
        wrong, assessment.assess(wrong, SETTINGS, NearDuplicates(), frozen=model.bottlenecks)
    )
    scores = [mistake.best[0][1] for mistake in said.mistakes]
    assert len(scores) > 5
    assert scores == sorted(scores, reverse=True)
    for mistake in said.mistakes:
        assert mistake.best[0][0] != mistake.image.label
        assert {image.split for image in mistake.nearest} == {Split.TRAINING}
        assert [image.label for image in mistake.nearest] == 3 * [mistake.image.label]
