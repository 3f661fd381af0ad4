"""The benchmarks of scores: ways to tell unknown images, and the error of calibration."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import calibration, unknown
from retraining.assessment.scored import Scored
from tests.benchmarks.test_benchmarks import printed_rows


def test_error_with_equal_numbers_of_images_is_the_one_computed_by_hand() -> None:
    best = np.repeat([0.6, 0.9], 50).astype(np.float32)
    scores = np.column_stack([best, 1 - best])
    labels = np.zeros(100, np.int64)
    labels[:10] = labels[50:60] = 1  # all of the first bin of each score, and none of the others
    found = calibration.error_of_equal_numbers(Scored(np.arange(100), labels, np.log(scores)), 1.0)
    assert found == pytest.approx((0.6 + 4 * 0.4 + 0.9 + 4 * 0.1) / 10, abs=1e-6)


def test_every_way_is_fitted_and_ours_is_first() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(100) % 2
    vectors = (5 * np.eye(2, 16)[labels] + rng.random((100, 16))).astype(np.float32)
    others = {"others": rng.random((50, 16)).astype(np.float32)}
    told = {way: result for way, _, result in unknown.compared(vectors, labels, others, seed=0)}
    assert list(told) == [unknown.OURS, *unknown.WAYS]
    assert all(0 <= value <= 1 for each in told.values() for value in (each.area, each.caught))
    assert told[unknown.OURS].area > 0.95
    assert told[unknown.OURS].caught > 0.95
    assert told[unknown.OURS].false_alarms < 0.3


@pytest.mark.soak
def test_calibration_is_measured_on_each_set_of_images(colour_photos: Path) -> None:
    rows = printed_rows("calibration", colour_photos, "--splits=2", "--tfhub_modules=builtin_small")
    name = colour_photos.name
    assert [row[0] for row in rows] == [name, f"{name}, reduced", "digits"]


@pytest.mark.soak
def test_unknown_images_are_told_in_every_way(colour_photos: Path) -> None:
    rows = printed_rows("unknown", colour_photos, "--splits=1", "--tfhub_modules=builtin_small")
    assert [row[1] for row in rows] == [unknown.OURS, *unknown.WAYS]
