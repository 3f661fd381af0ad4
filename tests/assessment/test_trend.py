"""Accuracy against the number of training images."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.assessment import power_law, trend
from retraining.assessment.trend import Trend
from retraining.features.image_vectors import ImageVectors
from retraining.settings.training import TrainingSettings
from tests.assessment import blobs

SETTINGS = TrainingSettings(how_many_training_steps=500)


@pytest.fixture(scope="module")
def hard() -> Trend:
    """Classes that overlap, so that every image more of them helps."""
    found = trend.find(blobs.blobs([130] * 4, spread=2.0, held_out=(0.15, 0.15)), SETTINGS)
    assert found is not None
    return found


def test_few_images_are_worse_than_many_and_more_are_promised_to_be_better(hard: Trend) -> None:
    means = [np.mean(point.accuracies) for point in hard.points]
    assert means[0] < means[2] < means[4]
    assert hard.promised is not None and hard.interval is not None
    assert means[4] - 0.01 < hard.promised < 1
    assert 0 <= hard.interval.low < hard.promised < hard.interval.high <= 1


def test_each_share_of_the_images_is_drawn_five_times_and_all_of_them_once(hard: Trend) -> None:
    counts = [point.images for point in hard.points]
    assert np.array(counts) / counts[-1] == pytest.approx(trend.SHARES, abs=0.01)
    assert [len(point.accuracies) for point in hard.points] == [5, 5, 5, 5, 1]
    assert counts[-1] + hard.held_out == 4 * 130
    assert len(set(hard.points[0].accuracies)) > 1
    assert hard.steps == SETTINGS.how_many_training_steps


def test_the_same_seed_gives_the_same_trend() -> None:
    images = blobs.blobs([30] * 2, spread=2.0, held_out=(0.2, 0.2))
    assert trend.find(images, SETTINGS) == trend.find(images, SETTINGS)


def test_nothing_is_promised_where_the_accuracy_does_not_rise() -> None:
    easy = trend.find(blobs.blobs([40] * 3, spread=0.1, held_out=(0.15, 0.15)), SETTINGS)
    chance = trend.find(blobs.blobs([40] * 3, spread=100.0, held_out=(0.15, 0.15)), SETTINGS)
    for found in (easy, chance):
        assert found is not None
        assert (found.promised, found.interval) == (None, None)


@pytest.mark.parametrize(
    ("counts", "held_out"),
    [
        pytest.param([40, 40], (0.0, 0.0), id="nothing held out"),
        pytest.param([40, 40], (0.1, 0.1), id="few held out"),
        pytest.param([9] * 10, (0.2, 0.2), id="few training images"),
    ],
)
def test_too_few_images_tell_nothing(counts: list[int], held_out: tuple[float, float]) -> None:
    assert trend.find(blobs.blobs(counts, held_out=held_out), SETTINGS) is None


def test_a_class_of_one_image_is_in_every_draw() -> None:
    found = trend.find(blobs.blobs([1, 90, 90], held_out=(0.1, 0.1)), SETTINGS)
    assert found is not None
    labels = np.array([0] + [1] * 20)
    drawn = trend.draw(labels, 2, np.random.default_rng(0))
    assert drawn[0].all()
    assert drawn.sum(axis=0).tolist() == [3, 5, 9, 17, 3, 5, 9, 17, 21]
    assert (drawn[:, 0] <= drawn[:, 1]).all()


def test_many_classes_take_fewer_steps_and_draws_and_too_many_are_left_out() -> None:
    images = ImageVectors(np.arange(2), np.arange(2), (np.full((2, 1280), 0.4, np.float32),))
    efforts = [trend._effort(images, classes, TrainingSettings()) for classes in (5, 20, 100, 1000)]
    assert efforts[0] is not None and efforts[0].draws == 5 and 2000 < efforts[0].steps < 4000
    assert efforts[1] is not None and efforts[1].draws == 4 and 1000 <= efforts[1].steps < 2000
    assert efforts[2] == trend._Effort(2, 1000)
    assert efforts[3] is None


def test_a_power_law_is_continued() -> None:
    counts = np.array([40, 80, 160, 320, 400])
    errors = 0.05 + 0.9 * counts**-0.5
    assert power_law.extrapolated(counts, errors[np.newaxis], 800)[0] == pytest.approx(
        0.05 + 0.9 * 800**-0.5, abs=0.002
    )


def test_errors_that_rise_or_stay_are_continued_as_they_are() -> None:
    counts = np.array([10, 20, 40])
    errors = np.array([[0.1, 0.2, 0.3], [0.2, 0.2, 0.2], [0.0, 0.0, 0.0]])
    assert power_law.extrapolated(counts, errors, 80) == pytest.approx([0.2, 0.2, 0.0])
