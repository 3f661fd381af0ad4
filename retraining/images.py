"""File bytes -> float32 [height, width, 3] in [0, 1]: the one pre-processing of training and use."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from retraining.errors import BadImage, BadRequest

Pixels = NDArray[np.float32]

# Part of the cache's key: raise it with any change that changes a pixel.
PREPROCESSING = "rgb in [0, 1], orientation applied, alpha over white, antialiased bilinear, version 1"

# What the bytes are decides, never the suffix. MPO, of some cameras, opens as the JPEG it begins with.
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF")


@dataclasses.dataclass(frozen=True)
class ImageSize:
    """Height and width in pixels."""

    height: int
    width: int

    def __str__(self) -> str:
        return f"{self.height}x{self.width}"


def read(path: Path) -> bytes:
    """Return the bytes of a file. Raises BadImage with the reason if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadImage(f"cannot be read ({error.strerror})") from error


def digest(content: bytes) -> bytes:
    """Return the SHA-256 of a file's bytes, by which an image is known wherever it is moved."""
    return hashlib.sha256(content).digest()


def decode(content: bytes, size: ImageSize) -> Pixels:
    """Return the image of a file's bytes as float32 [size.height, size.width, 3] in [0, 1].

    Raises BadImage with the reason.
    """
    return resized(upright(content), size)


def upright(content: bytes) -> Image.Image:
    """Return the image of a file's bytes in 8-bit RGB, in its own size.

    The camera's orientation (EXIF) is applied, transparency goes over white. Of an animation the
    first frame is taken. Raises BadImage with the reason.
    """
    if not content:
        raise BadImage("is empty")
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            ImageOps.exif_transpose(image, in_place=True)
            return _rgb(image)
    except UnidentifiedImageError as error:
        raise BadImage(f"is not an image of a known format ({', '.join(FORMATS)})") from error
    except Image.DecompressionBombError as error:
        raise BadImage("has more pixels than any photograph; refused") from error
    except (OSError, SyntaxError, ValueError, ArithmeticError, LookupError, MemoryError) as error:
        # The families of errors that Pillow's decoders raise on damaged bytes.
        raise BadImage(f"is damaged or cut short ({error})") from error


def photograph(path: Path) -> Image.Image:
    """Return the image that --image names, as `upright` does. Raises BadRequest."""
    try:
        return upright(read(path))
    except BadImage as error:
        raise BadRequest(f"--image '{path}' {error.reason}. Give a photograph.") from error


def resized(
    image: Image.Image, size: ImageSize, box: tuple[float, float, float, float] | None = None
) -> Pixels:
    """Return float32 [size.height, size.width, 3] in [0, 1] of an RGB image, or of a `box` of it.

    Bilinear over the whole area of each new pixel; the aspect ratio is not kept. `box` is left,
    top, right and bottom in pixels.
    """
    small = image.resize((size.width, size.height), Image.Resampling.BILINEAR, box)
    pixels: Pixels = np.divide(np.asarray(small), 255, dtype=np.float32)
    return pixels


def _rgb(image: Image.Image) -> Image.Image:
    """Return `image` in 8-bit RGB, with white where it is transparent."""
    if image.mode.startswith("I"):  # 16-bit grey, which Pillow's own conversion would clip
        grey = np.asarray(image.convert("I"), np.int32) // 257
        return Image.fromarray(np.clip(grey, 0, 255).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        opaque = image.convert("RGBA")
        white = Image.new("RGBA", opaque.size, "white")
        return Image.alpha_composite(white, opaque).convert("RGB")
    return image.convert("RGB")
