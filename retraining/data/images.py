"""File bytes -> float32 [height, width, 3] in [0, 1]: one pre-processing for training and for use."""

from __future__ import annotations

import hashlib
import io
import os
import stat
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from retraining.arrays import ImageSize, Pixels
from retraining.data import sample_depth
from retraining.data.sample_depth import SHALLOW, SampleDepth
from retraining.errors import BadImage, BadRequest

# Part of the cache's key: raise it with any change that changes a pixel.
PREPROCESSING = "rgb in [0, 1], orientation applied, alpha over white, antialiased bilinear, version 2"

# The bytes decide, never the suffix. MPO, which some cameras write, is read as the JPEG it begins with.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")

# How files of JPEG, PNG, GIF and TIFF begin. BM (BMP) and RIFF (WebP) also begin other kinds of files.
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"II*\0", b"MM\0*")
_WEB_PAGES = (b"<!doctype html", b"<html")

_ORIENTATION = 0x0112  # EXIF's tag
_SIDEWAYS = (5, 6, 7, 8)  # its values for which width and height are swapped

MAX_FILE_BYTES = 1 << 30  # more is a video or a disk image, and would fill the memory


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises BadImage with the reason if it cannot be read.

    Only a regular file is read: a pipe or a device could keep the run waiting for ever.
    """
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise BadImage("is {kind}, not a file", kind=_KINDS.get(stat.S_IFMT(mode), "something else"))
        with open(path, "rb", opener=_open_at_once) as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        if path.is_symlink():
            raise BadImage("is a broken link ({reason})", reason=error.strerror) from error
        raise BadImage("cannot be read ({reason})", reason=error.strerror) from error
    if len(content) > MAX_FILE_BYTES:
        raise BadImage("is larger than {limit} GiB", limit=MAX_FILE_BYTES >> 30)
    return content


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

    Whether any other file is an image at all is left to `upright`. Raises BadImage.
    """
    if not sample_depth.may_be_deep(content):
        return SHALLOW
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            return sample_depth.of(image, content)
    except (Image.DecompressionBombError, *_DECODING_ERRORS):
        return SHALLOW


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
    remove anyway, are then never computed. The camera's orientation (EXIF) is applied, transparent pixels
    become white, and an animation gives its first frame. 16-bit samples use `significant_bits` of their bits
    if the file does not record how many; None stands for all. Raises BadImage with the reason.
    """
    if not content:
        raise BadImage("is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            if least is not None:
                is_sideways = image.getexif().get(_ORIENTATION, 1) in _SIDEWAYS
                stored = (least.height, least.width) if is_sideways else (least.width, least.height)
                image.draft(None, stored)  # does nothing for other formats
            shallow = sample_depth.in_8_bits(image, content, significant_bits)
            ImageOps.exif_transpose(shallow, in_place=True)
            return _rgb(shallow)
    except UnidentifiedImageError as error:
        raise _unidentified(content) from error
    except Image.DecompressionBombError as error:
        raise BadImage("has too many pixels to be a photo") from error
    except _DECODING_ERRORS as error:
        raise _damaged(content, error) from error


# What Pillow's decoders raise for damaged bytes.
_DECODING_ERRORS = (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, TypeError, MemoryError)


def _unidentified(content: bytes) -> BadImage:
    if content[:512].lstrip().lower().startswith(_WEB_PAGES):
        return BadImage("is a web page, not an image")
    if content.startswith(_SIGNATURES) or content[8:12] == b"WEBP":
        return BadImage("is damaged or cut short")
    return BadImage("is not an image of a known format ({formats})", formats=", ".join(FORMATS))


def _damaged(content: bytes, error: Exception) -> BadImage:
    if _is_cut_short(content, error):
        return BadImage("is cut short")
    return BadImage("is damaged ({error})", error=error)


def _is_cut_short(content: bytes, error: Exception) -> bool:
    """Return whether a file that cannot be decoded ends before its image does."""
    if "runcated" in str(error):
        return True
    if content.startswith(b"RIFF"):  # WebP begins with its length, not counting these first eight bytes
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    # JPEG: no end marker after the beginning of the last scan.
    return content.startswith(b"\xff\xd8") and b"\xff\xd9" not in content[content.rfind(b"\xff\xda") :]


def from_pillow(image: Image.Image, significant_bits: int | None = None) -> Image.Image:
    """Return a Pillow image in 8-bit RGB as `upright` does. Raises BadImage."""
    if 0 in image.size:
        raise BadImage("has no pixels")
    try:
        return _rgb(ImageOps.exif_transpose(sample_depth.in_8_bits(image, b"", significant_bits)))
    except _DECODING_ERRORS as error:  # Pillow decodes an opened file only when it has to
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
