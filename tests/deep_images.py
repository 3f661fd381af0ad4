"""Images of 16-bit samples of which fewer bits are used, as microscopes and cameras write them."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
from PIL import Image, TiffImagePlugin

from tests.image_files import encoded

_PNG_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}  # by the number of channels


def grey_8_bits() -> np.ndarray:
    """Return uint8 [16, 16] with every value from 0 to 255 once."""
    return np.arange(256, dtype=np.uint8).reshape(16, 16)


def in_bits(grey: np.ndarray, bits: int) -> np.ndarray:
    """Return 8-bit grey as uint16 of which so many bits are used."""
    return np.round(grey * (((1 << bits) - 1) / 255)).astype(np.uint16)


def png(samples: np.ndarray, *, sbit: bytes = b"") -> bytes:
    """Return a 16-bit PNG of uint16 [height, width, channels], with a chunk sBIT if that is given."""
    height, width, channels = samples.shape
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOUR_TYPES[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    parts = [(b"IHDR", header), (b"sBIT", sbit), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    chunks = [_chunk(name, content) for name, content in parts if content or name == b"IEND"]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def grey_tiff(samples: np.ndarray, **tags: object) -> bytes:
    """Return a TIFF of uint16, int16 or int32 [height, width]; tags are given as `tag_281=4095`."""
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    for name, value in tags.items():
        directory[int(name.removeprefix("tag_"))] = value
    return encoded(Image.fromarray(samples), "TIFF", tiffinfo=directory)


def tiff(
    samples: bytes,
    *,
    size: tuple[int, int],
    bits: int = 16,
    channels: int = 1,
    order: str = "<",
    kind: int = 1,
) -> bytes:
    """Return a TIFF of any sample format (`kind` 1 unsigned, 2 signed), which Pillow cannot write.

    `size` is width and height, `order` the byte order as in `struct`.
    """
    tags = [
        *((256, size[0]), (257, size[1]), (258, bits), (259, 1), (262, 1 if channels == 1 else 2)),
        *((273, 8), (277, channels), (278, size[1]), (279, len(samples)), (339, kind)),
    ]
    entries = b"".join(struct.pack(f"{order}HHII", tag, 4, 1, value) for tag, value in tags)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(f"{order}H", len(tags)) + entries + bytes(4)
    return magic + struct.pack(f"{order}I", 8 + len(samples)) + samples + directory


def packed_12_bits(samples: np.ndarray) -> bytes:
    """Return 12-bit samples, two in three bytes, as TIFF packs them."""
    first, second = samples.ravel()[::2].astype(int), samples.ravel()[1::2].astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=-1)
    return packed.astype(np.uint8).tobytes()


def write_plates(folder: Path, *, bits: int = 12, recorded: bool = False, per_class: int = 12) -> Path:
    """Write two classes of grey TIFFs, brighter above or brighter below, of which so many bits are used."""
    tags = {"tag_281": (1 << bits) - 1} if recorded else {}
    for number, name in enumerate(("above", "below")):
        (folder / name).mkdir(parents=True)
        for index in range(per_class):
            grey = plate(is_above=number == 0, seed=100 * number + index)
            content = (
                encoded(Image.fromarray(grey), "PNG") if bits == 8 else grey_tiff(in_bits(grey, bits), **tags)
            )
            (folder / name / f"{name}_{index:03}.tif").write_bytes(content)
    return folder


def plate(*, is_above: bool, seed: int) -> np.ndarray:
    """Return uint8 [40, 40]: noise that is brighter in its upper or its lower half."""
    grey = np.random.default_rng(seed).integers(0, 150, (40, 40)) + 20
    half = slice(0, 20) if is_above else slice(20, 40)
    grey[half] += 80
    grey[0, 0] = 250  # in every image, so that each alone shows how many bits are used
    return grey.astype(np.uint8)
