"""How large an image may be, so that decoding it takes a bounded amount of memory."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from PIL import Image

from retraining.arrays import ImageSize
from retraining.errors import BadImage

# Pixels that are decoded, at most: where Pillow begins to refuse. They take 680 MiB.
MAX_PIXELS = 2**30 // 6

# A JPEG is decoded at a fraction of its size, from a few of its rows at a time. More is no photo.
MAX_JPEG_PIXELS = 1_000_000_000

# Unless it is progressive: then its coefficients must all be in memory, two bytes each.
MAX_COEFFICIENT_BYTES = 2**30
_COEFFICIENT_BYTES = 2

# Images that take more memory than this are decoded one at a time, however many threads there are.
_SHARED_BYTES = 2**28
_PIXEL_BYTES = 8  # four as Pillow keeps them, and as many for a copy

_FRACTIONS = (1, 2, 4, 8)

# Markers of JPEG (ITU-T T.81, table B.1). A frame header says the size, a scan header begins the data.
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = {0xC2, 0xC6, 0xCA, 0xCE}
_SCAN = 0xDA
_WITHOUT_LENGTH = {0x00, 0x01, *range(0xD0, 0xD9)}

_one_at_a_time = threading.Lock()


def check(image: Image.Image, image_format: str) -> None:
    """Raise BadImage if an image, opened but not yet decoded, has too many pixels for its format."""
    limit = MAX_JPEG_PIXELS if image_format == "JPEG" else MAX_PIXELS
    if image.width * image.height > limit:
        raise _too_large(image, image_format, limit)


def reduce(image: Image.Image, content: bytes, least: ImageSize | None) -> None:
    """Set the fraction, 1/1 to 1/8, at which a JPEG is decoded, as libjpeg can do while it decodes.

    It is the smallest at which neither side, as stored, is smaller than `least`, or the largest if there is
    no `least`, and smaller than that if memory demands it. `content` are the bytes of the file. Raises
    BadImage if even the smallest takes too much memory.
    """
    width, height = image.size
    coefficients = coefficient_bytes(content)
    if coefficients > MAX_COEFFICIENT_BYTES:
        limit = MAX_COEFFICIENT_BYTES * width * height // coefficients
        raise _too_large(image, "a progressive JPEG of its kind", limit)
    wanted = (least.width, least.height) if least else image.size
    fits = next(part for part in _FRACTIONS if width * height <= MAX_PIXELS * part**2)
    if min(width // wanted[0], height // wanted[1]) < fits:
        wanted = (width // fits, height // fits)
    image.draft(None, wanted)


@contextlib.contextmanager
def turn(image: Image.Image, content: bytes) -> Iterator[None]:
    """Wait until an image can be decoded: those that take much memory are decoded one at a time."""
    needed = image.width * image.height * _PIXEL_BYTES
    if image.format == "JPEG":
        needed += coefficient_bytes(content)
    with _one_at_a_time if needed > _SHARED_BYTES else contextlib.nullcontext():
        yield


def coefficient_bytes(content: bytes) -> int:
    """Return the memory that libjpeg needs for all coefficients of a JPEG; 0 if it decodes row by row.

    It decodes row by row what comes in a single scan, which is most of what cameras write. Anything
    progressive, and a baseline JPEG with a scan for each colour, it reads completely first.
    """
    frame, is_progressive = b"", False
    for marker, segment in _segments(content):
        if marker in _FRAMES:
            frame, is_progressive = segment, marker in _PROGRESSIVE
        elif marker == _SCAN and len(frame) > 5 and segment:
            return _all_coefficients(frame) if is_progressive or segment[0] < frame[5] else 0
    return 0


def _segments(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the marker and the bytes of each segment of a JPEG up to the first scan."""
    at = 2
    while at + 4 <= len(content):
        marker = content[at + 1]
        if content[at] != 0xFF or marker == 0xFF:  # bytes that decoders pass over
            at += 1
        elif marker in _WITHOUT_LENGTH:
            at += 2
        else:
            end = at + 2 + max(2, int.from_bytes(content[at + 2 : at + 4], "big"))
            yield marker, content[at + 4 : end]
            if marker == _SCAN:
                return
            at = end


def _all_coefficients(frame: bytes) -> int:
    """Return the bytes of all coefficients of a frame: blocks of 8x8, in units as large as its sampling."""
    height, width = int.from_bytes(frame[1:3], "big"), int.from_bytes(frame[3:5], "big")
    sampling = [(value >> 4, value & 15) for value in frame[7::3]]
    if not sampling:
        return 0
    across, down = (8 * max(factors) or 8 for factors in zip(*sampling, strict=True))
    units = -(-width // across) * -(-height // down)
    return units * sum(horizontal * vertical for horizontal, vertical in sampling) * 64 * _COEFFICIENT_BYTES


def _too_large(image: Image.Image, kind: str, limit: int) -> BadImage:
    return BadImage(
        "has {megapixels:,.0f} megapixels ({width}x{height}), and the limit for {kind} is {limit:,}; "
        "reduce it",
        megapixels=image.width * image.height / 1e6,
        width=image.width,
        height=image.height,
        kind=kind,
        limit=limit // 1_000_000,
    )
