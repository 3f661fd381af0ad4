"""The test photographs of each pair of classes: what a cell of the confusion matrix opens."""

from __future__ import annotations

import collections
import dataclasses
import functools
from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.findings import Findings
from retraining.data.dataset import LabelledImage
from retraining.report import figures
from retraining.report.album import Album, Photo

MOST_CLASSES = 30  # of a matrix that can be read; of more, the most confused pairs are listed
MOST_PAIRS = 40
_MOST_WRONG = 60  # photographs that a cell shows
_MOST_RIGHT = 24


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
        scores = np.exp(testing.log_probabilities.max(axis=1, initial=-np.inf))
        self._cells: dict[tuple[int, int], Cell] = {}
        for (true, predicted), rows in _rows(findings).items():
            shots = tuple(
                Shot(album.photo(findings.dataset.images[testing.numbers[row]]), float(scores[row]))
                for row in rows
            )
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
        for (true, predicted), rows in _rows(findings).items():
            if (true == predicted) is is_right:
                for row in rows:
                    yield findings.dataset.images[findings.testing.numbers[row]]


def _by_class(found: Iterable[Cell]) -> dict[int, tuple[Cell, ...]]:
    by_class: dict[int, list[Cell]] = collections.defaultdict(list)
    for cell in sorted(found, key=lambda cell: (cell.is_right, -cell.count, cell.predicted)):
        by_class[cell.true].append(cell)
    return {true: tuple(cells) for true, cells in by_class.items()}


def _rows(findings: Findings) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Return the rows of the test photographs that each cell shows.

    Of mistakes those come first that were the surest, of right answers those that were the least sure.
    """
    testing = findings.testing
    if not len(testing):
        return {}
    best, predicted = testing.log_probabilities.max(axis=1), testing.log_probabilities.argmax(axis=1)
    is_right = predicted == testing.labels
    order = np.lexsort((np.where(is_right, best, -best), predicted, testing.labels))
    pairs = np.stack((testing.labels[order], predicted[order]), axis=1)
    starts = np.flatnonzero(np.any(np.diff(pairs, axis=0, prepend=-1) != 0, axis=1))
    found = {}
    for rows, (true, guess) in zip(np.split(order, starts[1:]), pairs[starts].tolist(), strict=True):
        found[true, guess] = rows[: _MOST_RIGHT if true == guess else _MOST_WRONG]
    return found
