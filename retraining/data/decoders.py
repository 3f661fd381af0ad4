"""Opens image files with the decoder for their format, and says why one cannot be decoded."""

from __future__ import annotations

import importlib
import io
import struct
from collections.abc import Callable
from typing import NamedTuple, cast

from PIL import Image, features

from retraining.data import large_images
from retraining.errors import BadImage


class _Decoder(NamedTuple):
    """A class of Pillow's images, or of a library for it, and which of Pillow's optional parts it needs."""

    module: str
    name: str
    part: str = ""


# Named here, not found by Image.open: only these formats are read, whatever else is registered with Pillow in
# this process, and the limits of their sizes are this package's own.
_DECODERS = {
    "JPEG": _Decoder("PIL.JpegImagePlugin", "JpegImageFile"),
    "PNG": _Decoder("PIL.PngImagePlugin", "PngImageFile"),
    "GIF": _Decoder("PIL.GifImagePlugin", "GifImageFile"),
    "BMP": _Decoder("PIL.BmpImagePlugin", "BmpImageFile"),
    "WebP": _Decoder("PIL.WebPImagePlugin", "WebPImageFile", "webp"),
    "TIFF": _Decoder("PIL.TiffImagePlugin", "TiffImageFile"),
    "AVIF": _Decoder("PIL.AvifImagePlugin", "AvifImageFile", "avif"),
    "HEIC": _Decoder("pillow_heif", "HeifImageFile"),
    "JPEG 2000": _Decoder("PIL.Jpeg2KImagePlugin", "Jpeg2KImageFile", "jpg_2000"),
    "PPM": _Decoder("PIL.PpmImagePlugin", "PpmImageFile"),
    "TGA": _Decoder("PIL.TgaImagePlugin", "TgaImageFile"),
    "ICO": _Decoder("PIL.IcoImagePlugin", "IcoImageFile"),
}

# What the decoders raise for damaged bytes; the first group when they open a file, as Image.open expects.
_OPENING_ERRORS = (SyntaxError, IndexError, TypeError, KeyError, EOFError, struct.error)
_UNKNOWN_PIXELS = "unknown pixel mode"  # Pillow's words for, say, 10 bits packed without a gap
DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    EOFError,
    RuntimeError,
    MemoryError,
    struct.error,
    Image.DecompressionBombError,
)


def opened(content: bytes, image_format: str) -> Image.Image:
    """Return the image of a file's bytes, of this format; the pixels are decoded when they are needed.

    Raises BadImage, and DECODING_ERRORS for damaged bytes.
    """
    decoder = _DECODERS[image_format]
    if decoder.part and not features.check(decoder.part):
        raise BadImage(
            "is {format}, which this Pillow was built without; install the one from PyPI: pip install pillow",
            format=image_format,
        )
    try:
        opener = getattr(importlib.import_module(decoder.module), decoder.name)
        image = cast(Callable[[io.BytesIO], Image.Image], opener)(io.BytesIO(content))
    except ImportError as error:
        raise BadImage("is HEIC, as iPhones write it: pip install pillow-heif") from error
    except _OPENING_ERRORS as error:
        if _UNKNOWN_PIXELS in str(error):
            raise BadImage("has pixels of a kind that is not read; save it with 8 or 16 bits") from error
        if _is_cut_short(content, image_format):
            raise BadImage("is cut short") from error
        raise BadImage("is damaged or cut short") from error
    large_images.check(image, image_format)
    return image


def damaged(content: bytes, image_format: str, error: Exception) -> BadImage:
    """Return why a file cannot be decoded, from what the decoder raised."""
    if isinstance(error, Image.DecompressionBombError):  # found only while decoding
        return BadImage(
            "has too many megapixels; the limit for {format} is {limit}; reduce it",
            format=image_format,
            limit=large_images.MAX_PIXELS // 1_000_000,
        )
    if "runcated" in str(error) or _is_cut_short(content, image_format):
        return BadImage("is cut short")
    return BadImage("is damaged ({error})", error=error)


def _is_cut_short(content: bytes, image_format: str) -> bool:
    """Return whether a file that cannot be decoded ends before its image does."""
    if image_format == "JPEG":  # no end marker after the beginning of the last scan
        return b"\xff\xd9" not in content[content.rfind(b"\xff\xda") :]
    if image_format == "JPEG 2000":  # no end marker after the beginning of the last tile
        return b"\xff\xd9" not in content[content.rfind(b"\xff\x93") :]
    if image_format == "WebP":  # begins with its length, not counting these first eight bytes
        return len(content) < int.from_bytes(content[4:8], "little") + 8
    if image_format == "ICO":  # the length and the place of each image, in entries of 16 bytes
        entries = range(6, 6 + 16 * int.from_bytes(content[4:6], "little"), 16)
        return any(
            sum(struct.unpack("<II", content[at + 8 : at + 16].ljust(8, b"\xff"))) > len(content)
            for at in entries
        )
    return image_format in ("AVIF", "HEIC") and _ends_within_a_box(content)


def _ends_within_a_box(content: bytes) -> bool:
    """Return whether a file of boxes, which begin with their length (ISO/IEC 14496-12), ends within one."""
    at = 0
    while at < len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if size == 0:  # to the end of the file
            return False
        if size == 1:  # the length is too large for four bytes, and comes after the box's name
            size = int.from_bytes(content[at + 8 : at + 16], "big")
        at += max(size, 8)
    return at > len(content)
