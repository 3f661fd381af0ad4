"""Small copies of photographs, which are kept within the page itself."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import io
from collections.abc import Sequence

from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images, prefetching
from retraining.data.dataset import LabelledImage
from retraining.errors import BadImage
from retraining.progress import progress

SIDE = 160  # pixels, of the longer side
MOST_CHARACTERS = 20_000_000  # of all pictures of a page, as they are written there
MOST = 2_000  # pictures of a page: more take too long to make, and to look at

_QUALITY = 76
_LOOKAHEAD = 32


@dataclasses.dataclass(frozen=True)
class Picture:
    """A small copy of a photograph: its size in pixels, and its JPEG file in base64."""

    width: int
    height: int
    base64: str


@dataclasses.dataclass(frozen=True)
class Thumbnails:
    """Small copies of photographs, by file; `unreadable` says why there is none, and reads on after "it"."""

    pictures: dict[str, Picture]
    unreadable: dict[str, str]


def make(wanted: Sequence[LabelledImage], significant_bits: int | None = None) -> Thumbnails:
    """Return small copies of the first of some images, as many as there is room for in a page.

    `significant_bits` is as for `images.upright`.
    """
    made = Thumbnails({}, {})
    room = MOST_CHARACTERS
    work = functools.partial(_picture, significant_bits=significant_bits)
    pictures = prefetching.ahead(wanted[:MOST], work, lookahead=_LOOKAHEAD)
    with contextlib.closing(pictures):  # when there is no more room, the threads may stop
        shown = progress(pictures, total=len(wanted[:MOST]), task="thumbnails", unit="image")
        for image, picture in zip(wanted, shown, strict=False):
            if isinstance(picture, BadImage):
                made.unreadable[image.file] = str(picture)
                continue
            room -= len(picture.base64)
            if room < 0:
                break
            made.pictures[image.file] = picture
    return made


def _picture(wanted: LabelledImage, significant_bits: int | None) -> Picture | BadImage:
    """Return the small copy of an image, or why there is none: the file may have changed or gone."""
    try:
        image = images.upright(wanted.read(), ImageSize(SIDE, SIDE), significant_bits)
    except BadImage as error:
        return error
    image.thumbnail((SIDE, SIDE), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    # Without what cameras and programs write beside the pixels.
    image.save(stream, "JPEG", quality=_QUALITY, comment=b"", exif=b"", icc_profile=None)
    return Picture(image.width, image.height, base64.b64encode(stream.getvalue()).decode("ascii"))
