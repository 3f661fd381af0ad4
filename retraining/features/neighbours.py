"""Pairs of vectors that are near each other, found in less than quadratic time and memory.

Rows are compared only within cells, as in an inverted file: each row is in the cells of its nearest centres,
and there are two times the square root of n centres, so time grows like n ** 1.5 at most, and no array is
larger than a few numbers per vector. Plain NumPy, and not a library with an index: FAISS brings 10 to 18 MB
and an OpenMP runtime of its own beside TensorFlow's, hnswlib has no wheels, usearch builds a graph that
depends on threads, and scikit-learn has no index for a thousand dimensions. The pairs decide about the split,
so they must be the same in every run.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors
from retraining.storage import large_arrays

Pairs = NDArray[np.int64]
"""Pairs of rows [n, 2], the second one the earlier of the two."""

# Shares of all rows at a time: (their numbers, their vectors).
Blocks = Iterable[tuple[NDArray[np.int64], Vectors]]

ONE_CELL = 2048  # up to so many rows are compared directly
_CELLS_PER_ROW = 6
_LARGEST_CELL = 4  # times the mean; larger ones are cut, so that many vectors that are alike cost no more
_WIDTH = 256  # numbers of a sketch
_ROWS_AT_ONCE = 1024
_MEMBERS_AT_ONCE = 2048  # of a cell
_PRECISE_ROWS = 200_000  # of more, sketches are in half precision: half a gigabyte for a million
_FOUND_AT_ONCE = 4_000_000  # pairs that are kept until the best of them are chosen


class Sketcher:
    """Makes short vectors of length 1, whose products are near the cosines of long ones.

    The cosines are those around the mean of all vectors: networks whose features are never negative put
    everything near everything else. Wide vectors are projected onto random directions
    (Johnson-Lindenstrauss), which keeps cosines to within 0.06.
    """

    def __init__(self, blocks: Blocks, count: int) -> None:
        """Prepare it for the vectors in `blocks`, `count` in all."""
        self._mean = sum(vectors.sum(0, dtype=np.float64) for _, vectors in blocks) / count
        self._directions = _directions(len(self._mean))
        self.width = min(len(self._mean), _WIDTH)

    def __call__(self, vectors: Vectors) -> Vectors:
        """Return float32 [n, width] for some of the vectors."""
        centred = _in_range(vectors - self._mean)
        found = centred if self._directions is None else centred @ self._directions
        lengths = np.linalg.norm(found, axis=1, keepdims=True)
        sketched: Vectors = np.divide(found, lengths, out=found, where=lengths > 0)
        return sketched


def sketches(blocks: Callable[[], Blocks], places: NDArray[np.int64], folder: Path | None = None) -> Vectors:
    """Return [count, width], the sketches of vectors: that of row i is in row places[i], or nowhere for -1.

    They are float32, or float16 if they are many, and then in a file in `folder` if one is given and they are
    too large for memory. `blocks` is called twice, so that the vectors may stay on disk.
    """
    sketch = Sketcher(blocks(), len(places))
    count = int(places.max()) + 1
    dtype = np.float32 if count <= _PRECISE_ROWS else np.float16
    if folder is None:
        found = np.empty((count, sketch.width), dtype)
    else:
        found = large_arrays.allocate(count, sketch.width, folder, dtype=dtype, content="sketches")
    for rows, vectors in blocks():
        kept = places[rows] >= 0
        found[places[rows[kept]]] = sketch(vectors[kept])
    return found


def nearest(
    wanted: Vectors, blocks: Blocks, sketch: Sketcher, *, count: int, least: float
) -> tuple[NDArray[np.int64], Vectors]:
    """Return for each of some sketches, float32 [n, width], the rows of the `count` nearest vectors.

    They are int64 [n, count], the nearest first, with the products float32 [n, count], which are -inf where
    there are not as many of at least `least`.
    """
    rows = np.zeros((len(wanted), count), np.int64)
    products = np.full((len(wanted), count), -np.inf, np.float32)
    for block, vectors in blocks:
        new = wanted @ sketch(vectors).T
        new[new < least] = -np.inf
        (some,) = np.nonzero(new.max(axis=1, initial=-np.inf) > products[:, -1])
        both = np.concatenate([products[some], new[some]], axis=1)
        numbers = np.concatenate([rows[some], np.broadcast_to(block, (len(some), len(block)))], axis=1)
        best = np.argsort(-both, axis=1, kind="stable")[:, :count]
        products[some] = np.take_along_axis(both, best, 1)
        rows[some] = np.take_along_axis(numbers, best, 1)
    return rows, products


def nearest_earlier(directions: Vectors, *, count: int, least: float) -> Pairs:
    """Return for each row its `count` nearest earlier ones with a product of at least `least`.

    `directions` is [n, width] of length 1, float32 or float16; the order of the rows should have no meaning,
    such as that of hashes. To look only at earlier rows keeps groups of any size connected: each but the
    first of many in a cell that are alike has a link to an earlier one, while the nearest few may be a
    clique.
    """
    found, waiting = [np.empty((0, 3))], 0
    for cell in _cells(directions):
        for new in _nearest_in(directions, cell, count=count, least=least):
            found.append(new)
            waiting += len(new)
        if waiting > _FOUND_AT_ONCE:
            found, waiting = [_best_of(np.concatenate(found), count)], 0
    return _best_of(np.concatenate(found), count)[:, :2].astype(np.int64)


def _in_range(vectors: NDArray[np.float64]) -> Vectors:
    """Return vectors as float32, each scaled by its largest number, so that no product overflows."""
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    scaled: Vectors = np.divide(
        vectors, largest, out=np.zeros_like(vectors), where=largest > 0, dtype=np.float64
    ).astype(np.float32)
    return scaled


def _directions(width: int) -> Vectors | None:
    """Return float32 [width, _WIDTH], each number 1 or -1, or None if the vectors are narrow as they are."""
    if width <= _WIDTH:
        return None
    signs = np.random.default_rng(0).integers(0, 2, (width, _WIDTH))
    return (2 * signs - 1).astype(np.float32)


def _cells(directions: Vectors) -> Iterator[NDArray[np.int64]]:
    """Yield the rows of each cell, ascending; a row is in several."""
    count = len(directions)
    if count <= ONE_CELL:
        yield np.arange(count)
        return
    centres = _precise(directions[: int(2 * count**0.5)])
    # By cell, and within each cell by row.
    nearest, nearness = _nearest_centres(directions, centres)
    order = np.argsort(nearest.ravel(), kind="stable")
    starts = np.searchsorted(nearest.ravel()[order], np.arange(len(centres) + 1))
    largest = _LARGEST_CELL * _CELLS_PER_ROW * count // len(centres)
    for first, last in itertools.pairwise(starts.tolist()):
        members = order[first:last]
        yield from _pieces(members // _CELLS_PER_ROW, nearness.ravel()[members], largest)


def _nearest_centres(directions: Vectors, centres: Vectors) -> tuple[NDArray[np.int64], Vectors]:
    """Return for each row the numbers of its nearest centres, and the products with them."""
    nearest = np.empty((len(directions), _CELLS_PER_ROW), np.int64)
    nearness = np.empty(nearest.shape, np.float32)
    for start in range(0, len(directions), _ROWS_AT_ONCE):
        products = _precise(directions[start : start + _ROWS_AT_ONCE]) @ centres.T
        rows = slice(start, start + len(products))
        nearest[rows] = np.argpartition(-products, _CELLS_PER_ROW, axis=1)[:, :_CELLS_PER_ROW]
        nearness[rows] = np.take_along_axis(products, nearest[rows], 1)
    return nearest, nearness


def _pieces(members: NDArray[np.int64], nearness: Vectors, largest: int) -> Iterator[NDArray[np.int64]]:
    """Yield the members, in pieces that overlap by half if there are more than `largest`.

    Rows that are alike are about as near to the centre, so they are in one piece.
    """
    if len(members) <= largest:
        yield members
        return
    by_nearness = members[np.lexsort((members, nearness))]
    for start in range(0, len(members) - largest // 2, largest // 2):
        yield np.sort(by_nearness[start : start + largest])


def _nearest_in(
    directions: Vectors, cell: NDArray[np.int64], *, count: int, least: float
) -> Iterator[NDArray[np.float64]]:
    """Yield rows of (row, earlier row, product) for the `count` nearest earlier rows within a cell."""
    members = _precise(directions[cell])
    for start in range(0, len(cell) if len(cell) > 1 else 0, _MEMBERS_AT_ONCE):
        some = slice(start, start + _MEMBERS_AT_ONCE)
        before = members[: some.stop]
        products = np.tril(members[some] @ before.T - least, start - 1)  # below 0 or 0: no pair
        kept = min(count, len(before))
        columns = np.argpartition(-products, kept - 1, axis=1)[:, :kept]
        values = np.take_along_axis(products, columns, 1)
        rows, places = np.nonzero(values > 0)
        yield np.stack([cell[some][rows], cell[columns[rows, places]], values[rows, places]], axis=1)


def _best_of(found: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return the `count` nearest of each row, each once, out of those found in several cells."""
    rows, earlier, products = found.T
    _, once = np.unique(rows * (1 + earlier.max(initial=0)) + earlier, return_index=True)  # exact: < 2 ** 53
    once = once[np.lexsort((earlier[once], -products[once], rows[once]))]
    ordered = rows[once]
    rank = np.arange(len(once)) - np.searchsorted(ordered, ordered)
    best: NDArray[np.float64] = found[once[rank < count]]
    return best


def _precise(directions: Vectors) -> Vectors:
    return directions.astype(np.float32, copy=False)
