"""Feature vectors ("bottlenecks") of a dataset, computed in batches, cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.cli import console
from retraining.data import augmentation, images, prefetching
from retraining.data.dataset import Dataset, LabelledImage, Split
from retraining.data.images import Pixels
from retraining.errors import BadImage, WorkFailed
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor, Vectors
from retraining.settings.options import DistortionOptions
from retraining.storage import large_arrays

_SPLITS = tuple(Split)
_ROWS_AT_ONCE = 4096


@dataclasses.dataclass(frozen=True)
class BottleneckSet:
    """The vectors of one set: float32 [n, feature_size], with int64 [n] labels, files and cache keys.

    The key of an image that is not distorted is the SHA-256 of its file.
    """

    vectors: Vectors
    labels: NDArray[np.int64]
    paths: tuple[Path, ...]
    keys: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclasses.dataclass(frozen=True)
class SkippedImage:
    """A file that cannot be used, and why: the reason goes on after "it"."""

    path: Path
    reason: str


@dataclasses.dataclass(frozen=True)
class Bottlenecks:
    """The three sets, the dataset without the files that cannot be used, and those files.

    `digests` are the SHA-256 of the dataset's files, in its order.
    """

    training: BottleneckSet
    validation: BottleneckSet
    testing: BottleneckSet
    dataset: Dataset
    digests: tuple[bytes, ...]
    skipped: tuple[SkippedImage, ...]


@dataclasses.dataclass(frozen=True)
class Views:
    """Which views are kept of a training image; without distortions, the image itself is the one."""

    distortions: DistortionOptions = DistortionOptions()
    seed: int = 0

    def distorts(self, split: Split) -> bool:
        """Return whether distorted views are kept of a set's images: only ever of training images."""
        return split is Split.TRAINING and self.distortions.are_on() and not self.distortions.are_fresh()

    def of(self, split: Split) -> int:
        """Return how many views are kept of an image of a set."""
        return self.distortions.distorted_views if self.distorts(split) else 1

    def key(self, digest: bytes, view: int) -> bytes:
        """Return the key of a distorted view of the file with the SHA-256 `digest`."""
        setting = f"{self.distortions.setting()} seed {self.seed} view {view}"
        return hashlib.sha256(digest + setting.encode()).digest()


@dataclasses.dataclass(frozen=True, slots=True)
class _View:
    """A row on its way: a vector from the cache, or pixels to compute one of."""

    row: int
    key: bytes
    vector: Vectors | None = None
    pixels: Pixels | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """The views of one image and the SHA-256 of its file, or the reason why there are none."""

    number: int
    views: tuple[_View, ...] = ()
    digest: bytes = b""
    reason: str = ""


def compute(
    dataset: Dataset, extractor: FeatureExtractor, cache: BottleneckCache, views: Views | None = None
) -> Bottlenecks:
    """Return the vectors of all images, from the cache where it has them.

    What is computed is added to the cache, on Ctrl-C too. Files that cannot be used are left out and
    listed in the result. Raises WorkFailed if the module gives no numbers, or the disk is full.
    """
    run = _Run(dataset.images, extractor, cache, views or Views())
    try:
        run.compute()
    finally:
        cache.flush()
    return _by_split(dataset, run)


