"""The images to measure on: those of a folder that can be decoded, or drawn ones."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from retraining.arrays import ImageSize
from retraining.data import dataset, images, prefetching, sample_photos
from retraining.data.dataset import Dataset, LabelledImage
from retraining.errors import BadImage, BadRequest
from retraining.settings.data import DataSettings

SEED = 0

_LOOKAHEAD = 64
_ANY_SIZE = ImageSize(8, 8)

log = logging.getLogger(__name__)


def draw(folder: Path, *, count: int) -> Path:
    """Draw `count` images, the same number of each kind, into `folder` and return it."""
    log.info("drawing %d images", count)
    sample_photos.write(folder, per_class=count // len(sample_photos.KINDS), seed=SEED)
    return folder


def usable(folder: Path, *, at_least: int) -> Dataset:
    """Return the images of `folder` that can be decoded, split as retrain.py does by default.

    Every file is read once here, so that no measurement waits for the disk while others do not.
    Raises BadRequest if there are fewer than `at_least`.
    """
    log.info("reading the images of %s", folder)
    found = dataset.scan(DataSettings(image_dir=folder))
    checked = prefetching.ahead(found.images, _is_usable, lookahead=_LOOKAHEAD)
    kept = tuple(image for image, good in zip(found.images, checked, strict=True) if good)
    if len(kept) < at_least:
        raise BadRequest(
            "this benchmark needs at least {at_least} images, '{path}' has {usable} that can be used. Add "
            "images, or name a folder that has more.",
            at_least=at_least,
            path=folder,
            usable=len(kept),
        )
    return dataclasses.replace(found, images=kept)


def _is_usable(image: LabelledImage) -> bool:
    try:
        images.decode(images.read(image.path), _ANY_SIZE)
    except BadImage:
        return False
    return True
