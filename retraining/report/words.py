"""Figures as people read them."""

from __future__ import annotations

import math

NOTHING = "\N{EN DASH}"  # in place of a figure that there is none of


def percent(share: float, digits: int = 0) -> str:
    """Return a share in [0, 1] as percent, such as "87%", or a dash if it is NaN."""
    return NOTHING if math.isnan(share) else f"{100 * share:.{digits}f}%"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: "1 photograph", "1,200 photographs"."""
    return f"{number:,} {one if number == 1 else many or f'{one}s'}"


def points(share: float) -> str:
    """Return a difference of shares as percentage points, such as "3.1 points"."""
    rounded = f"{100 * share:.1f}"
    return f"{rounded} point{'' if rounded == '1.0' else 's'}"


def size(count: int) -> str:
    """Return a number of bytes in megabytes."""
    return f"{count / 1e6:,.1f} MB"
