"""A page of many small pictures, with a title and captions."""

from __future__ import annotations

import dataclasses
import functools
import io
import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from retraining.storage import atomic_files

# All in pixels.
PAGE_WIDTH = 1400  # roughly: it depends on the size of the pictures
SMALLEST, LARGEST = 40, 256  # of a picture's longer side on a page
MARGIN = 24
GAP = 4

_PAPER, _INK, _FAINT_INK = (24, 24, 27), (244, 244, 245), (161, 161, 170)
_TITLE_SIZE, _CAPTION_SIZE = 20, 13
_LINE_HEIGHT = 1.5  # as a multiple of the font size
_ASPECT_RATIO = 1.4  # width / height of a page, roughly: it depends on the number of pictures
_PERCENTILES = (1, 99)  # become black and white: one extreme pixel must not leave the rest of a map grey


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture and its caption."""

    image: Image.Image
    caption: str = ""


def grey(values: NDArray[np.float32]) -> Image.Image:
    """Return float32 [height, width] of any range as a grey picture from black to white.

    A map that is the same everywhere becomes black.
    """
    low, high = np.percentile(values, _PERCENTILES)
    scale = 255 / (high - low) if high > low else 0
    return Image.fromarray(np.clip((values - low) * scale, 0, 255).astype(np.uint8))


def page(pictures: Sequence[Picture], *, title: str) -> Image.Image:
    """Return the pictures, which must all have the same size, in rows below the title.

    Small pictures are enlarged by a whole number, so that each of their pixels stays a square.
    """
    columns = _columns(len(pictures), pictures[0].image)
    shown = [_resized(picture.image, columns) for picture in pictures]
    width, height = shown[0].size
    height += round(_CAPTION_SIZE * _LINE_HEIGHT) * any(picture.caption for picture in pictures)
    top = MARGIN + round(_TITLE_SIZE * _LINE_HEIGHT) + GAP
    rows = math.ceil(len(pictures) / columns)
    page_width = max(columns * (width + GAP) - GAP, round(_font(_TITLE_SIZE).getlength(title)))
    paper = Image.new("RGB", (page_width + 2 * MARGIN, top + rows * (height + GAP) - GAP + MARGIN), _PAPER)
    draw = ImageDraw.Draw(paper)
    draw.text((MARGIN, MARGIN), title, _INK, _font(_TITLE_SIZE), anchor="lt")
    for number, (picture, image) in enumerate(zip(pictures, shown, strict=True)):
        row, column = divmod(number, columns)
        left, upper = MARGIN + column * (width + GAP), top + row * (height + GAP)
        paper.paste(image, (left, upper))
        caption = _fitting(picture.caption, width)
        draw.text((left, upper + image.height + GAP), caption, _FAINT_INK, _font(_CAPTION_SIZE), anchor="lt")
    return paper


def write(image: Image.Image, path: Path) -> None:
    """Write an image as PNG, all of it or nothing. Raises WorkFailed."""
    content = io.BytesIO()
    image.save(content, "PNG")
    atomic_files.write_bytes(path, content.getvalue())


def file_stem(name: str) -> str:
    """Return the name of a layer or class with the characters replaced that a file name should not have."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "layer"


def _columns(count: int, image: Image.Image) -> int:
    """Return the number of columns: close to the aspect ratio, and with few empty places in the last row."""
    ideal = max(1, round(math.sqrt(count * _ASPECT_RATIO * image.height / image.width)))
    near = range(max(1, math.ceil(ideal * 0.75)), min(count, math.floor(ideal * 1.5)) + 1)
    return min(
        near, key=lambda columns: -count % columns / count + abs(columns - ideal) / ideal / 4, default=1
    )


def _resized(image: Image.Image, columns: int) -> Image.Image:
    longer = max(image.size)
    if longer > LARGEST:
        size = (round(image.width * LARGEST / longer), round(image.height * LARGEST / longer))
        return image.resize(size, Image.Resampling.LANCZOS)
    room = min(LARGEST, max(SMALLEST, PAGE_WIDTH // columns - GAP))
    times = max(1, room // longer)
    return image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)


def _fitting(caption: str, width: int) -> str:
    """Return the caption or, if it is too long, its end, which is where the names of layers differ."""
    font = _font(_CAPTION_SIZE)
    if font.getlength(caption[:width]) <= width:
        return caption
    end = caption[-width:]  # a letter is at least a pixel wide
    while end and font.getlength(f"…{end}") > width:
        end = end[1:]
    return f"…{end}"


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
