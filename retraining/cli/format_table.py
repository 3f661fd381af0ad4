"""Tables of export formats: those that there are, and how exported files do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from retraining.printable import printable
from retraining.settings.formats import FORMATS, Format

if TYPE_CHECKING:  # it imports TensorFlow, and a list of formats need not wait for that
    from retraining.export.judgement import Judgement

_JUDGED = ("format", "file", "size", "accuracy", "same answers", "largest difference", "ms an image")


def known() -> str:
    """Return the table of the formats that a classifier can be exported to."""
    rows = [("format", "file", "size*", "who reads it", "needs"), *map(_known_row, FORMATS.values())]
    lines = _aligned(rows, left=(0, 1, 3, 4))
    return "\n".join([*lines, "* of the built-in network with five classes"])


def judged(judgements: Sequence[Judgement]) -> list[str]:
    """Return the lines of a table of how exported files do on `Judgement.images` images."""
    exact = next(iter(judgements)).exact_accuracy
    classifier = ("classifier", "", "", _share(exact), "", "", "")
    return _aligned([_JUDGED, classifier, *map(_judged_row, judgements)], left=(0, 1))


def _known_row(format: Format) -> tuple[str, ...]:
    file = f"output_graph{format.ending}{'/' if format.is_folder else ''}"
    needs = f"pip install {' '.join(format.packages)}" if format.packages else ""
    return format.name, file, f"{format.megabytes:.1f} MB", format.readers, needs


def _judged_row(judgement: Judgement) -> tuple[str, ...]:
    return (
        judgement.format.name,
        printable(judgement.path.name),
        f"{judgement.size / 1e6:.1f} MB",
        _share(judgement.accuracy),
        _share(judgement.same_answers),
        f"{judgement.largest_difference:.1g}",
        f"{judgement.milliseconds:.1f}",
    )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _aligned(rows: Iterable[Sequence[str]], *, left: Sequence[int]) -> list[str]:
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return [_line(row, widths, left) for row in table]


def _line(row: Sequence[str], widths: Sequence[int], left: Sequence[int]) -> str:
    cells = (
        cell.ljust(width) if column in left else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(row, widths, strict=True))
    )
    return "  ".join(cells).rstrip()
