"""Which vectors are wanted, which of them the cache has, and so which are to be computed."""

from __future__ import annotations

import collections
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.pvalue import TaggedOutput

from retraining.data import sample_depth
from retraining.data.split import Split
from retraining.distribution import counters, shard_files
from retraining.distribution.copies import SPARES, Copies
from retraining.distribution.elements import Found, Missing, Wanted
from retraining.distribution.steps import Step
from retraining.features.views import Views

_KEY_BYTES_OF_GROUP = 8


def group_of(key: bytes, groups: int) -> int:
    """Return the group, from 0 to groups - 1, of a key; SHA-256 spreads them evenly."""
    return int.from_bytes(key[:_KEY_BYTES_OF_GROUP], "big") % groups


class WantVectors(Step):
    """From an image to a Wanted for each of its views, by the group of its key."""

    def __init__(self, views: Views, groups: int) -> None:
        self._views = views
        self._groups = groups

    def work(self, element: tuple[Any, ...]) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Yield the vectors that are wanted for a Found."""
        found = Found(*element)
        if found.reason:
            return
        identity = sample_depth.identity(found.digest, found.bits)
        for key in self._views.keys(Split(found.split), identity):
            wanted = Wanted(key, found.digest, found.bits, found.split, found.piece, found.line, found.file)
            yield group_of(key, self._groups), tuple(wanted)


class ShardNames(Step):
    """From anything to the names of all shards in the cache, which only a worker lists: there may be many."""

    def __init__(self, shards: shard_files.ShardFiles) -> None:
        self._shards = shards

    def work(self, _: object) -> list[str]:
        """Return the names."""
        return self._shards.names()


class CachedKeys(Step):
    """From the name of a shard to the keys in it, by their groups; a damaged shard has none."""

    def __init__(self, shards: shard_files.ShardFiles, groups: int) -> None:
        self._shards = shards
        self._groups = groups

    def work(self, name: str) -> Iterator[tuple[int, bytes]]:
        """Yield the keys of vectors that the cache has."""
        for key in self._shards.keys(name):
            yield group_of(key, self._groups), key


class MissingVectors(Step):
    """From a group of wanted and cached keys to a Missing for each key that the cache lacks.

    They come by the group of their content, so that all views of an image are computed together. As SPARES
    come all copies, by key, beyond the first of a content.
    """

    def __init__(self, groups: int) -> None:
        self._groups = groups

    def work(self, element: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        """Yield the vectors of a group that are to be computed."""
        _, group = element
        copies: collections.defaultdict[bytes, Copies] = collections.defaultdict(Copies)
        cached: set[bytes] = set()
        wanted_count = 0
        for value in group:  # which may be longer than what a worker can hold
            if isinstance(value, bytes):
                cached.add(value)
                continue
            wanted = Wanted._make(value)
            wanted_count += 1
            if (spare := copies[wanted.key].add(wanted)) is not None:
                yield TaggedOutput(SPARES, (spare.key, tuple(spare.copy)))
        counters.count(duplicates=wanted_count - len(copies), cached=len(copies.keys() & cached))
        for key in copies.keys() - cached:
            missing = _missing(copies[key].first)
            yield group_of(missing.digest, self._groups), tuple(missing)


def _missing(wanted: list[Wanted]) -> Missing:
    first, *_ = wanted
    copies = sorted(one.copy for one in wanted)
    return Missing(first.key, first.digest, first.bits, first.split, tuple(map(tuple, copies)))  # type: ignore[arg-type]
