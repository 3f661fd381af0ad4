"""Where the vectors in a cache are: the shards that were read, and the place of each key in them.

Compact, since a cache may hold millions of vectors: 40 bytes for each that was there when the cache was
opened.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retraining.features.shards import KEY_BYTES

Keys = NDArray[np.bytes_]
"""Keys [n] of KEY_BYTES each; NumPy compares them as bytes, and takes a zero at the end for no difference."""

_KEY = np.dtype(f"S{KEY_BYTES}")


class Place(NamedTuple):
    """Where a vector is: its shard, and the number of its record there."""

    shard: Path
    record: int


class Records(NamedTuple):
    """Some records of a shard: their numbers, int64 [n], and which of the keys asked for each one is."""

    shard: Path
    numbers: NDArray[np.int64]
    asked: NDArray[np.int64]


class ShardIndex:
    """The places of keys, by their bytes. Shards can be added."""

    def __init__(self, found: Iterable[tuple[Path, Sequence[bytes]]]) -> None:
        """Take in the shards `found`, each with its keys; a key that is in several counts in the last one."""
        self._shards: list[Path] = []
        self._starts: list[int] = []  # how many records all earlier shards have
        self._count = 0
        self._added: dict[bytes, int] = {}
        parts = [np.empty(0, _KEY)]
        for shard, keys in found:
            self._append(shard, len(keys))
            parts.append(np.array(keys, _KEY))
        keys_in_order = np.concatenate(parts)
        self._numbers = np.argsort(keys_in_order, kind="stable").astype(np.int64, copy=False)
        self._keys: Keys = keys_in_order[self._numbers]

    def add(self, shard: Path, keys: Sequence[bytes]) -> None:
        """Take in a shard that was written since."""
        first = self._count
        self._append(shard, len(keys))
        # After it, since other threads may ask for the keys meanwhile.
        self._added.update(zip(keys, range(first, first + len(keys)), strict=True))

    def place(self, key: bytes) -> Place | None:
        """Return where the vector of a key is, or None."""
        number = self._added.get(key)
        if number is None:
            (number,) = self._find([key]).tolist()
        if number < 0:
            return None
        shard = bisect.bisect_right(self._starts, number) - 1
        return Place(self._shards[shard], number - self._starts[shard])

    def records(self, keys: Sequence[bytes]) -> Iterator[Records]:
        """Yield the records of those keys that were there at the beginning, shard by shard."""
        numbers = self._find(keys)
        asked = np.argsort(numbers, kind="stable")
        asked = asked[numbers[asked] >= 0]
        starts = np.array([*self._starts, self._count], np.int64)
        ends = np.searchsorted(numbers[asked], starts)
        for shard in np.flatnonzero(np.diff(ends)).tolist():
            here = asked[ends[shard] : ends[shard + 1]]
            yield Records(self._shards[shard], numbers[here] - starts[shard], here)

    def _append(self, shard: Path, count: int) -> None:
        self._shards.append(shard)
        self._starts.append(self._count)
        self._count += count

    def _find(self, keys: Sequence[bytes]) -> NDArray[np.int64]:
        """Return int64 [n], the number of each key's record among all that were there, or -1."""
        wanted: Keys = np.array(keys, _KEY)
        # The last of those that are equal, if there are any.
        places = np.searchsorted(self._keys, wanted, side="right") - 1
        if len(self._keys) == 0:
            return places
        return np.where(self._keys[places] == wanted, self._numbers[places], -1)
