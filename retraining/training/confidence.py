"""How sure an accuracy is that was measured on few images."""

from __future__ import annotations

import math
import statistics
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_Z = statistics.NormalDist().inv_cdf(0.975)  # standard deviations on each side of 95 %


class Interval(NamedTuple):
    """A range of shares, both in [0, 1]."""

    low: float
    high: float


def wilson_interval(share: float, count: float) -> Interval:
    """Return the 95 % confidence interval of a share in [0, 1] that was measured on `count` > 0 images.

    Wilson's score interval: "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22,
    1927, doi 10.1080/01621459.1927.10502953. Unlike the simpler ones it holds for few images and for 0 and 1.
    """
    shrunk = 1 + _Z**2 / count
    centre = (share + _Z**2 / (2 * count)) / shrunk
    half = _Z / shrunk * math.sqrt(share * (1 - share) / count + (_Z / (2 * count)) ** 2)
    # At 0 and 1 the interval ends at the share itself, but for rounding.
    return Interval(min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half)))


def effective_count(rows: NDArray[np.int64]) -> float:
    """Return how many different images tell as much as these draws, in which an image may be repeated.

    Kish's effective sample size (Survey Sampling, 1965), each image weighted by how often it was drawn. Ten
    thousand draws of the same 29 images do not tell more than the 29 images.
    """
    _, times = np.unique(rows, return_counts=True)
    return float(times.sum() ** 2 / (times**2).sum())
