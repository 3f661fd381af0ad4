"""Computes the feature vectors ("bottlenecks") of a dataset in batches, with a cache on disk."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Pixels, Vectors
from retraining.data import images, needed_files, prefetching, sample_depth
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.errors import BadImage, BadRequest
from retraining.features import extraction
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet, SkippedImage
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.progress import progress
from retraining.runtimes.batches import BATCH_SIZE
from retraining.storage import large_arrays

_SPLITS = tuple(Split)
_ROWS_AT_ONCE = 4096

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    """A row to fill: with a vector from the cache, or with one to be computed from pixels."""

    row: int
    key: bytes
    vector: Vectors | None = None
    pixels: Pixels | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """The views of one image and the SHA-256 of its file, or the reason why it cannot be used.

    An image whose depth can only be decided from all images has just its `largest` value.
    """

    number: int
    views: tuple[_View, ...] = ()
    digest: bytes = b""
    reason: str = ""
    largest: int | None = None


def compute(
    dataset: Dataset, extractor: FeatureExtractor, cache: BottleneckCache, views: Views | None = None
) -> Bottlenecks:
    """Return the vectors of all images, taken from the cache if they are in it.

    New vectors are added to the cache, even on Ctrl-C. Files that cannot be used are left out, and listed in
    the result. If neither the dataset nor the files say how many bits 16-bit images use, it is decided from
    all of them; the result's dataset has it. Raises BadRequest if images that a list knows are not here, and
    the cache has none of their vectors; WorkFailed if the module gives values that are not numbers, or the
    disk is full.
    """
    run = _Computation(dataset, extractor, cache, views or Views())
    started = time.monotonic()
    try:
        run.compute()
    finally:
        cache.flush()
    if run.extracted:
        seconds = time.monotonic() - started
        log.info(
            "%s bottleneck%s computed in %.1f s (%.0f images per second).",
            f"{run.extracted:,}",
            "" if run.extracted == 1 else "s",
            seconds,
            run.extracted / seconds,
        )
    return _by_split(dataset, run)


class _Rows:
    """Which rows of the array belong to which image: one row for each view, set after set."""

    def __init__(self, items: tuple[LabelledImage, ...], views: Views) -> None:
        self._counts = np.array([views.count(item.split) for item in items])
        # Sorted by set, so that the array of each set is a slice of this one, and not a copy.
        splits = np.array([_SPLITS.index(item.split) for item in items])
        order = np.argsort(splits, kind="stable")
        self.item_of_row = np.repeat(order, self._counts[order])
        self.split_of_row = splits[self.item_of_row]
        self.most_views = int(self._counts.max())
        self._first = np.empty(len(items), np.int64)
        self._first[order] = np.cumsum(self._counts[order]) - self._counts[order]

    def of_item(self, number: int) -> range:
        """Return the rows of an image's views."""
        first = int(self._first[number])
        return range(first, first + int(self._counts[number]))


