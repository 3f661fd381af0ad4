"""The step that computes: images are read again, decoded and extracted, their vectors written to shards."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from apache_beam.pvalue import TaggedOutput

from retraining.arrays import Pixels, Vectors
from retraining.data import images, prefetching
from retraining.data.split import Split
from retraining.distribution import copies, counters, photographs
from retraining.distribution.elements import Copy, Missing
from retraining.distribution.network_file import LoadedNetwork, NetworkFile
from retraining.distribution.shard_files import ShardFiles
from retraining.distribution.steps import Step
from retraining.errors import BadImage
from retraining.features import extraction, shards
from retraining.features.views import Views
from retraining.runtimes.batches import BATCH_SIZE


class ComputeVectors(Step):
    """From a group of missing vectors to the images that cannot be used after all.

    As REASONS comes, by key, why a content cannot be used, for its copies that are not named here.
    The vectors go to the cache. What is written depends on the group alone: tried again after a failure, or
    on another worker, it is the same files.
    """

    def __init__(
        self,
        network: NetworkFile,
        shards: ShardFiles,
        views: Views,
        *,
        has_numbers: bool = False,
        processors: int | None = None,
    ) -> None:
        """Prepare it; `has_numbers` says that the cache has finite vectors of this network already.

        `processors` is how many a worker process is to use, None for all.
        """
        self._network = network
        self._shards = shards
        self._views = views
        self._has_numbers = has_numbers
        self._processors = processors

    def work(self, element: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        """Yield the images of a group that cannot be used, and why."""
        _, missing = element
        prefetching.use_processors(self._processors)
        loaded = self._network.loaded()
        loaded.has_numbers |= self._has_numbers
        group = _Group(loaded, self._shards, self._views)
        yield from group.compute(_works(map(Missing._make, missing)))
        counters.count(
            computed=group.computed,
            reading_ms=counters.milliseconds(group.reading),
            decoding_ms=counters.milliseconds(group.decoding),
            extracting_ms=counters.milliseconds(group.extracting),
        )


@dataclasses.dataclass(frozen=True, order=True)
class _Work:
    """A file's content, the first images that have it, and the keys of its views that are to be computed."""

    digest: bytes
    bits: int
    split: str
    copies: tuple[Copy, ...]
    keys: tuple[bytes, ...]

    def unusable(self, reason: str) -> Iterator[Any]:
        """Yield all images that have this content, as such that cannot be used."""
        yield from (copy.failure(reason) for copy in self.copies)
        yield from self.for_spares(reason)

    def for_spares(self, reason: str) -> Iterator[TaggedOutput]:
        """Yield why the images that have this content, but are not among `copies`, cannot be used."""
        if len(self.copies) == copies.MOST:
            yield from (TaggedOutput(copies.REASONS, (key, reason)) for key in self.keys)


@dataclasses.dataclass
class _Decoded:
    """A content's pixels for each key, or none, and what is told of images that it cannot be got from.

    `reading` and `decoding` are seconds.
    """

    work: _Work
    pixels: list[Pixels] = dataclasses.field(default_factory=list)
    failures: list[Any] = dataclasses.field(default_factory=list)
    reading: float = 0.0
    decoding: float = 0.0


@dataclasses.dataclass(frozen=True)
class _View:
    """Pixels that are waiting for their vector."""

    key: bytes
    pixels: Pixels
    work: _Work


def _works(missing: Iterable[Missing]) -> list[_Work]:
    """Return the missing vectors by their content, always in the same order."""
    keys: dict[tuple[bytes, int, str], dict[bytes, Missing]] = {}
    for vector in missing:
        keys.setdefault((vector.digest, vector.bits, vector.split), {})[vector.key] = vector
    return sorted(
        _Work(*content, tuple(map(Copy._make, next(iter(found.values())).copies)), tuple(sorted(found)))
        for content, found in keys.items()
    )


class _Group:
    """A group while it is computed: a batch that is being filled, and a shard.

    `computed` counts vectors; `reading`, `decoding` and `extracting` are seconds.
    """

    def __init__(self, network: LoadedNetwork, shards: ShardFiles, views: Views) -> None:
        self.computed = 0
        self.reading = self.decoding = self.extracting = 0.0
        self._network = network
        self._shards = shards
        self._views = views
        self._batch: list[_View] = []
        self._shard: dict[bytes, Vectors] = {}

    def compute(self, works: list[_Work]) -> Iterator[Any]:
        """Compute all vectors and write them. Yield the images that cannot be used."""
        most_keys = max(len(work.keys) for work in works)
        lookahead = max(4, 2 * BATCH_SIZE // most_keys)
        threads = photographs.threads(copy.file for work in works for copy in work.copies)
        for decoded in prefetching.ahead(works, self._decoded, lookahead=lookahead, threads=threads):
            self.reading += decoded.reading
            self.decoding += decoded.decoding
            yield from decoded.failures
            for key, pixels in zip(decoded.work.keys, decoded.pixels, strict=False):
                self._batch.append(_View(key, pixels, decoded.work))
                if len(self._batch) == BATCH_SIZE:
                    yield from self._extract()
        if self._batch:
            yield from self._extract()
        self._write(self._shard)

    def _decoded(self, work: _Work) -> _Decoded:
        decoded = _Decoded(work)
        content = self._read(decoded)
        started = time.perf_counter()
        try:
            if content is not None:
                decoded.pixels = extraction.decode(
                    content,
                    work.keys,
                    split=Split(work.split),
                    size=self._network.image_size,
                    views=self._views,
                    significant_bits=work.bits,
                )
        except BadImage as error:
            decoded.failures = list(work.unusable(str(error)))
        decoded.decoding = time.perf_counter() - started
        return decoded

    def _read(self, decoded: _Decoded) -> bytes | None:
        """Return the content from the first of its files that still has it, or None."""
        started = time.perf_counter()
        try:
            for copy in decoded.work.copies:
                try:
                    content = photographs.read(copy.file)
                    if images.digest(content) == decoded.work.digest:
                        return content
                    reason = "has changed since it was listed (its SHA-256 differs)"
                except BadImage as error:
                    reason = str(error)
                decoded.failures.append(copy.failure(reason))
            decoded.failures += decoded.work.for_spares(f"is a copy of {copy.file}, which {reason}")
            return None
        finally:
            decoded.reading = time.perf_counter() - started

    def _extract(self) -> Iterator[Any]:
        """Compute the vectors of the batch. Yield the images whose vectors are not finite."""
        batch, self._batch = self._batch, []
        started = time.perf_counter()
        extracted = extraction.extract(self._network, [view.pixels for view in batch])
        self.extracting += time.perf_counter() - started
        if not (extracted.are_finite.any() or self._network.has_numbers):
            raise extraction.no_numbers(self._network, batch[0].work.copies[0].file)
        self._network.has_numbers = True
        for view, vector, is_finite in zip(batch, extracted.vectors, extracted.are_finite, strict=True):
            if is_finite:
                self._keep(view.key, vector)
            else:
                reason = extraction.not_numbers(self._network)
                yield from view.work.unusable(reason)

    def _keep(self, key: bytes, vector: Vectors) -> None:
        # A copy, because a row of a batch would keep the whole batch in memory.
        self._shard[key] = np.array(vector)
        if len(self._shard) == shards.SHARD_SIZE:
            self._write(self._shard)
            self._shard = {}

    def _write(self, vectors: dict[bytes, Vectors]) -> None:
        if vectors:
            self._shards.write(dict(sorted(vectors.items())))
            self.computed += len(vectors)
