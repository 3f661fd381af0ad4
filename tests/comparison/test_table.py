from __future__ import annotations

import csv
import io
import math

from retraining.comparison import table
from retraining.comparison.table import Row

ROWS = (
    Row("builtin", "new layer", 0.75, 8 / 11, 0.7, 1_700_000, 3_504_000, 5.4, 297.6),
    Row("a|b", "from scratch", math.nan, math.nan, math.nan, 12, 345, 1234.5, 0.94),
)


def test_markdown_table() -> None:
    assert table.markdown(ROWS) == (
        "| model | trained | validation accuracy | test accuracy | test, mean of last 10 epochs | parameters | file | training | images/s at prediction |\n"
        "|---|---|---|---|---|---|---|---|---|\n"
        "| builtin | new layer | 75.0% | 72.7% | 70.0% | 1,700,000 | 3.5 MB | 5 s | 298 |\n"
        "| a\\|b | from scratch |  |  |  | 12 | 0.0 MB | 1,234 s | 0.94 |\n"
    )


def test_csv_table_has_all_digits() -> None:
    first, second = csv.DictReader(io.StringIO(table.csv_text(ROWS)))
    assert float(first["test_accuracy"]) == 8 / 11
    assert int(first["parameters"]) == 1_700_000
    assert second["model"] == "a|b"
    assert math.isnan(float(second["test_accuracy"]))
