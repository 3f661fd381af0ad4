"""Images for networks that are trained from scratch: decoded again in every epoch, in batches."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.data import augmentation, images, prefetching
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.errors import BadImage, WorkFailed
from retraining.features import lost_classes, problem_files
from retraining.features.bottleneck_sets import SkippedImage
from retraining.progress import progress
from retraining.settings.augmentation import AugmentationSettings

_LOOKAHEAD = 64  # decoded images


@dataclasses.dataclass(frozen=True)
class ImageBatch:
    """Pixels float32 [n, height, width, 3] in [0, 1] and labels int64 [n]."""

    pixels: Pixels
    labels: NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class UsableImages:
    """The usable images of a dataset. `fingerprint` (hex) depends on their bytes, classes and sets."""

    dataset: Dataset
    fingerprint: str

    def images_in(self, split: Split) -> tuple[LabelledImage, ...]:
        """Return the images of a set, in order."""
        return tuple(image for image in self.dataset.images if image.split is split)


def usable_images(scanned: Dataset, *, strict: bool = False) -> UsableImages:
    """Return the images of a dataset that can be decoded, with a warning for each of the others.

    Raises BadRequest if too few are left to train on, and WorkFailed if `strict` and any cannot be decoded.
    """
    skipped: list[SkippedImage] = []
    kept, fingerprint = [], hashlib.sha256("\n".join(scanned.labels).encode(errors="surrogateescape"))
    digests = prefetching.ahead(scanned.images, _digest, lookahead=_LOOKAHEAD)
    watched = progress(digests, total=len(scanned.images), task="Checking", unit="image")
    for image, digest in zip(scanned.images, watched, strict=True):
        if isinstance(digest, BadImage):
            skipped.append(SkippedImage(image.path, str(digest)))
            continue
        kept.append(image)
        fingerprint.update(digest + f"{image.label} {image.split.value}".encode())
    usable = dataclasses.replace(scanned, images=tuple(kept))
    problem_files.warn_of_skipped(skipped)
    problem_files.check_strict(skipped, strict=strict)
    lost_classes.check(scanned, usable, skipped)
    return UsableImages(usable, fingerprint.hexdigest())


def batches_in_order(
    items: Sequence[LabelledImage], size: ImageSize, batch_size: int
) -> Iterator[ImageBatch]:
    """Yield every image once, in order. Raises WorkFailed for one that can no longer be read."""
    yield from _batches(items, [_View(item, size) for item in items], batch_size)


def shuffled_batches(
    items: Sequence[LabelledImage],
    size: ImageSize,
    batch_size: int,
    *,
    augmentation: AugmentationSettings,
    seed: Sequence[int],
) -> Iterator[ImageBatch]:
    """Yield every image once, in a random order, each as a random view if augmentation is on.

    `seed` determines both. The sizes of the batches differ by at most one image: a small last batch would
    disturb batch normalization. Raises WorkFailed for an image that can no longer be read.
    """
    order = np.random.default_rng(seed).permutation(len(items))
    shuffled = [items[number] for number in order]
    views = [
        _View(item, size, augmentation, (*seed, int(number)))
        for item, number in zip(shuffled, order, strict=True)
    ]
    yield from _batches(shuffled, views, batch_size)


def batch_count(images: int, batch_size: int) -> int:
    """Return the number of batches in which so many images come."""
    return -(-images // batch_size)


@dataclasses.dataclass(frozen=True)
class _View:
    """An image to decode: unchanged, or as a random view if augmentation is on."""

    item: LabelledImage
    size: ImageSize
    augmentation: AugmentationSettings = AugmentationSettings()
    seed: tuple[int, ...] = ()

    def decode(self) -> Pixels:
        try:
            least = augmentation.least_size(self.size, self.augmentation)
            image = images.upright(images.read(self.item.path), least)
        except BadImage as error:
            raise WorkFailed(
                "{path} {reason}, although it could be read before. Run the command again.",
                path=self.item.path,
                reason=error,
            ) from error
        if not self.augmentation.are_on():
            return images.resized(image, self.size)
        return augmentation.draw(image, self.size, self.augmentation, np.random.default_rng(self.seed))


def _batches(items: Sequence[LabelledImage], views: Sequence[_View], batch_size: int) -> Iterator[ImageBatch]:
    decoded = prefetching.ahead(views, _View.decode, lookahead=max(_LOOKAHEAD, 2 * batch_size))
    for rows in np.array_split(np.arange(len(items)), batch_count(len(items), batch_size)):
        pixels = np.stack([next(decoded) for _ in rows])
        yield ImageBatch(pixels, np.array([items[row].label for row in rows], np.int64))


def _digest(image: LabelledImage) -> bytes | BadImage:
    """Return the SHA-256 of an image's file, or why it cannot be used."""
    try:
        content = images.read(image.path)
        images.upright(content)
    except BadImage as error:
        return error
    return images.digest(content)
