"""Power laws: how errors fall with the number of images, and what they come to with more of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# From an error that hardly falls to one that is nearly all gone.
_EXPONENTS = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.5)


def extrapolated(counts: NDArray[np.int64], errors: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return float64 [n], the errors in [0, 1] with `count` images, of curves through `errors` [n, points].

    The curve is a + b * images^-c with a and b of at least 0, by least squares: Hestness et al., "Deep
    Learning Scaling is Predictable, Empirically", 2017, arXiv 1712.00409. It never rises.
    """
    best, found = np.full(len(errors), np.inf), np.zeros(len(errors))
    for exponent in _EXPONENTS:
        falling = (counts / counts[-1]) ** -exponent
        floors, slopes = _line(falling, errors)
        residual = ((errors - floors[:, np.newaxis] - slopes[:, np.newaxis] * falling) ** 2).sum(axis=1)
        value = floors + slopes * (count / counts[-1]) ** -exponent
        found = np.where(residual < best, value, found)
        best = np.minimum(residual, best)
    return found.clip(0, 1)


def _line(
    falling: NDArray[np.float64], errors: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the floors a and slopes b, both at least 0, of the lines a + b * falling nearest to errors."""
    centred, means = falling - falling.mean(), errors.mean(axis=1)
    slopes = (errors @ centred) / (centred @ centred)
    floors = means - slopes * falling.mean()
    through_zero = (errors @ falling) / (falling @ falling)
    slopes = np.where(floors < 0, through_zero, slopes)
    floors = np.maximum(floors, 0)
    is_rising = slopes < 0
    return np.where(is_rising, means, floors), np.maximum(slopes, 0)
