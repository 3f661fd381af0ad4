"""Images that must be opened although their vectors are there: whether they can be is checked first."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.list_format import is_elsewhere
from retraining.errors import BadRequest, Message, setting_named
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import ComparisonSettings
from retraining.settings.data import DataSettings
from retraining.settings.export import ExportSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.setting import Settings

_LOOKED_FOR = 10  # files, of which one must be there
_MODELS = "models"  # without which there is no comparison


def check(dataset: Dataset, *groups: Settings) -> None:
    """Raise BadRequest if a setting in one of the groups needs images that are not on this computer.

    Only images that a list knows by their SHA-256 may be elsewhere; of the others, the scan has made sure.
    """
    name = next(filter(None, map(_needing, groups)), None)
    missing = None if name is None else first_missing(dataset.images)
    if name is not None and missing is not None:
        without = Message(", or do without {setting}", setting=setting_named(name))
        raise BadRequest(
            "{setting} needs the images themselves, not only their feature vectors, but '{file}' is not on "
            "this computer. Copy the images here and list them by their new paths{remedy}.",
            setting=setting_named(name),
            file=missing,
            remedy="" if name == _MODELS else without,
        )


def _needing(group: Settings) -> str | None:
    """Return the name of a setting that needs the images themselves, if there is one."""
    match group:
        case FineTuningSettings(fine_tune=True):
            return "fine_tune"
        case DataSettings(group_near_duplicates=True):
            return "group_near_duplicates"
        case AugmentationSettings() if group.are_fresh():
            return "distorted_views"
        case ExportSettings() if any(format.needs_images for format in group.formats):
            return "export"
        case ComparisonSettings():
            return _MODELS  # which are compared on images that are decoded first
    return None


def first_missing(images: Iterable[LabelledImage]) -> str | None:
    """Return an address among images that a list knows; or the first one, if none of the first is there."""
    listed = [image.file for image in images if image.known is not None]
    elsewhere = next(filter(is_elsewhere, listed), None)
    first = list(itertools.islice(listed, _LOOKED_FOR))
    if elsewhere or not first or any(map(os.path.exists, first)):
        return elsewhere
    return first[0]
