"""Feature vectors ("bottlenecks") of a dataset, computed in batches, cached on disk."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining import console, images, pipeline
from retraining.bottleneck_cache import BottleneckCache
from retraining.dataset import Dataset, LabelledImage, Split
from retraining.errors import BadImage
from retraining.extractor import BATCH_SIZE, FeatureExtractor, Vectors
from retraining.images import Pixels

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class BottleneckSet:
    """The vectors of one set: float32 [n, feature_size], with int64 [n] labels, files and their SHA-256."""

    vectors: Vectors
    labels: NDArray[np.int64]
    paths: tuple[Path, ...]
    digests: tuple[bytes, ...]

    def __len__(self) -> int:
        return len(self.paths)


@dataclasses.dataclass(frozen=True)
class SkippedImage:
    """A file that is no usable image, and why."""

    path: Path
    reason: str


@dataclasses.dataclass(frozen=True)
class Bottlenecks:
    """The three sets, the dataset without the files that were no images, and those files."""

    training: BottleneckSet
    validation: BottleneckSet
    testing: BottleneckSet
    dataset: Dataset
    skipped: tuple[SkippedImage, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class _Prepared:
    """An image on its way: a vector from the cache, or pixels to compute one of, or neither."""

    row: int
    key: bytes = b""
    vector: Vectors | None = None
    pixels: Pixels | None = None
    reason: str = ""


def compute(dataset: Dataset, extractor: FeatureExtractor, cache: BottleneckCache) -> Bottlenecks:
    """Return the vectors of all images, from the cache where it has them.

    What is computed is added to the cache, on Ctrl-C too. Files that are no images are left out,
    listed in the result and warned of.
    """
    run = _Run(dataset.images, extractor, cache)
    try:
        run.compute()
    finally:
        cache.flush()
    for image in run.skipped:
        log.warning("skipped %s: it %s.", image.path, image.reason)
    return _by_split(dataset, run)


class _Run:
    """The matrix of vectors while it fills."""

    def __init__(
        self, items: tuple[LabelledImage, ...], extractor: FeatureExtractor, cache: BottleneckCache
    ) -> None:
        self.items = items
        self.vectors = np.empty((len(items), extractor.feature_size), np.float32)
        self.keys: list[bytes] = [b""] * len(items)
        self.skipped: list[SkippedImage] = []
        self._extractor = extractor
        self._cache = cache

    def compute(self) -> None:
        batch: list[_Prepared] = []
        for prepared in self._prepared():
            self.keys[prepared.row] = prepared.key
            if prepared.vector is not None:
                self.vectors[prepared.row] = prepared.vector
            elif prepared.pixels is not None:
                batch.append(prepared)
            else:
                self.skipped.append(SkippedImage(self.items[prepared.row].path, prepared.reason))
            if len(batch) == BATCH_SIZE:
                self._extract(batch)
                batch = []
        if batch:
            self._extract(batch)

    def _prepared(self) -> Iterator[_Prepared]:
        # Two batches ahead: one being decoded while one waits for the network.
        rows = pipeline.ahead(range(len(self.items)), self._prepare, lookahead=2 * BATCH_SIZE)
        return console.progress(rows, total=len(self.items), task="Bottlenecks", unit="image")

    def _prepare(self, row: int) -> _Prepared:
        """Read one file, once, so that the key is surely that of the bytes that are decoded."""
        try:
            content = images.read(self.items[row].path)
            key = images.digest(content)
            vector = self._cache.get(key)
            if vector is not None:
                return _Prepared(row, key, vector=vector)
            return _Prepared(row, key, pixels=images.decode(content, self._extractor.image_size))
        except BadImage as error:
            return _Prepared(row, reason=error.reason)

    def _extract(self, batch: list[_Prepared]) -> None:
        pixels = np.stack([image.pixels for image in batch if image.pixels is not None])
        for image, vector in zip(batch, self._extractor.extract(pixels), strict=True):
            self.vectors[image.row] = vector
            # A copy: a row of the batch would keep the whole batch in memory.
            self._cache.add(image.key, vector.copy())


def _by_split(dataset: Dataset, run: _Run) -> Bottlenecks:
    skipped = {image.path for image in run.skipped}
    usable = [row for row, item in enumerate(run.items) if item.path not in skipped]

    def of(split: Split) -> BottleneckSet:
        rows = [row for row in usable if run.items[row].split is split]
        return BottleneckSet(
            vectors=run.vectors[rows],
            labels=np.array([run.items[row].label for row in rows], np.int64),
            paths=tuple(run.items[row].path for row in rows),
            digests=tuple(run.keys[row] for row in rows),
        )

    return Bottlenecks(
        training=of(Split.TRAINING),
        validation=of(Split.VALIDATION),
        testing=of(Split.TESTING),
        dataset=Dataset(dataset.labels, tuple(run.items[row] for row in usable)),
        skipped=tuple(run.skipped),
    )
