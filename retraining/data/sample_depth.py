"""How many bits of an image's 16-bit samples are used, and such samples in 8 bits.

Microscopes, X-ray detectors and machine-vision cameras give 10 or 12 bits a sample, which are stored in 16.
Read as 16-bit values they are nearly black. What a file records of it counts first. Of files that record
nothing, only all together can tell: an image by itself may just be dark.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.data import decoders
from retraining.errors import BadImage, Message
from retraining.settings.kinds import MOST_BITS

FULL = MOST_BITS  # what is read as such is read as it was before there was a choice
USUAL = (8, 10, 12, 14, FULL)  # what detectors and cameras give

Samples = NDArray[np.uint16]
"""[height, width] of grey, or [height, width, channels] of grey and alpha, RGB or RGBA."""

_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# TIFF's tags.
_BITS_PER_SAMPLE = 258
_DESCRIPTION = 270
_ORIENTATION = 274
_MAX_SAMPLE_VALUE = 281
_SIGNED_MAX_SAMPLE_VALUE = 341

# Pillow unpacks the high byte of each 16-bit colour. Unpacked in the other byte order (L little, B big, N the
# machine's), what comes out is the low byte. Grey with alpha has no such counterpart, but its four bytes can
# be unpacked as RGBA.
_OTHER_ORDER = {"L": "B", "B": "L", "N": "B" if sys.byteorder == "little" else "L"}
_LOW_BYTES = {
    f"{channels};16{order}": f"{channels};16{other}"
    for channels in ("RGB", "RGBA")
    for order, other in _OTHER_ORDER.items()
}
_GREY_AND_ALPHA = "LA;16B"

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class SampleDepth:
    """How deep the samples of an image are: the bits that its file records, or None, and the largest value.

    The largest value is that of grey or of the colours; how opaque the pixels are does not count.
    """

    recorded: int | None
    largest: int

    def bits(self, significant_bits: int | None) -> int:
        """Return how many bits are used, if files that do not record it use so many (default: all)."""
        return self.recorded or significant_bits or FULL


SHALLOW = SampleDepth(recorded=FULL, largest=0)  # of samples of 8 bits or fewer: there is nothing to choose


def may_be_deep(content: bytes) -> bool:
    """Return whether a file may have 16-bit samples; only the beginning of its bytes is looked at."""
    if content.startswith(_PNG):
        return content[24:25] == bytes([FULL])  # the bit depth in the first chunk, IHDR
    return content.startswith(_TIFF)


def of(image: Image.Image, content: bytes = b"") -> SampleDepth:
    """Return the depth of an opened image.

    `content` are the bytes of its file, which must not have been decoded yet if the image has colours. Raises
    BadImage if nothing tells which value is black or white, and what Pillow raises for damaged bytes.
    """
    samples = _samples(image, content)
    return SHALLOW if samples is None else _depth(image, content, samples)


def in_8_bits(image: Image.Image, content: bytes, significant_bits: int | None) -> Image.Image:
    """Return an image with 16-bit samples in 8 bits, and any other as it is.

    `significant_bits` is how many bits are used if the file does not record it; None stands for all. Raises
    what `of` raises, and BadImage for a value that takes more bits.
    """
    is_grey = image.mode.startswith("I")
    if not is_grey and significant_bits in (None, FULL) and not any(_claims(image, content)):
        return image  # most images, and 16-bit colours that Pillow alone reads well
    samples = _samples(image, content)
    if samples is None:
        return image
    depth = _depth(image, content, samples)
    bits = depth.bits(significant_bits)
    if depth.largest >> bits:
        raise BadImage(
            "has values up to {largest:,}, but {bits} significant bits hold at most {most:,}",
            largest=depth.largest,
            bits=bits,
            most=(1 << bits) - 1,
        )
    if bits == FULL and not is_grey:
        return image  # Pillow has kept the high byte of each sample
    scaled = Image.fromarray(_scaled(samples, bits))
    scaled.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
    return scaled


def decided(largest: Sequence[int]) -> int:
    """Return how many bits are used in images that do not record it, given the largest value of each.

    Logs it.
    """
    return decided_for(len(largest), max(largest))


def decided_for(count: int, most: int) -> int:
    """Return how many bits are used in so many images that do not record it, and log it.

    `most` is the largest value in all of them.
    """
    bits = enough_for(most)
    subject = "it is" if count == 1 else "they are"
    log.info("%s, so %s read as %s-bit.", _unrecorded(count, most), subject, bits)
    return bits


def warn_of_undecided(largest: Sequence[int]) -> None:
    """Warn if images that do not record how many bits are used have been read as 16-bit and look dark.

    `largest` has the largest value of each.
    """
    if largest and enough_for(max(largest)) < FULL:
        log.warning(
            Message(
                "{found}. Nothing says what was used in training, so all 16 are assumed, and the images may "
                "come out too dark. Set {significant_bits} to the camera's number of bits, such as {bits}.",
                found=_unrecorded(len(largest), max(largest)),
                bits=enough_for(max(largest)),
            )
        )


def enough_for(most: int) -> int:
    """Return the smallest of the usual numbers of bits that hold a value."""
    return next(bits for bits in USUAL if not most >> bits)


def _unrecorded(count: int, most: int) -> str:
    if count == 1:
        images, its, it = "1 16-bit image does", "its", "it"
    else:
        images, its, it = f"{count:,} 16-bit images do", "their", "them"
    return f"{images} not record how many of {its} bits are used; the largest value in {it} is {most:,}"


def identity(digest: bytes, bits: int) -> bytes:
    """Return 32 bytes that differ if pixels do, for a file with this SHA-256 whose samples use so many bits.

    They are the SHA-256 itself for all images that are read as before there was a choice.
    """
    return digest if bits == FULL else hashlib.sha256(digest + f"{bits} significant bits".encode()).digest()


def _depth(image: Image.Image, content: bytes, samples: Samples) -> SampleDepth:
    colours = samples[..., :-1] if samples.ndim == 3 and samples.shape[2] in (2, 4) else samples
    confirmed = (bits for claim in _claims(image, content) if (bits := claim.confirmed_by(colours)))
    return SampleDepth(next(confirmed, None), int(colours.max()))


def _samples(image: Image.Image, content: bytes) -> Samples | None:
    """Return the 16-bit samples of an image, or None if there are none, or Pillow cannot give them."""
    if image.mode.startswith("I"):
        return _grey(image)
    rawmode = _rawmode(image) if may_be_deep(content) else ""
    if rawmode not in (*_LOW_BYTES, _GREY_AND_ALPHA):
        return None
    if rawmode == _GREY_AND_ALPHA:
        return np.ascontiguousarray(_unpacked(content, "RGBA")).view(">u2").astype(np.uint16)
    both = np.stack([np.asarray(image), _unpacked(content, _LOW_BYTES[rawmode])], axis=-1)
    return both.view(">u2")[..., 0].astype(np.uint16)


def _grey(image: Image.Image) -> Samples:
    values: NDArray[Any] = np.asarray(image)
    if values.min() < 0:
        raise BadImage(
            "has values down to {least:,}, and nothing says which is black", least=int(values.min())
        )
    if values.max() >> FULL:
        raise BadImage("has values up to {most:,}, and nothing says which is white", most=int(values.max()))
    grey: Samples = values.astype(np.uint16, copy=False)
    return grey


def _rawmode(image: Image.Image) -> str:
    """Return how Pillow will unpack the samples of an opened image; empty once it has done so."""
    tiles: Sequence[Any] = getattr(image, "tile", ())
    arguments = tiles[0].args if tiles else ""
    rawmode = arguments[0] if isinstance(arguments, tuple) else arguments
    return rawmode if isinstance(rawmode, str) else ""


def _unpacked(content: bytes, rawmode: str) -> NDArray[np.uint8]:
    """Return what Pillow decodes if it is told to unpack the samples in this way."""
    with decoders.opened(content, "PNG" if content.startswith(_PNG) else "TIFF") as opened:
        image: Any = opened  # `tile` is there for all formats that Pillow reads from a file
        image.tile = [tile._replace(args=_with_rawmode(tile.args, rawmode)) for tile in image.tile]
        return np.asarray(image)


def _with_rawmode(arguments: Any, rawmode: str) -> Any:
    return (rawmode, *arguments[1:]) if isinstance(arguments, tuple) else rawmode


def _scaled(samples: Samples, bits: int) -> NDArray[np.uint8]:
    """Return samples of so many bits as 0 to 255."""
    most = (1 << bits) - 1
    values = np.arange(1 << FULL, dtype=np.uint32)
    rounding = 0 if bits == FULL else most // 2  # all 16 bits are read as they always were
    table = np.minimum((values * 255 + rounding) // most, 255)  # a larger value can only be an opaque one
    scaled: NDArray[np.uint8] = table.astype(np.uint8)[samples]
    return scaled


@dataclasses.dataclass(frozen=True)
class _Claim:
    """What a file records: its values use so many bits, or were scaled from so many to all 16."""

    bits: int
    may_be_scaled: bool = False

    def confirmed_by(self, samples: Samples) -> int | None:
        """Return how many bits the values use, or None if they contradict the record."""
        if self.may_be_scaled and _are_scaled(samples, self.bits):
            return FULL
        return None if int(samples.max()) >> self.bits else self.bits


def _are_scaled(samples: Samples, bits: int) -> bool:
    """Return whether samples were scaled from so many bits to 16, by any of the methods that PNG names.

    The bits below are then zero, or repeat the highest, or come from rounding. Some writers store the values
    as they are. A dark image has small values either way, but scaled ones have at most 1 in the bits below.
    """
    if int(samples.max()) >> bits:
        return True
    spare = FULL - bits
    return int(samples.max()) >> spare > 0 and int((samples & ((1 << spare) - 1)).max()) <= 1


def _claims(image: Image.Image, content: bytes) -> Iterator[_Claim]:
    """Yield what a file records about its significant bits, the most trustworthy first."""
    if image.format == "PNG":
        yield from _png_claims(content)
    elif image.format == "TIFF":
        yield from _tiff_claims(getattr(image, "tag_v2", {}))
    elif image.format is not None and image.mode.startswith("I"):
        yield _Claim(FULL)  # Pillow scales what it reads of PGM and JPEG 2000 up to 16 bits


def _png_claims(content: bytes) -> Iterator[_Claim]:
    """Yield what the chunk sBIT says (ISO/IEC 15948, 11.3.2.7): a byte for each channel, alpha last."""
    start = len(_PNG)
    while (kind := content[start + 4 : start + 8]) not in (b"", b"IDAT"):
        length = int.from_bytes(content[start : start + 4], "big")
        if kind == b"sBIT":
            channels = content[start + 8 : start + 8 + length]
            bits = max(channels[: 1 if length < 3 else 3], default=0)
            if 0 < bits <= FULL:
                yield _Claim(bits, may_be_scaled=True)
            return
        start += length + 12  # with its length, its kind and its checksum


def _tiff_claims(tags: Any) -> Iterator[_Claim]:
    """Yield what the tags of a TIFF say, and the OME-XML that microscopes write into its description.

    TIFF means MaxSampleValue for statistics, and some writers give the largest value of the very image. So it
    only counts if it is the largest value of some number of bits, and not of all 16, which is the default.
    """
    packed = _values(tags, _BITS_PER_SAMPLE)
    if packed and isinstance(packed[0], int) and 8 < packed[0] < FULL:
        yield _Claim(packed[0])
    description = tags.get(_DESCRIPTION, "")
    if isinstance(description, str) and "<OME" in description:
        found = re.search(r"""\bSignificantBits=["'](\d{1,2})["']""", description)
        if found and 0 < int(found[1]) <= FULL:
            yield _Claim(int(found[1]))
    for tag in (_MAX_SAMPLE_VALUE, _SIGNED_MAX_SAMPLE_VALUE):
        largest = set(_values(tags, tag))
        yield from (_Claim(bits) for bits in range(8, FULL) if largest == {(1 << bits) - 1})


def _values(tags: Any, tag: int) -> tuple[Any, ...]:
    value = tags.get(tag, ())
    return value if isinstance(value, tuple) else (value,)
