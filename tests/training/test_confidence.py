from __future__ import annotations

import numpy as np
import pytest

from retraining.training.confidence import effective_count, wilson_interval


@pytest.mark.parametrize(
    ("right", "count", "low", "high"),
    [
        # By SciPy's binomtest(...).proportion_ci(method="wilson").
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
        (10, 10, 0.7225, 1.0000),
        (0, 10, 0.0000, 0.2775),
        (26, 29, 0.7361, 0.9642),
    ],
)
def test_interval_is_the_one_that_scipy_computes(right: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(right / count, count) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize("count", [1, 2, 7, 29, 1000, 10**6])
def test_interval_stays_within_0_and_1_and_holds_the_share(count: int) -> None:
    for right in {0, 1, count // 2, count - 1, count}:
        interval = wilson_interval(right / count, count)
        assert 0 <= interval.low <= right / count <= interval.high <= 1


def test_interval_is_narrower_for_more_images() -> None:
    widths = [high - low for low, high in (wilson_interval(0.9, count) for count in (10, 100, 1000))]
    assert widths == sorted(widths, reverse=True)


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([1] * 29, 29),
        ([1], 1),
        ([300] * 29, 29),  # the same 29 images over and over
        ([1000, 1], 1.002),  # nearly always the same one
        ([30] * 30 + [900], 3.871),  # half of the draws are of one image
    ],
)
def test_repeated_draws_tell_no_more_than_their_images(times: list[int], expected: float) -> None:
    rows = np.repeat(np.arange(len(times)), times)
    assert effective_count(rows) == pytest.approx(expected, abs=5e-4)
