"""Of many images a sample is scored: the same in every run, of all classes, and enough for what is told by it."""

from __future__ import annotations

import dataclasses
import logging
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from retraining.assessment import answers, assessment, cross_validation, findings, folds, scored, trend
from retraining.assessment.answers import Answers
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import NearDuplicates
from retraining.settings.training import TrainingSettings
from retraining.training.model import TrainedModel
from tests.assessment import blobs

SETTINGS = TrainingSettings(how_many_training_steps=400)
EXTRACTOR = cast(FeatureExtractor, SimpleNamespace(name="made-up"))


@pytest.fixture(scope="module")
def images() -> Bottlenecks:
    """A large class, a small one, and one of a single image, in no order."""
    return blobs.blobs([300, 60, 1])


@pytest.fixture(autouse=True)
def small_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored, "MOST_IMAGES", 50)
    monkeypatch.setattr(assessment, "MOST_IMAGES", 50)
    monkeypatch.setattr(findings, "MOST_IMAGES", 50)


def _all(images: Bottlenecks) -> ImageVectors:
    return ImageVectors.of_sets(images, *Split)


def test_sample_has_a_share_of_each_class_and_one_image_at_least(images: Bottlenecks) -> None:
    everything = _all(images)
    rows = everything.sample(images.digests, 100)
    assert np.bincount(everything.labels[rows]).tolist() == [83, 16, 1]
    assert rows.tolist() == sorted(rows.tolist())
    assert everything.sample(images.digests, 361).tolist() == list(range(361))


def test_sample_is_of_the_same_content_in_whatever_order_images_are(images: Bottlenecks) -> None:
    order = np.random.default_rng(0).permutation(361)
    vectors = _all(images).take(np.argsort(_all(images).numbers))[order]
    shown = [images.dataset.images[number] for number in order.tolist()]
    shuffled = blobs.bottlenecks(
        vectors, np.array([one.label for one in shown]), [one.split for one in shown], 3
    )

    def sampled(found: Bottlenecks) -> set[bytes]:
        everything = _all(found)
        rows = everything.sample(found.digests, 100)
        return {found.digests[number] for number in everything.numbers[rows]}

    assert sampled(shuffled) == sampled(images)


def test_vectors_of_a_sample_are_those_of_its_images(images: Bottlenecks) -> None:
    everything = _all(images)
    rows = np.array([3, 40, 300])
    some = everything.only(rows).only(np.array([1, 2]))
    assert some.numbers.tolist() == everything.numbers[rows[1:]].tolist()
    np.testing.assert_array_equal(some.take(np.array([1, 0])), everything.take(rows[:0:-1]))


def test_scores_are_calibrated_on_a_sample_and_the_log_says_so(
    images: Bottlenecks, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, second = (_assessed(images)[1] for _ in range(2))
    assert first.calibration.known.counts.sum() == 50
    assert first.calibration.temperature == second.calibration.temperature
    known = sum(len(part) for part in (images.training, images.validation))
    assert caplog.messages == 2 * [
        f"Scores are calibrated on a sample of 50 of {known} images, chosen by the hash of their content."
    ]
    assert first.novelty is not None
    assert second.novelty is not None
    np.testing.assert_array_equal(first.novelty.quantiles, second.novelty.quantiles)


def test_wrong_labels_are_found_among_all_images_whatever_the_sample(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong, flipped = blobs.flipped(blobs.blobs([40, 40, 40, 40]), 8)
    monkeypatch.setattr(trend, "_MOST_HELD_OUT", 12)
    model, assessed = _assessed(wrong)
    found = findings.find(model, assessed)
    assert {suspect.image.file for suspect in found.suspects} == {f"{number}.jpg" for number in flipped}
    assert found.judged == 160
    assert found.known == 160 - len(wrong.testing)
    assert found.trend is not None
    assert 8 <= found.trend.held_out <= 12


def test_many_images_of_many_classes_are_dealt_into_two_folds(
    images: Bottlenecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cross_validation, "_MOST_WORK", 1.0)
    monkeypatch.setattr(cross_validation, "_ENOUGH_OF_A_CLASS", 200)
    assert set(cross_validation.cross_validate(images, SETTINGS).folds) == set(range(folds.FOLDS))
    monkeypatch.setattr(cross_validation, "_ENOUGH_OF_A_CLASS", 100)
    found = cross_validation.cross_validate(images, SETTINGS)
    assert set(found.folds) == {0, 1}
    scores = found.judges.first(len(found.judges))
    assert (scores.log_probabilities.argmax(1) == scores.labels).mean() > 0.95


def test_mistakes_are_shown_first_where_there_are_too_many_pairs(
    images: Bottlenecks, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.array([0, 0, 0, 1, 1, 2])
    scores = np.log(np.array([[8, 1, 1], [7, 2, 1], [1, 8, 1], [2, 7, 1], [1, 8, 1], [1, 2, 7]]) / 10)
    told = Answers.of_scores(np.arange(6), labels, scores.astype(np.float32))
    assert told.predicted.tolist() == [0, 0, 1, 1, 1, 2]
    assert told.best[3].tolist() == [1, 0, 2]
    shown = answers.examples(told, images.dataset)
    assert [len(one.images) for one in shown] == [2, 1, 2, 1]
    monkeypatch.setattr(answers, "_MOST_SHOWN", 2)
    shown = answers.examples(told, images.dataset)
    assert [(one.true, one.predicted, len(one.images)) for one in shown] == [
        (0, 0, 1),
        (0, 1, 1),
        (1, 1, 0),
        (2, 2, 0),
    ]
    assert shown[0].scores == pytest.approx([0.7])  # the least sure of the right ones


def _assessed(images: Bottlenecks) -> tuple[TrainedModel, Any]:
    model = TrainedModel.train(images, EXTRACTOR, SETTINGS)
    assessed = assessment.assess(model, SETTINGS, NearDuplicates(), frozen=images)
    return dataclasses.replace(model, novelty=assessed.novelty), assessed
