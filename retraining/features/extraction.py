"""From the bytes of an image file to feature vectors, as pure functions that any data engine can call.

The bytes give the keys of the image's views (`images.identity`, `Views.keys`). The views whose keys are not
in the cache are decoded, batched and extracted, and their vectors are written to the cache
(`cache.write_shard`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data import augmentation, images
from retraining.data.split import Split
from retraining.errors import WorkFailed
from retraining.features.views import Views
from retraining.runtimes.batches import Images


class Extractor(Protocol):
    """What turns the pixels of images into float32 [n, features]: a FeatureExtractor, or a part of one."""

    @property
    def name(self) -> str:
        """The module's name."""

    def extract(self, images: Images) -> Vectors:
        """Return float32 [n, features] for n images."""


@dataclasses.dataclass(frozen=True)
class Extracted:
    """The vectors of n views, and bool [n]: whether all numbers of a vector are finite."""

    vectors: Vectors
    are_finite: NDArray[np.bool_]


def decode(
    content: bytes,
    keys: Sequence[bytes],
    *,
    split: Split,
    size: ImageSize,
    views: Views,
    significant_bits: int | None = None,
) -> list[Pixels]:
    """Return the views of an image that have these keys; `content` is decoded only once.

    Each view is float32 [size.height, size.width, 3] in [0, 1]. `significant_bits` is that of the image's
    dataset. Raises BadImage.
    """
    image = images.upright(content, views.decoded_size(split, size), significant_bits)
    if not views.are_random(split):
        return [images.resized(image, size) for _ in keys]
    # Seeded by its key, a view depends neither on which other views are drawn nor on threads.
    seeds = (int.from_bytes(key, "big") for key in keys)
    return [augmentation.draw(image, size, views.augmentation, np.random.default_rng(seed)) for seed in seeds]


def extract(extractor: Extractor, pixels: Sequence[Pixels]) -> Extracted:
    """Return the vectors of at most BATCH_SIZE decoded views."""
    vectors = extractor.extract(pixels)
    return Extracted(vectors, np.atleast_1d(np.isfinite(vectors).all(axis=1)))


def not_numbers(extractor: Extractor) -> str:
    """Return why an image is skipped whose vector has numbers that are not finite."""
    return f"makes module {extractor.name} give values that are not numbers"


def no_numbers(extractor: Extractor, file: str) -> WorkFailed:
    """Return the error of a module that gives no finite vector at all; `file` is its first image."""
    return WorkFailed(
        "module {module} gives values that are not numbers (NaN or infinite), first for '{file}'. It is "
        "damaged, or expects pixels in a range other than 0 to 1. Use another module.",
        module=extractor.name,
        file=file,
    )
