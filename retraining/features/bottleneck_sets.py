"""Feature vectors ("bottlenecks") of the images of a dataset, set by set."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.arrays import Labels, Vectors
from retraining.data.dataset import Dataset


@dataclasses.dataclass(frozen=True)
class BottleneckSet:
    """The vectors of one set: float32 [n, feature_size], with int64 [n] labels, files and cache keys.

    The key of an image without augmentation is the SHA-256 of its file.
    """

    vectors: Vectors
    labels: Labels
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

    def first_held_out(self) -> BottleneckSet:
        """Return the test set, or if it is empty the validation set, or else the training set."""
        return next(images for images in (self.testing, self.validation, self.training) if len(images))
