"""Pairs of near vectors, found without comparing all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from retraining.features import neighbours
from retraining.features.neighbours import Blocks


def clustered(count: int, width: int = 300, *, copies: int = 4) -> np.ndarray:
    """Return vectors of several copies each, in a random order."""
    rng = np.random.default_rng(2)
    sources = np.maximum(rng.normal(size=(count // copies, width)), 0)
    vectors = sources[rng.permutation(count) % len(sources)] + 0.2 * rng.normal(size=(count, width))
    return vectors.astype(np.float32)


def directions(vectors: np.ndarray) -> np.ndarray:
    def blocks() -> Blocks:
        for start in range(0, len(vectors), 100):
            block = vectors[start : start + 100]
            yield np.arange(start, start + len(block)), block

    return neighbours.sketches(blocks, np.arange(len(vectors)))


def brute_force(vectors: np.ndarray, least: float) -> set[tuple[int, int]]:
    centred = vectors - vectors.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    rows, earlier = np.nonzero(np.tril(centred @ centred.T, -1) >= least)
    return set(zip(rows.tolist(), earlier.tolist(), strict=True))


def test_cells_find_what_comparing_all_pairs_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ONE_CELL", 100)
    vectors = clustered(2000)
    found = set(map(tuple, neighbours.nearest_earlier(directions(vectors), count=6, least=0.6).tolist()))
    expected = brute_force(vectors, 0.7)
    assert len(expected) == 3000  # each of 500 sources has 6 pairs
    assert len(expected & found) >= 0.995 * len(expected)
    assert found <= brute_force(vectors, 0.45)


def test_few_products_are_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def pairs_in_cells(vectors: np.ndarray) -> int:
        sizes: list[int] = []
        nearest_in = neighbours._nearest_in

        def counted(given: np.ndarray, cell: np.ndarray, **limits: float) -> Iterator[np.ndarray]:
            sizes.append(len(cell))
            return nearest_in(given, cell, **limits)  # type: ignore[arg-type]

        with monkeypatch.context() as patched:
            patched.setattr(neighbours, "_nearest_in", counted)
            neighbours.nearest_earlier(directions(vectors), count=6, least=0.5)
        return sum(size**2 for size in sizes)

    monkeypatch.setattr(neighbours, "ONE_CELL", 500)
    few, many = pairs_in_cells(clustered(625, 40)), pairs_in_cells(clustered(1875, 40))
    assert many < 6 * few  # 9 times, if all pairs were compared
    alike = 1 + 0.001 * np.random.default_rng(0).normal(size=(1875, 40)).astype(np.float32)
    alike[0] = -1
    assert pairs_in_cells(alike) < 1875**2


def test_many_that_are_alike_are_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "ONE_CELL", 100)
    rng = np.random.default_rng(0)
    vectors = np.concatenate([1 + 0.01 * rng.normal(size=(900, 30)), rng.normal(size=(900, 30)) - 1])
    pairs = neighbours.nearest_earlier(directions(vectors.astype(np.float32)), count=3, least=0.5)
    first = np.arange(1800)
    for _ in range(100):  # the earliest row that each is connected to
        np.minimum.at(first, pairs[:, 0], first[pairs[:, 1]])
        np.minimum.at(first, pairs[:, 1], first[pairs[:, 0]])
    assert set(first[:900]) == {0}
    assert np.bincount(pairs[:, 0]).max() == 3
    assert (pairs[:, 1] < pairs[:, 0]).all()


def test_same_vectors_give_the_same_pairs() -> None:
    vectors = clustered(1500)
    first, second = (neighbours.nearest_earlier(directions(vectors), count=6, least=0.5) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_vectors_that_are_all_equal_are_no_error() -> None:
    pairs = neighbours.nearest_earlier(directions(np.ones((3, 5), np.float32)), count=2, least=-2)
    assert pairs.tolist() == [[1, 0], [2, 0], [2, 1]]
