"""Feature vectors ("bottlenecks") of a dataset, computed in batches, cached on disk."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining import console, distortions, images, pipeline
from retraining.bottleneck_cache import BottleneckCache
from retraining.dataset import Dataset, LabelledImage, Split
from retraining.errors import BadImage, WorkFailed
from retraining.extractor import BATCH_SIZE, FeatureExtractor, Vectors
from retraining.images import Pixels
from retraining.options import DistortionOptions


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
    """Which views are drawn of a training image; without distortions, the image itself is the one."""

    distortions: DistortionOptions = DistortionOptions()
    seed: int = 0

    def of(self, split: Split) -> int:
        """Return how many views an image of a set has. Only training images are ever distorted."""
        distorted = split is Split.TRAINING and self.distortions.are_on()
        return self.distortions.distorted_views if distorted else 1

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
    """The matrix of vectors while it fills: a row for each view of each image."""

    def __init__(
        self,
        items: tuple[LabelledImage, ...],
        extractor: FeatureExtractor,
        cache: BottleneckCache,
        views: Views,
    ) -> None:
        self.items = items
        counts = [views.of(item.split) for item in items]
        self.item_of_row = np.repeat(np.arange(len(items)), counts)
        self.vectors = np.empty((len(self.item_of_row), extractor.feature_size), np.float32)
        self.keys: list[bytes] = [b""] * len(self.item_of_row)
        self.digests: list[bytes] = [b""] * len(items)
        self.reasons: dict[int, str] = {}  # by the number of an image that cannot be used
        self._first_row = np.cumsum([0, *counts])
        self._lookahead = max(4, 2 * BATCH_SIZE // max(counts))
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
        images_ahead = pipeline.ahead(range(len(self.items)), self._prepare, lookahead=self._lookahead)
        return console.progress(images_ahead, total=len(self.items), task="Bottlenecks", unit="image")

    def _prepare(self, number: int) -> _Prepared:
        """Read one file, once, so that the keys are surely those of the bytes that are decoded."""
        try:
            content = images.read(self.items[number].path)
            digest = images.digest(content)
            views = self._cached(number, digest)
            if any(view.vector is None for view in views):
                views = self._drawn(number, views, images.upright(content))
            return _Prepared(number, tuple(views), digest)
        except BadImage as error:
            return _Prepared(number, reason=error.reason)

    def _cached(self, number: int, digest: bytes) -> list[_View]:
        rows = range(self._first_row[number], self._first_row[number + 1])
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
        return distortions.draw(image, self._extractor.image_size, self._views.distortions, rng)

    def _is_distorted(self, number: int) -> bool:
        return self.items[number].split is Split.TRAINING and self._views.distortions.are_on()

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
                # A copy: a row of the batch would keep the whole batch in memory.
                self._cache.add(view.key, vector.copy())
            else:
                reason = f"makes module {self._extractor.name} give values that are not numbers"
                self.reasons[int(self.item_of_row[view.row])] = reason


def _by_split(dataset: Dataset, run: _Run) -> Bottlenecks:
    items, skipped = run.items, run.reasons
    used = [number for number in range(len(items)) if number not in skipped]

    def of(split: Split) -> BottleneckSet:
        rows = [
            row
            for row, number in enumerate(run.item_of_row)
            if items[number].split is split and number not in skipped
        ]
        numbers = run.item_of_row[rows]
        return BottleneckSet(
            vectors=run.vectors[rows],
            labels=np.array([items[number].label for number in numbers], np.int64),
            paths=tuple(items[number].path for number in numbers),
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
