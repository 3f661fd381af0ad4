"""File bytes -> float32 [height, width, 3] in [0, 1]: one pre-processing for training and for use."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageOps

from retraining.arrays import ImageSize, Pixels
from retraining.data import decoders, file_kinds, large_images, sample_depth
from retraining.data.sample_depth import SHALLOW, SampleDepth
from retraining.errors import BadImage, BadRequest

# Part of the cache's key: raise it with any change that changes a pixel.
PREPROCESSING = "rgb in [0, 1], orientation applied, alpha over white, antialiased bilinear, version 2"

_ORIENTATION = 0x0112  # EXIF's tag
_SIDEWAYS = (5, 6, 7, 8)  # its values for which width and height are swapped

MAX_FILE_BYTES = 1 << 30  # more is a video or a disk image, and would fill the memory


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises BadImage with the reason if it cannot be read.

    Only a regular file is read: a pipe or a device could keep the run waiting for ever.
    """
    with opened(path) as file:
        # Its size tells without filling the memory; but a file can grow while it is read.
        check_size(os.fstat(file.fileno()).st_size)
        content = file.read(MAX_FILE_BYTES + 1)
    check_size(len(content))
    return content


def check_size(size: int) -> None:
    """Raise BadImage if a file of so many bytes is too large for a photo."""
    if size > MAX_FILE_BYTES:
        raise BadImage("is larger than {limit} GiB", limit=MAX_FILE_BYTES >> 30)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Yield a regular file, opened for reading. Raises BadImage as `read` does."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadImage("is {kind}, not a file", kind=_KINDS.get(stat.S_IFMT(mode), "something else"))
        with open(path, "rb", opener=_open_at_once) as file:
            yield file
    except OSError as error:
        if path.is_symlink():
            raise BadImage("is a broken link ({reason})", reason=error.strerror) from error
        raise BadImage("cannot be read ({reason})", reason=error.strerror) from error


_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def _open_at_once(path: str, flags: int) -> int:
    # If a pipe has replaced the file since it was checked, opening it must not wait.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def digest(content: bytes) -> bytes:
    """Return the SHA-256 of a file's bytes, which identifies an image wherever it is moved."""
    return hashlib.sha256(content).digest()


def depth(content: bytes) -> SampleDepth:
    """Return how deep the samples of an image file are; only one with 16-bit samples is decoded for it.

    Whether any other file is an image at all is left to `upright`. Raises BadImage for a damaged file of a
    kind that may have 16-bit samples.
    """
    # Most files are JPEGs, which the first test rules out: this is asked of every image of every run.
    image_format = file_kinds.image_format(content) if sample_depth.may_be_deep(content) else None
    if image_format is None:
        return SHALLOW
    try:
        with decoders.opened(content, image_format) as image, large_images.turn(image, content):
            return sample_depth.of(image, content)
    except decoders.DECODING_ERRORS as error:
        raise decoders.damaged(content, image_format, error) from error


def identity(content: bytes, significant_bits: int | None) -> bytes:
    """Return 32 bytes that differ if pixels do; for all but 16-bit images, the SHA-256 of the file.

    `significant_bits` is as for `upright`. Raises BadImage.
    """
    return sample_depth.identity(digest(content), depth(content).bits(significant_bits))


def decode(content: bytes, size: ImageSize, significant_bits: int | None = None) -> Pixels:
    """Return the image of a file's bytes as float32 [size.height, size.width, 3] in [0, 1].

    `significant_bits` is as for `upright`. Raises BadImage with the reason.
    """
    return resized(upright(content, size, significant_bits), size)


def upright(
    content: bytes, least: ImageSize | None = None, significant_bits: int | None = None
) -> Image.Image:
    """Return the image of a file's bytes in 8-bit RGB, at full size or, for a JPEG, reduced.

    With `least`, a JPEG is decoded at 1/2, 1/4 or 1/8 of its size as long as neither side becomes smaller
    than `least`: a JPEG stores blocks of 8x8 pixels as frequencies, and the high ones, which resizing would
    remove anyway, are then never computed. A JPEG that would take too much memory at full size is always
    reduced. The camera's orientation (EXIF) is applied, transparent pixels become white, an animation gives
    its first frame, a HEIC its primary image and an icon its largest one. Colour profiles are not applied.
    16-bit samples use `significant_bits` of their bits if the file does not record how many; None stands for
    all. Raises BadImage with the reason.
    """
    if not content:
        raise BadImage("is empty")
    image_format = file_kinds.image_format(content)
    if image_format is None:
        raise file_kinds.refusal(content)
    try:
        with decoders.opened(content, image_format) as image:
            if image_format == "JPEG":
                is_sideways = image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
                large_images.reduce(image, content, _turned(least) if least and is_sideways else least)
            with large_images.turn(image, content):
                shallow = sample_depth.in_8_bits(image, content, significant_bits)
                ImageOps.exif_transpose(shallow, in_place=True)
                return _rgb(shallow)
    except decoders.DECODING_ERRORS as error:
        raise decoders.damaged(content, image_format, error) from error


def is_rotated(image: Image.Image) -> bool:
    """Return whether an opened image is shown otherwise than it is stored: turned or mirrored."""
    return image.getexif().get(_ORIENTATION, 1) in range(2, 9)


def _turned(size: ImageSize) -> ImageSize:
    return ImageSize(size.width, size.height)


def from_pillow(image: Image.Image, significant_bits: int | None = None) -> Image.Image:
    """Return a Pillow image in 8-bit RGB as `upright` does. Raises BadImage."""
    if 0 in image.size:
        raise BadImage("has no pixels")
    try:
        return _rgb(ImageOps.exif_transpose(sample_depth.in_8_bits(image, b"", significant_bits)))
    except decoders.DECODING_ERRORS as error:  # Pillow decodes an opened file only when it has to
        raise BadImage("is damaged ({error})", error=error) from error


def open_upright(path: Path, significant_bits: int | None = None) -> Image.Image:
    """Return the image that the setting `image` names, as `upright` does. Raises BadRequest."""
    try:
        return upright(read(path), significant_bits=significant_bits)
    except BadImage as error:
        raise BadRequest("{image} '{path}' {reason}. Give an image.", path=path, reason=error) from error


def resized(
    image: Image.Image, size: ImageSize, box: tuple[float, float, float, float] | None = None
) -> Pixels:
    """Return an RGB image, or the part of it in `box`, as float32 [size.height, size.width, 3] in [0, 1].

    Bilinear with antialiasing; the aspect ratio is not kept. `box` is left, top, right and bottom in
    pixels.
    """
    small = image.resize((size.width, size.height), Image.Resampling.BILINEAR, box)
    pixels: Pixels = np.divide(np.asarray(small), 255, dtype=np.float32)
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    """Return `image` in 8-bit RGB, with white where it is transparent."""
    if image.mode == "F":
        raise BadImage("has floating-point pixels, and nothing says which value is white")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")
