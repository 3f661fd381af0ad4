"""Which of several models to use."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

from retraining.comparison.table import Row


@dataclasses.dataclass(frozen=True)
class Selection:
    """The row of the model to use.

    `close` are the rows of models that may be as good: the validation images are too few to tell.
    """

    winner: Row
    close: tuple[Row, ...]
    validation_images: int


def select(rows: Sequence[Row], *, validation_images: int) -> Selection:
    """Return which model to use; `rows` holds at least one.

    The model with the highest validation accuracy wins; the test accuracy of a model that was chosen by it
    would be too optimistic. If two are equal, the faster one wins. Only if there are no validation images
    does the test accuracy decide.
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
