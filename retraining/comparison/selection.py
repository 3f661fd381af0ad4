"""Which of several models to use."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from retraining.comparison.table import Row


@dataclasses.dataclass(frozen=True)
class Selection:
    """The row of the model to use, and of those that this many validation images cannot tell from it."""

    winner: Row
    close: tuple[Row, ...]
    validation_images: int


def select(rows: Sequence[Row], *, validation_images: int) -> Selection:
    """Return which of at least one model to use.

    The highest accuracy on the validation images wins, not on the test images: a winner chosen by those
    would look better than it is. Among equals the faster one wins. Without validation images, the test
    images have to do.
    """
    winner = max(rows, key=lambda row: (_score(row), row.images_per_second))
    if not validation_images:
        return Selection(winner, (), validation_images)
    least = _score(winner) - _uncertainty(_score(winner), validation_images)
    close = tuple(row for row in rows if row is not winner and _score(row) >= least)
    return Selection(winner, close, validation_images)


def _score(row: Row) -> float:
    """Return the accuracy by which a model is chosen."""
    return row.test_accuracy if math.isnan(row.validation_accuracy) else row.validation_accuracy


def _uncertainty(accuracy: float, images: int) -> float:
    """Return the standard error of an accuracy over this many images."""
    return math.sqrt(accuracy * (1 - accuracy) / images)
