"""The results of each class as lines of a table, for the terminal."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from retraining.printable import printable
from retraining.training.class_results import ClassResult

MOST_ROWS = 20
HEADINGS = ("class", "images", "right", "precision", "recall")


def lines(results: Sequence[ClassResult], listed: Path) -> list[str]:
    """Return a table of the first MOST_ROWS results, the worst; `listed` is the file that has all."""
    shown = results[:MOST_ROWS]
    digits = max(len(str(result.tested)) for result in shown)
    rows = [HEADINGS, *(_cells(result, digits) for result in shown)]
    widths = [max(map(_columns, column)) for column in zip(*rows, strict=True)]
    table = [_line(row, widths) for row in rows]
    if len(results) > MOST_ROWS:
        table.append(f"These are the worst {MOST_ROWS} of {len(results):,} classes; all are in '{listed}'.")
    return table


def _cells(result: ClassResult, digits: int) -> tuple[str, ...]:
    right = f"{result.right:{digits}} of {result.tested:{digits}}" if result.tested else "-"
    shares = ("-" if math.isnan(share) else f"{share:.1%}" for share in (result.precision, result.recall))
    return printable(result.label), f"{result.images:,}", right, *shares


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    label, *figures = cells
    padded = label + " " * (widths[0] - _columns(label))
    return "  ".join([padded, *(cell.rjust(width) for cell, width in zip(figures, widths[1:], strict=True))])


def _columns(text: str) -> int:
    """Return the columns that a text takes on a terminal: two for a Chinese character, none for an accent."""
    return sum(_columns_of(character) for character in text)


def _columns_of(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
