"""The types that hold the feature vectors ("bottlenecks") of a dataset, set by set."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import overload

import numpy as np

from retraining.arrays import Labels, Vectors
from retraining.data.dataset import Dataset


class Paths(Sequence[Path]):
    """Paths that are made from text when they are asked for: a million at once would take 400 MB."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files

    def __len__(self) -> int:
        return len(self._files)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> Paths: ...
    def __getitem__(self, index: int | slice) -> Path | Paths:
        return Paths(self._files[index]) if isinstance(index, slice) else Path(self._files[index])


@dataclasses.dataclass(frozen=True)
class BottleneckSet:
    """The vectors of one set, and for each vector the label, the image file and the key in the cache.

    An image has one vector for each of its views. Without augmentation the key is its `images.identity`.
    """

    vectors: Vectors
    labels: Labels
    files: Sequence[str]
    keys: Sequence[bytes]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def paths(self) -> Paths:
        """The files' paths."""
        return Paths(self.files)

    def sample(self, count: int) -> BottleneckSet:
        """Return up to `count` vectors from all over the set, of images that are on this computer if any are.

        They are the same in every run, in the order of the set.
        """
        order = np.random.default_rng(0).permutation(len(self)).tolist()
        here = (row for row in order if self.paths[row].exists())
        rows = sorted(list(itertools.islice(here, count)) or order[:count])
        return BottleneckSet(
            vectors=self.vectors[rows],
            labels=self.labels[rows],
            files=[self.files[row] for row in rows],
            keys=[self.keys[row] for row in rows],
        )


@dataclasses.dataclass(frozen=True)
class SkippedImage:
    """A file that cannot be used, and the reason, which reads on after "it".

    The file is kept as text, which is what people are told: a path would break an address.
    """

    file: str
    reason: str

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.file)


@dataclasses.dataclass(frozen=True)
class Bottlenecks:
    """The feature vectors of a dataset: its three sets, and the files that had to be skipped.

    `dataset` holds only the images that could be used; `digests` are the SHA-256 of their files, in the same
    order.
    """

    training: BottleneckSet
    validation: BottleneckSet
    testing: BottleneckSet
    dataset: Dataset
    digests: tuple[bytes, ...]
    skipped: tuple[SkippedImage, ...]

    def only_held_out(self, count: int) -> Bottlenecks:
        """Return a sample of `first_held_out`, without the vectors of other sets and without digests."""
        kept = self.first_held_out()

        def part(images: BottleneckSet) -> BottleneckSet:
            return images.sample(count if images is kept else 0)

        return dataclasses.replace(
            self,
            training=part(self.training),
            validation=part(self.validation),
            testing=part(self.testing),
            digests=(),
        )

    def first_held_out(self) -> BottleneckSet:
        """Return the test set; if it is empty, the validation set; if that is empty too, the training set."""
        return next(images for images in (self.testing, self.validation, self.training) if len(images))
