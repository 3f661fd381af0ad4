"""The test photographs of each pair of classes: what a cell of the confusion matrix opens."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator

from retraining.assessment.findings import Findings
from retraining.data.dataset import LabelledImage
from retraining.report import figures
from retraining.report.album import Album, Photo

MOST_CLASSES = 30  # of a matrix that can be read; of more, the most confused pairs are listed
MOST_PAIRS = 40


@dataclasses.dataclass(frozen=True)
class Shot:
    """A photograph with the score in [0, 1] of the label that it was given."""

    photo: Photo
    score: float


@dataclasses.dataclass(frozen=True)
class Cell:
    """The `count` photographs of class `true` that were taken for class `predicted`.

    `share` in [0, 1] is that among all test photographs of the class; `shots` are the first of them.
    """

    true: int
    predicted: int
    count: int
    share: float
    shots: tuple[Shot, ...]

    @property
    def is_right(self) -> bool:
        """Whether the photographs were given the label of their class."""
        return self.true == self.predicted

    @property
    def hidden(self) -> int:
        """How many of the photographs are not among `shots`."""
        return self.count - len(self.shots)


class Cells:
    """The cells that have photographs, by their classes."""

    def __init__(self, findings: Findings, album: Album) -> None:
        testing = findings.testing
        self.counts = figures.confusion(testing, len(findings.dataset.labels))
        totals = self.counts.sum(axis=1)
        self._cells: dict[tuple[int, int], Cell] = {}
        for shown in findings.examples:
            true, predicted = shown.true, shown.predicted
            shots = tuple(map(Shot, album.photos(shown.images), shown.scores))
            count = int(self.counts[true, predicted])
            self._cells[true, predicted] = Cell(true, predicted, count, count / int(totals[true]), shots)
        self._by_class = _by_class(self._cells.values())

    def get(self, true: int, predicted: int) -> Cell | None:
        """Return the cell of a pair of classes, or None if it has no photographs."""
        return self._cells.get((true, predicted))

    def of_class(self, true: int) -> tuple[Cell, ...]:
        """Return the cells of a class: the mistakes first, the most frequent one before others."""
        return self._by_class.get(true, ())

    @functools.cached_property
    def confused(self) -> tuple[Cell, ...]:
        """The cells of mistakes, the most frequent first."""
        wrong = (cell for cell in self._cells.values() if not cell.is_right)
        return tuple(sorted(wrong, key=lambda cell: (-cell.count, -cell.share, cell.true, cell.predicted)))

    @property
    def wrong(self) -> int:
        """How many photographs were taken for another class."""
        return sum(cell.count for cell in self.confused)

    @property
    def is_matrix(self) -> bool:
        """Whether there are few enough classes for a table of all pairs."""
        return len(self.counts) <= MOST_CLASSES

    @property
    def opened(self) -> tuple[Cell, ...]:
        """The cells that the page opens: all of a matrix, or the most confused pairs."""
        return tuple(self._cells.values()) if self.is_matrix else self.confused[:MOST_PAIRS]


def shown(findings: Findings) -> Iterator[LabelledImage]:
    """Yield the photographs that the cells show: the mistakes first."""
    for is_right in (False, True):
        for one in findings.examples:
            if one.is_right is is_right:
                yield from one.images


def _by_class(found: Iterable[Cell]) -> dict[int, tuple[Cell, ...]]:
    by_class: dict[int, list[Cell]] = collections.defaultdict(list)
    for cell in sorted(found, key=lambda cell: (cell.is_right, -cell.count, cell.predicted)):
        by_class[cell.true].append(cell)
    return {true: tuple(cells) for true, cells in by_class.items()}