class _Computation:
    """The array of vectors while it is being filled."""

    def __init__(
        self,
        dataset: Dataset,
        extractor: FeatureExtractor,
        cache: BottleneckCache,
        views: Views,
    ) -> None:
        self.items = items = dataset.images
        self.significant_bits = dataset.significant_bits
        self.rows = _Rows(items, views)
        count = len(self.rows.item_of_row)
        self.vectors = large_arrays.allocate(count, extractor.feature_size, cache.folder)
        self.keys: list[bytes] = [b""] * count
        self.digests: list[bytes] = [b""] * len(items)
        self.extracted = 0  # vectors that were computed
        self.reasons: dict[int, str] = {}  # why an image cannot be used, by its number
        self._extractor = extractor
        self._cache = cache
        self._views = views
        self._has_numbers = False

    def compute(self) -> None:
        batch: list[_View] = []
        for prepared in self._prepared(self._not_filled()):
            if prepared.reason:
                self.reasons[prepared.number] = prepared.reason
            self.digests[prepared.number] = prepared.digest
            for view in prepared.views:
                self.keys[view.row] = view.key
                if view.vector is not None:
                    self.vectors[view.row] = view.vector
                    self._has_numbers = True
                    continue
                batch.append(view)
                if len(batch) == BATCH_SIZE:
                    self._extract(batch)
                    batch = []
        if batch:
            self._extract(batch)

    def _not_filled(self) -> Sequence[int]:
        """Fill in what the cache has of images whose keys are known; return the numbers of all others.

        That is a hundred times as fast as to look for one image after another.
        """
        if not any(item.known for item in self.items):
            return range(len(self.items))
        for number, item in enumerate(self.items):
            if item.known is not None:
                keys = self._views.keys(item.split, item.known.identity(self.significant_bits))
                for row, key in zip(self.rows.of_item(number), keys, strict=True):
                    self.keys[row] = key
                self.digests[number] = item.known.digest
        is_filled = self._cache.fill(self.vectors, self.keys)
        self._has_numbers = bool(is_filled.any())
        if not self._has_numbers:
            self._check_are_here()
        is_complete = np.ones(len(self.items), bool)
        is_complete[self.rows.item_of_row[~is_filled]] = False
        others: list[int] = np.flatnonzero(~is_complete).tolist()
        return others

    def _check_are_here(self) -> None:
        """Raise BadRequest if images that are not here have no vector either: it is another cache."""
        missing = needed_files.first_missing(self.items)
        if missing is not None:
            raise BadRequest(
                "'{folder}' has no vector of the images that the list knows, and '{file}' is not on this "
                "computer. Give the {bottleneck_dir} and the {tfhub_module} with which the list was made.",
                folder=self._cache.folder,
                file=missing,
            )

    def _prepared(self, numbers: Sequence[int]) -> Iterator[_Prepared]:
        """Yield these images, while a progress bar is shown."""
        return progress(self._all_prepared(numbers), total=len(numbers), task="Bottlenecks", unit="image")

    def _all_prepared(self, numbers: Iterable[int]) -> Iterator[_Prepared]:
        """Yield every image once; those whose depth all images decide come last, when it is decided."""
        undecided: dict[int, int] = {}
        for prepared in self._ahead(numbers):
            if prepared.largest is None:
                yield prepared
            else:
                undecided[prepared.number] = prepared.largest
        if undecided:
            self.significant_bits = sample_depth.decided(list(undecided.values()))
            yield from self._ahead(undecided)

    def _ahead(self, numbers: Iterable[int]) -> Iterator[_Prepared]:
        # Two batches ahead: one is being decoded while another waits for the extractor.
        lookahead = max(4, 2 * BATCH_SIZE // self.rows.most_views)
        return prefetching.ahead(numbers, self._prepare, lookahead=lookahead)

    def _prepare(self, number: int) -> _Prepared:
        """Return the views of an image; its file is only opened if one of them is not in the cache."""
        known = self.items[number].known
        if known is not None:
            views = self._cached(number, known.identity(self.significant_bits))
            if all(view.vector is not None for view in views):
                return _Prepared(number, tuple(views), known.digest)
        return self._read(number)

    def _read(self, number: int) -> _Prepared:
        """Read one file, only once, so that its keys always belong to the bytes that are decoded."""
        try:
            content = self.items[number].read()
            depth = images.depth(content)
            if depth.recorded is None and self.significant_bits is None:
                return _Prepared(number, largest=depth.largest)
            digest = images.digest(content)
            bits = depth.bits(self.significant_bits)
            views = self._cached(number, sample_depth.identity(digest, bits))
            if any(view.vector is None for view in views):
                views = self._decoded(number, views, content)
            return _Prepared(number, tuple(views), digest)
        except BadImage as error:
            return _Prepared(number, reason=str(error))

    def _cached(self, number: int, identity: bytes) -> list[_View]:
        """Return the views of an image, with a vector for those that are in the cache."""
        keys = self._views.keys(self.items[number].split, identity)
        rows = self.rows.of_item(number)
        return [_View(row, key, self._cache.get(key)) for row, key in zip(rows, keys, strict=True)]

    def _decoded(self, number: int, views: list[_View], content: bytes) -> list[_View]:
        """Return the views, with pixels added to those that have no vector."""
        decoded = iter(
            extraction.decode(
                content,
                [view.key for view in views if view.vector is None],
                split=self.items[number].split,
                size=self._extractor.image_size,
                views=self._views,
                significant_bits=self.significant_bits,
            )
        )
        return [
            view if view.vector is not None else dataclasses.replace(view, pixels=next(decoded))
            for view in views
        ]

    def _extract(self, batch: list[_View]) -> None:
        extracted = extraction.extract(
            self._extractor, [view.pixels for view in batch if view.pixels is not None]
        )
        if not (extracted.are_finite.any() or self._has_numbers):
            first = self.items[self.rows.item_of_row[batch[0].row]]
            raise extraction.no_numbers(self._extractor, first.file)
        self._has_numbers = True
        self.extracted += len(batch)
        for view, vector, is_finite in zip(batch, extracted.vectors, extracted.are_finite, strict=True):
            self.vectors[view.row] = vector
            if is_finite:
                self._cache.add(view.key, vector)
            else:
                self.reasons[int(self.rows.item_of_row[view.row])] = extraction.not_numbers(self._extractor)


def _by_split(dataset: Dataset, run: _Computation) -> Bottlenecks:
    items, skipped, item_of_row = run.items, run.reasons, run.rows.item_of_row
    used = [number for number in range(len(items)) if number not in skipped]
    is_used = np.isin(item_of_row, list(skipped), invert=True)

    def set_of(split: Split) -> BottleneckSet:
        (rows,) = np.nonzero((run.rows.split_of_row == _SPLITS.index(split)) & is_used)
        numbers = item_of_row[rows].tolist()
        return BottleneckSet(
            vectors=_slice_of(run.vectors, rows),
            labels=np.array([items[number].label for number in numbers], np.int64),
            files=[items[number].file for number in numbers],
            keys=tuple(run.keys[row] for row in rows),
        )

    return Bottlenecks(
        training=set_of(Split.TRAINING),
        validation=set_of(Split.VALIDATION),
        testing=set_of(Split.TESTING),
        dataset=dataclasses.replace(
            dataset,
            images=tuple(items[number] for number in used),
            significant_bits=run.significant_bits,
        ),
        digests=tuple(run.digests[number] for number in used),
        skipped=tuple(SkippedImage(items[number].file, skipped[number]) for number in sorted(skipped)),
    )


def _slice_of(vectors: Vectors, rows: NDArray[np.int64]) -> Vectors:
    """Return these ascending rows as one slice of the array, moved together over rows that are left out."""
    if len(rows) == 0:
        return vectors[:0]
    first = int(rows[0])
    if rows[-1] - first + 1 != len(rows):
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            moved = vectors[rows[start : start + _ROWS_AT_ONCE]]
            vectors[first + start : first + start + len(moved)] = moved
    return vectors[first : first + len(rows)]
