"""One feature vector for each image of a dataset, whatever views its vectors are of."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels, Vectors
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet

_IMAGES_AT_ONCE = 1024


@dataclasses.dataclass(frozen=True)
class ImageVectors:
    """Images of one or more sets, with one vector each; the vectors may stay on disk.

    `numbers` int64 [n] are the images' places in the dataset, `labels` int64 [n] their classes, and `parts`
    their vectors, in the same order, in arrays float32 [.., feature_size]. With `rows`, int64 [n], they are
    only those in these rows of the parts.
    """

    numbers: NDArray[np.int64]
    labels: Labels
    parts: tuple[Vectors, ...]
    rows: NDArray[np.int64] | None = None

    @classmethod
    def of_sets(cls, bottlenecks: Bottlenecks, *splits: Split) -> ImageVectors:
        """Return the images of some sets, set after set."""
        found = dict(sets(bottlenecks))
        places = np.concatenate([numbers(bottlenecks, split) for split in splits])
        labels = np.array([image.label for image in bottlenecks.dataset.images], np.int64)[places]
        parts = (_one_each(found[split], len(numbers(bottlenecks, split))) for split in splits)
        return cls(places, labels, tuple(parts))

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def feature_size(self) -> int:
        """How many numbers a vector has."""
        return int(self.parts[0].shape[1])

    def take(self, rows: NDArray[np.int64]) -> Vectors:
        """Return float32 [len(rows), feature_size], the vectors of these images."""
        found = np.empty((len(rows), self.feature_size), np.float32)
        rows = rows if self.rows is None else self.rows[rows]
        first = 0
        for part in self.parts:
            (here,) = np.nonzero((rows >= first) & (rows < first + len(part)))
            found[here] = part[rows[here] - first]
            first += len(part)
        return found

    def only(self, rows: NDArray[np.int64]) -> ImageVectors:
        """Return only these images, whose vectors stay where they are."""
        within = rows if self.rows is None else self.rows[rows]
        return ImageVectors(self.numbers[rows], self.labels[rows], self.parts, within)

    def sample(self, digests: Sequence[bytes], most: int) -> NDArray[np.int64]:
        """Return int64 [k], the rows of about `most` images, ascending, or of all if there are not more.

        Each class has its share, and one image at least: those with the least hashes, so that the same images
        are drawn in every run, however they are named and ordered. `digests` are the SHA-256 of the files of
        the dataset.
        """
        if len(self) <= most:
            return np.arange(len(self))
        hashes = np.frombuffer(b"".join([digests[number][:8] for number in self.numbers.tolist()]), ">u8")
        order = np.lexsort((hashes, self.labels))
        counts = np.bincount(self.labels)
        ranks = np.arange(len(self)) - (np.cumsum(counts) - counts)[self.labels[order]]
        quotas = np.maximum(1, counts * most // len(self))
        return np.sort(order[ranks < quotas[self.labels[order]]])

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
        """Yield all rows and their vectors, a block at a time."""
        for start in range(0, len(self), _IMAGES_AT_ONCE):
            rows = np.arange(start, min(start + _IMAGES_AT_ONCE, len(self)))
            yield rows, self.take(rows)


def blocks(bottlenecks: Bottlenecks) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Yield the numbers of images in the dataset, and one vector for each, a block at a time."""
    for split, _ in sets(bottlenecks):
        images = ImageVectors.of_sets(bottlenecks, split)
        for rows, vectors in images.blocks():
            yield images.numbers[rows], vectors


def _one_each(images: BottleneckSet, count: int) -> Vectors:
    """Return float32 [count, feature_size], the mean of the vectors of each image.

    What is random in views nearly cancels out in it, and no image has to go through the network again.
    """
    if len(images) == count:
        return images.vectors
    views = len(images) // count
    found = np.empty((count, images.vectors.shape[1]), np.float32)
    for start in range(0, count, _IMAGES_AT_ONCE):
        part = images.vectors[start * views : (start + _IMAGES_AT_ONCE) * views]
        found[start : start + _IMAGES_AT_ONCE] = part.reshape(-1, views, part.shape[1]).mean(1)
    return found


def numbers(bottlenecks: Bottlenecks, split: Split) -> NDArray[np.int64]:
    """Return int64 [n], the places in the dataset of the images of a set."""
    return np.array(
        [number for number, image in enumerate(bottlenecks.dataset.images) if image.split is split], np.int64
    )


def sets(bottlenecks: Bottlenecks) -> Iterator[tuple[Split, BottleneckSet]]:
    """Yield the three sets, each with its vectors."""
    yield Split.TRAINING, bottlenecks.training
    yield Split.VALIDATION, bottlenecks.validation
    yield Split.TESTING, bottlenecks.testing
