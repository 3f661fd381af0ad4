"""Images for networks that are trained from scratch: decoded again in every epoch, in batches."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.data import augmentation, images, prefetching, sample_depth
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.sample_depth import SampleDepth
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
    """The usable images of a dataset. `fingerprint` (hex) depends on their pixels, classes and sets."""

    dataset: Dataset
    fingerprint: str

    def images_in(self, split: Split) -> tuple[LabelledImage, ...]:
        """Return the images of a set, in order."""
        return tuple(image for image in self.dataset.images if image.split is split)


def usable_images(scanned: Dataset, *, strict: bool = False) -> UsableImages:
    """Return the images of a dataset that can be decoded, with a warning for each of the others.

    If neither the dataset nor the files say how many bits 16-bit images use, it is decided from all of them;
    the result's dataset has it. Raises BadRequest if too few images are left to train on, and WorkFailed if
    `strict` and any cannot be decoded.
    """
    skipped: list[SkippedImage] = []
    kept: list[tuple[LabelledImage, _Checked]] = []
    check = functools.partial(_check, significant_bits=scanned.significant_bits)
    checked = prefetching.ahead(scanned.images, check, lookahead=_LOOKAHEAD)
    watched = progress(checked, total=len(scanned.images), task="Checking", unit="image")
    for image, found in zip(scanned.images, watched, strict=True):
        if isinstance(found, BadImage):
            skipped.append(SkippedImage(image.file, str(found)))
        else:
            kept.append((image, found))
    significant_bits = scanned.significant_bits or _decided([found.depth for _, found in kept])
    usable = dataclasses.replace(
        scanned, images=tuple(image for image, _ in kept), significant_bits=significant_bits
    )
    problem_files.warn_of_skipped(skipped)
    problem_files.check_strict(skipped, strict=strict)
    lost_classes.check(scanned, usable, skipped)
    return UsableImages(usable, _fingerprint(usable, [found for _, found in kept]))


def _decided(depths: Iterable[SampleDepth]) -> int | None:
    """Return how many bits are used in the images that do not record it; None if there is no such image."""
    largest = [depth.largest for depth in depths if depth.recorded is None]
    return sample_depth.decided(largest) if largest else None


def _fingerprint(usable: Dataset, checked: Iterable[_Checked]) -> str:
    fingerprint = hashlib.sha256("\n".join(usable.labels).encode(errors="surrogateescape"))
    for image, found in zip(usable.images, checked, strict=True):
        identity = sample_depth.identity(found.digest, found.depth.bits(usable.significant_bits))
        fingerprint.update(identity + f"{image.label} {image.split.value}".encode())
    return fingerprint.hexdigest()


def batches_in_order(
    items: Sequence[LabelledImage],
    size: ImageSize,
    batch_size: int,
    *,
    significant_bits: int | None = None,
) -> Iterator[ImageBatch]:
    """Yield every image once, in order. Raises WorkFailed for one that can no longer be read.

    `significant_bits` is that of the images' dataset.
    """
    views = [_View(item, size, significant_bits=significant_bits) for item in items]
    yield from _batches(items, views, batch_size)


def shuffled_batches(
    items: Sequence[LabelledImage],
    size: ImageSize,
    batch_size: int,
    *,
    augmentation: AugmentationSettings,
    seed: Sequence[int],
    significant_bits: int | None = None,
) -> Iterator[ImageBatch]:
    """Yield every image once, in a random order, each as a random view if augmentation is on.

    `seed` determines both. The sizes of the batches differ by at most one image: a small last batch would
    disturb batch normalization. `significant_bits` is that of the images' dataset. Raises WorkFailed for an
    image that can no longer be read.
    """
    order = np.random.default_rng(seed).permutation(len(items))
    shuffled = [items[number] for number in order]
    views = [
        _View(item, size, augmentation, (*seed, int(number)), significant_bits)
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
    significant_bits: int | None = None

    def decode(self) -> Pixels:
        try:
            least = augmentation.least_size(self.size, self.augmentation)
            image = images.upright(self.item.read(), least, self.significant_bits)
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


@dataclasses.dataclass(frozen=True, slots=True)
class _Checked:
    """The SHA-256 of the file of a usable image, and the depth of its samples."""

    digest: bytes
    depth: SampleDepth


def _check(image: LabelledImage, significant_bits: int | None) -> _Checked | BadImage:
    """Return what is to be known of an image, or why it cannot be used."""
    try:
        content = image.read()
        images.upright(content, significant_bits=significant_bits)
        return _Checked(images.digest(content), images.depth(content))
    except BadImage as error:
        return error
