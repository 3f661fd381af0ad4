"""Images that must be opened although their vectors are there: whether they can be is checked first."""

from __future__ import annotations

import itertools
import os

from retraining.data.dataset import Dataset
from retraining.data.list_format import is_elsewhere
from retraining.errors import BadRequest, setting_named

_LOOKED_FOR = 10  # files, of which one must be there


def check(dataset: Dataset, **needed: bool) -> None:
    """Raise BadRequest if images are needed that are not on this computer.

    `needed` tells of settings whether they need the images themselves. Only images that a list knows by their
    SHA-256 may be elsewhere; of the others, the scan has made sure.
    """
    name = next((name for name, is_needed in needed.items() if is_needed), None)
    missing = None if name is None else _missing(dataset)
    if name is not None and missing is not None:
        raise BadRequest(
            "{setting} needs the images themselves, not only their feature vectors, but '{file}' is not on "
            "this computer. Copy the images here and list them by their new paths, or do without {setting}.",
            setting=setting_named(name),
            file=missing,
        )


def _missing(dataset: Dataset) -> str | None:
    """Return an address among the images, or the first one if none of the first files is there."""
    listed = [image.file for image in dataset.images if image.known is not None]
    elsewhere = next(filter(is_elsewhere, listed), None)
    first = list(itertools.islice(listed, _LOOKED_FOR))
    if elsewhere or not first or any(map(os.path.exists, first)):
        return elsewhere
    return first[0]
