"""CSV files: lists that any spreadsheet program opens."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from pathlib import Path

from retraining.storage.atomic_files import write_bytes


def write_csv(
    path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, encoding: str = "utf-8"
) -> None:
    """Write the header and the rows, completely or not at all. Raises WorkFailed."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([header, *rows])
    write_bytes(path, text.getvalue().encode(encoding))
