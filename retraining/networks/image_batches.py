"""Photographs for networks that are trained from scratch: decoded again for every epoch, in batches."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.data import augmentation, dataset, images, prefetching
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.errors import BadImage, WorkFailed
from retraining.features import problem_files
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
    """The usable images of a dataset. `fingerprint` (hex) changes with their bytes, classes and sets."""

    dataset: Dataset
    fingerprint: str

    def of(self, split: Split) -> tuple[LabelledImage, ...]:
        """Return the images of a set, in order."""
        return tuple(image for image in self.dataset.images if image.split is split)


def usable(found: Dataset, *, strict: bool = False) -> UsableImages:
    """Return the images that can be decoded; others are warned of, once for all models.

    Raises BadRequest if what is left cannot be trained on, WorkFailed if `strict` and any is left out.
    """
    skipped: list[SkippedImage] = []
    kept, digest = [], hashlib.sha256("\n".join(found.labels).encode(errors="surrogateescape"))
    checked = prefetching.ahead(found.images, _checked, lookahead=_LOOKAHEAD)
    watched = progress(checked, total=len(found.images), task="Checking", unit="image")
    for image, content in zip(found.images, watched, strict=True):
        if isinstance(content, BadImage):
            skipped.append(SkippedImage(image.path, str(content)))
            continue
        kept.append(image)
        digest.update(content + f"{image.label} {image.split.value}".encode())
    usable_images = dataclasses.replace(found, images=tuple(kept))
    problem_files.warn_of_skipped(skipped)
    problem_files.check_strict(skipped, strict=strict)
    if skipped:
        dataset.check(usable_images)
    return UsableImages(usable_images, digest.hexdigest())


def in_order(items: Sequence[LabelledImage], size: ImageSize, batch_size: int) -> Iterator[ImageBatch]:
    """Yield every image once, in order. Raises WorkFailed for one that is gone since it was checked."""
    yield from _batches(items, [_Look(item, size) for item in items], batch_size)


def shuffled(
    items: Sequence[LabelledImage],
    size: ImageSize,
    batch_size: int,
    *,
    views: AugmentationSettings,
    seed: Sequence[int],
) -> Iterator[ImageBatch]:
    """Yield every image once, in an order drawn from `seed`, each as a view drawn anew if `views` are on.

    Batches differ by one image at most: a small last one would disturb batch normalization.
    """
    order = np.random.default_rng(seed).permutation(len(items))
    chosen = [items[number] for number in order]
    looks = [
        _Look(item, size, views, (*seed, int(number))) for item, number in zip(chosen, order, strict=True)
    ]
    yield from _batches(chosen, looks, batch_size)


def batches_of(count: int, batch_size: int) -> int:
    """Return how many batches `count` images come in."""
    return -(-count // batch_size)


@dataclasses.dataclass(frozen=True)
class _Look:
    """An image as it is to be decoded: as it is, or as the view that `seed` draws."""

    item: LabelledImage
    size: ImageSize
    views: AugmentationSettings = AugmentationSettings()
    seed: tuple[int, ...] = ()

    def decode(self) -> Pixels:
        try:
            least = augmentation.least_size(self.size, self.views)
            image = images.upright(images.read(self.item.path), least)
        except BadImage as error:
            raise WorkFailed(
                "{path} {reason}, and could be read before. Run again.",
                path=self.item.path,
                reason=error,
            ) from error
        if not self.views.are_on():
            return images.resized(image, self.size)
        return augmentation.draw(image, self.size, self.views, np.random.default_rng(self.seed))


def _batches(items: Sequence[LabelledImage], looks: Sequence[_Look], batch_size: int) -> Iterator[ImageBatch]:
    decoded = prefetching.ahead(looks, _Look.decode, lookahead=max(_LOOKAHEAD, 2 * batch_size))
    for rows in np.array_split(np.arange(len(items)), batches_of(len(items), batch_size)):
        pixels = np.stack([next(decoded) for _ in rows])
        yield ImageBatch(pixels, np.array([items[row].label for row in rows], np.int64))


def _checked(image: LabelledImage) -> bytes | BadImage:
    """Return the SHA-256 of a usable image's file, or why it is none."""
    try:
        content = images.read(image.path)
        images.upright(content)
    except BadImage as error:
        return error
    return images.digest(content)
