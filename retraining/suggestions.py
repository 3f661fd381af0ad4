"""Suggestions for a mistyped name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the `known` names that look like `name`, most likely first."""
    return difflib.get_close_matches(name, list(known), n=3, cutoff=0.4)


def closest(name: str, known: Iterable[str], *, likeness: float = 0.6) -> str:
    """Return the `known` name most like `name`, or '' if none has this `likeness` in [0, 1] (difflib's)."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=likeness)), "")


def did_you_mean(names: Sequence[str]) -> str:
    """Return the question 'Did you mean a, b or c?' for one or more names."""
    return f"Did you mean {', '.join([*names[:-2], ' or '.join(names[-2:])])}?"
