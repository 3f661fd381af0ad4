"""The image files to measure on: those of a folder that are usable images, or drawn ones."""

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
    """Draw `count` photographs, as many of each kind, into `folder` and return it."""
    log.info("drawing %d photographs", count)
    sample_photos.write(folder, per_class=count // len(sample_photos.KINDS), seed=SEED)
    return folder


def usable(folder: Path, *, at_least: int) -> Dataset:
    """Return the images of `folder` that can be decoded, split as retrain.py does by default.

    Every file is read once here, so that no measurement waits for the disk and others do not.
    Raises BadRequest if they are fewer than `at_least`.
    """
    log.info("reading the images of %s", folder)
    found = dataset.scan(DataSettings(image_dir=folder))
    checked = prefetching.ahead(found.images, _is_usable, lookahead=_LOOKAHEAD)
    kept = tuple(image for image, good in zip(found.images, checked, strict=True) if good)
    if len(kept) < at_least:
        raise BadRequest(
            f"a benchmark needs at least {at_least} images, '{folder}' has {len(kept)} usable ones. Name "
            "a folder with more, or none to have photographs drawn."
        )
    return dataclasses.replace(found, images=kept)


def _is_usable(image: LabelledImage) -> bool:
    try:
        images.decode(images.read(image.path), _ANY_SIZE)
    except BadImage:
        return False
    return True
