"""Many small pictures -> one page of them, with a title and, where they have any, their captions."""

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

PAGE_WIDTH = 1400  # pixels that a page comes near to, if its pictures allow
SMALLEST, LARGEST = 40, 256  # pixels of a picture's longer side on a page
MARGIN = 24
GAP = 4

_PAPER, _INK, _FAINT_INK = (24, 24, 27), (244, 244, 245), (161, 161, 170)
_TITLE_SIZE, _CAPTION_SIZE = 20, 13
_LINE = 1.5  # height of a line of text, by the size of its letters
_SHAPE = 1.4  # width of a page by its height, if the pictures' number allows
_STRETCHED = (1, 99)  # percentiles: one dead pixel must not leave a map grey


@dataclasses.dataclass(frozen=True)
class Picture:
    """A picture and what stands under it."""

    image: Image.Image
    caption: str = ""


def grey(values: NDArray[np.float32]) -> Image.Image:
    """Return float32 [height, width] as a picture in grey, brightness stretched over black to white."""
    low, high = np.percentile(values, _STRETCHED)
    # What is the same everywhere has nothing to show.
    scale = 255 / (high - low) if high > low else 0
    return Image.fromarray(np.clip((values - low) * scale, 0, 255).astype(np.uint8))


def page(pictures: Sequence[Picture], *, title: str) -> Image.Image:
    """Return the pictures, which are of one size, in rows below the title.

    Small pictures are shown enlarged by whole numbers, so that each of their pixels stays a square.
    """
    columns = _columns(len(pictures), pictures[0].image)
    shown = [_resized(picture.image, columns) for picture in pictures]
    width, height = shown[0].size
    height += round(_CAPTION_SIZE * _LINE) * any(picture.caption for picture in pictures)
    top = MARGIN + round(_TITLE_SIZE * _LINE) + GAP
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
    """Write a picture as PNG, whole or not at all. Raises WorkFailed."""
    content = io.BytesIO()
    image.save(content, "PNG")
    atomic_files.write_bytes(path, content.getvalue())


def file_stem(name: str) -> str:
    """Return the name of a layer or class as one that a file can have."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._") or "layer"


def _columns(count: int, image: Image.Image) -> int:
    """Return how many pictures stand side by side: near the page's shape, with few places left empty."""
    ideal = max(1, round(math.sqrt(count * _SHAPE * image.height / image.width)))
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
    """Return the caption, or its end where it is too long: there names of layers differ."""
    font = _font(_CAPTION_SIZE)
    if font.getlength(caption[:width]) <= width:
        return caption
    end = caption[-width:]  # no letter is narrower than a pixel
    while end and font.getlength(f"…{end}") > width:
        end = end[1:]
    return f"…{end}"


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
