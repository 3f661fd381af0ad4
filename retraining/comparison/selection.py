"""Which of several models to use."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from retraining.comparison.table import Row


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The row of the model to use, and those that so many validation images cannot tell from it."""

    winner: Row
    close: tuple[Row, ...]
    validation_images: int


def of(rows: Sequence[Row], *, validation_images: int) -> Verdict:
    """Return the verdict on at least one row.

    The highest accuracy on the validation images wins, not on those of the test: a winner chosen by
    them would look better than it is. Of equals the quicker one wins. Without validation images the
    test has to do.
    """
    winner = max(rows, key=lambda row: (_score(row), row.images_per_second))
    if not validation_images:
        return Verdict(winner, (), validation_images)
    least = _score(winner) - _uncertainty(_score(winner), validation_images)
    close = tuple(row for row in rows if row is not winner and _score(row) >= least)
    return Verdict(winner, close, validation_images)


def _score(row: Row) -> float:
    """Return the accuracy that a model is chosen by."""
    return row.test_accuracy if math.isnan(row.validation_accuracy) else row.validation_accuracy


def _uncertainty(accuracy: float, images: int) -> float:
    """Return the standard error of an accuracy over so many images."""
    return math.sqrt(accuracy * (1 - accuracy) / images)
