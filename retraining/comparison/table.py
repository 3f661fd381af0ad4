"""The results of a comparison, one row per model: as Markdown for reading, as CSV for further calculation."""

from __future__ import annotations

import csv
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence

from retraining.training.learning_curve import LAST_EPOCHS


@dataclasses.dataclass(frozen=True)
class Row:
    """A model's results. Accuracies are in [0, 1], or NaN if the set has no images.

    `mean_test_accuracy` is over the last LAST_EPOCHS epochs, `images_per_second` at prediction.
    """

    model: str
    kind: str
    validation_accuracy: float
    test_accuracy: float
    mean_test_accuracy: float
    parameters: int
    file_bytes: int
    training_seconds: float
    images_per_second: float


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    headings = (
        "model",
        "trained",
        "validation accuracy",
        "test accuracy",
        f"test, mean of last {LAST_EPOCHS} epochs",
        "parameters",
        "file",
        "training",
        "images/s at prediction",
    )
    lines = [_line(headings), f"|{'---|' * len(headings)}"]
    lines += [_line(_cells(row)) for row in rows]
    return "\n".join(lines) + "\n"


def csv_text(rows: Sequence[Row]) -> str:
    """Return the rows as CSV, with all digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in dataclasses.fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(dataclasses.asdict(row) for row in rows)
    return text.getvalue()


def _cells(row: Row) -> list[str]:
    return [
        row.model.replace("|", "\\|"),
        row.kind,
        _percent(row.validation_accuracy),
        _percent(row.test_accuracy),
        _percent(row.mean_test_accuracy),
        f"{row.parameters:,}",
        f"{row.file_bytes / 1e6:,.1f} MB",
        f"{row.training_seconds:,.0f} s",
        f"{row.images_per_second:,.3g}" if row.images_per_second < 10 else f"{row.images_per_second:,.0f}",
    ]


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.1%}"
