"""Images of made-up classes, as vectors around a centre for each class: no files, no network."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence

import numpy as np

from retraining.arrays import Labels, Vectors
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.features import image_vectors
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet

FEATURES = 24


def bottlenecks(vectors: Vectors, labels: Labels, splits: Sequence[Split], classes: int) -> Bottlenecks:
    """Return images with these vectors, labels and sets, named and numbered in this order."""
    images = tuple(
        LabelledImage(f"{number}.jpg", int(label), split)
        for number, (label, split) in enumerate(zip(labels, splits, strict=True))
    )
    digests = tuple(hashlib.sha256(vector.tobytes()).digest() for vector in vectors)

    def of_set(split: Split) -> BottleneckSet:
        (rows,) = np.nonzero([image.split is split for image in images])
        files = tuple(images[row].file for row in rows)
        return BottleneckSet(vectors[rows], labels[rows], files, tuple(digests[row] for row in rows))

    dataset = Dataset(tuple(f"class {number}" for number in range(classes)), images)
    sets = {split.value: of_set(split) for split in Split}
    return Bottlenecks(**sets, dataset=dataset, digests=digests, skipped=())


def blobs(
    counts: Sequence[int], *, spread: float = 0.6, seed: int = 0, held_out: tuple[float, float] = (0.1, 0.1)
) -> Bottlenecks:
    """Return `counts` images of each class, the first of each a training image.

    `held_out` are the shares of validation and test images; `spread` is how far images are from the centre of
    their class, in each direction, where centres are about 1.4 apart.
    """
    rng = np.random.default_rng(seed)
    centres = rng.standard_normal((len(counts), FEATURES))
    labels = np.repeat(np.arange(len(counts)), counts)
    vectors = 2 * centres[labels] + 2 * spread * rng.standard_normal((len(labels), FEATURES))
    drawn = rng.choice(3, len(labels), p=[1 - sum(held_out), *held_out])
    drawn[np.cumsum([0, *counts])[:-1][np.array(counts) > 0]] = 0
    splits = [list(Split)[number] for number in drawn]
    return bottlenecks(vectors.astype(np.float32), labels, splits, len(counts))


def relabelled(images: Bottlenecks, labels: Mapping[int, int]) -> Bottlenecks:
    """Return the images with other labels for those with these numbers."""
    dataset = images.dataset
    changed = tuple(
        image._replace(label=labels.get(number, image.label)) for number, image in enumerate(dataset.images)
    )
    dataset = dataclasses.replace(dataset, images=changed)
    found = np.array([image.label for image in changed])
    sets = {
        split.value: dataclasses.replace(each, labels=found[image_vectors.numbers(images, split)])
        for split, each in image_vectors.sets(images)
    }
    return dataclasses.replace(images, dataset=dataset, **sets)  # type: ignore[arg-type]


def flipped(images: Bottlenecks, count: int, *, seed: int = 0) -> tuple[Bottlenecks, set[int]]:
    """Return the images with `count` labels changed to other ones, and the numbers of those images."""
    rng = np.random.default_rng(seed)
    classes = len(images.dataset.labels)
    chosen = rng.choice(len(images.dataset.images), count, replace=False).tolist()
    labels = {
        number: int(images.dataset.images[number].label + 1 + rng.integers(classes - 1)) % classes
        for number in chosen
    }
    return relabelled(images, labels), set(chosen)