class _Run:
    """The matrix of vectors while it fills: a row for each view of each image, set after set."""

    def __init__(
        self,
        items: tuple[LabelledImage, ...],
        extractor: FeatureExtractor,
        cache: BottleneckCache,
        views: Views,
    ) -> None:
        self.items = items
        counts = np.array([views.of(item.split) for item in items])
        # By set, so that each set's matrix is a part of this one, and no copy of it.
        splits = np.array([_SPLITS.index(item.split) for item in items])
        order = np.argsort(splits, kind="stable")
        self.item_of_row = np.repeat(order, counts[order])
        self.split_of_row = splits[self.item_of_row]
        self.vectors = large_arrays.allocate(len(self.item_of_row), extractor.feature_size, cache.folder)
        self.keys: list[bytes] = [b""] * len(self.item_of_row)
        self.digests: list[bytes] = [b""] * len(items)
        self.reasons: dict[int, str] = {}  # by the number of an image that cannot be used
        self._first_row = np.empty(len(items), np.int64)
        self._first_row[order] = np.cumsum(counts[order]) - counts[order]
        self._counts = counts
        self._least = {
            split: augmentation.least_size(extractor.image_size, views.distortions)
            if views.distorts(split)
            else extractor.image_size
            for split in Split
        }
        self._lookahead = max(4, 2 * BATCH_SIZE // int(counts.max()))
        self._extractor = extractor
        self._cache = cache
        self._views = views
        self._has_numbers = False

    def compute(self) -> None:
        batch: list[_View] = []
        for prepared in self._prepared():
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

    def _prepared(self) -> Iterator[_Prepared]:
        # Two batches ahead: one being decoded while one waits for the network.
        images_ahead = prefetching.ahead(range(len(self.items)), self._prepare, lookahead=self._lookahead)
        return console.progress(images_ahead, total=len(self.items), task="Bottlenecks", unit="image")

    def _prepare(self, number: int) -> _Prepared:
        """Read one file, once, so that the keys are surely those of the bytes that are decoded."""
        try:
            content = images.read(self.items[number].path)
            digest = images.digest(content)
            views = self._cached(number, digest)
            if any(view.vector is None for view in views):
                image = images.upright(content, self._least[self.items[number].split])
                views = self._drawn(number, views, image)
            return _Prepared(number, tuple(views), digest)
        except BadImage as error:
            return _Prepared(number, reason=error.reason)

    def _cached(self, number: int, digest: bytes) -> list[_View]:
        first = int(self._first_row[number])
        rows = range(first, first + int(self._counts[number]))
        keys = [digest]
        if self._is_distorted(number):
            keys = [self._views.key(digest, view) for view in range(len(rows))]
        return [_View(row, key, self._cache.get(key)) for row, key in zip(rows, keys, strict=True)]

    def _drawn(self, number: int, views: list[_View], image: Image.Image) -> list[_View]:
        """Return the views, with pixels for those that have no vector, of one decoded image."""
        draw = self._draw_distorted if self._is_distorted(number) else self._draw
        return [
            view if view.vector is not None else dataclasses.replace(view, pixels=draw(image, view.key))
            for view in views
        ]

    def _draw(self, image: Image.Image, _key: bytes) -> Pixels:
        return images.resized(image, self._extractor.image_size)

    def _draw_distorted(self, image: Image.Image, key: bytes) -> Pixels:
        # Seeded by the key, a view does not depend on which others are drawn, nor on threads.
        rng = np.random.default_rng(int.from_bytes(key, "big"))
        return augmentation.draw(image, self._extractor.image_size, self._views.distortions, rng)

    def _is_distorted(self, number: int) -> bool:
        return self._views.distorts(self.items[number].split)

    def _extract(self, batch: list[_View]) -> None:
        pixels = np.stack([view.pixels for view in batch if view.pixels is not None])
        vectors = self._extractor.extract(pixels)
        are_numbers = np.atleast_1d(np.isfinite(vectors).all(axis=1))
        if not (are_numbers.any() or self._has_numbers):
            first = self.items[self.item_of_row[batch[0].row]]
            raise WorkFailed(
                f"module {self._extractor.name} gives values that are not numbers (NaN or infinite), first "
                f"for '{first.file}'. It is damaged, or takes other pixels than 0 to 1: name another."
            )
        self._has_numbers = True
        for view, vector, is_usable in zip(batch, vectors, are_numbers, strict=True):
            self.vectors[view.row] = vector
            if is_usable:
                self._cache.add(view.key, vector)
            else:
                reason = f"makes module {self._extractor.name} give values that are not numbers"
                self.reasons[int(self.item_of_row[view.row])] = reason


def _by_split(dataset: Dataset, run: _Run) -> Bottlenecks:
    items, skipped = run.items, run.reasons
    used = [number for number in range(len(items)) if number not in skipped]
    is_used = np.isin(run.item_of_row, list(skipped), invert=True)
    paths = {number: items[number].path for number in used}  # one for all views of an image

    def of(split: Split) -> BottleneckSet:
        (rows,) = np.nonzero((run.split_of_row == _SPLITS.index(split)) & is_used)
        numbers = run.item_of_row[rows].tolist()
        return BottleneckSet(
            vectors=_together(run.vectors, rows),
            labels=np.array([items[number].label for number in numbers], np.int64),
            paths=tuple(paths[number] for number in numbers),
            keys=tuple(run.keys[row] for row in rows),
        )

    return Bottlenecks(
        training=of(Split.TRAINING),
        validation=of(Split.VALIDATION),
        testing=of(Split.TESTING),
        dataset=Dataset(dataset.labels, tuple(items[number] for number in used)),
        digests=tuple(run.digests[number] for number in used),
        skipped=tuple(SkippedImage(items[number].path, skipped[number]) for number in sorted(skipped)),
    )


def _together(vectors: Vectors, rows: NDArray[np.int64]) -> Vectors:
    """Return these ascending rows as one part of the matrix, in which they move up over those left out."""
    if len(rows) == 0:
        return vectors[:0]
    first = int(rows[0])
    if rows[-1] - first + 1 != len(rows):
        for start in range(0, len(rows), _ROWS_AT_ONCE):
            moved = vectors[rows[start : start + _ROWS_AT_ONCE]]
            vectors[first + start : first + start + len(moved)] = moved
    return vectors[first : first + len(rows)]
