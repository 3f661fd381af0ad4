"""What a file is, by its bytes and never by its suffix: an image to read, or something else with a name."""

from __future__ import annotations

import codecs
import re
import struct
from collections.abc import Mapping

from retraining.errors import BadImage

# Of these, Pillow and pillow-heif decode the bytes themselves, and open no other file or program.
# MPO, which some cameras write, is read as the JPEG it begins with.
FORMATS = (
    "JPEG",
    "PNG",
    "GIF",
    "BMP",
    "WebP",
    "TIFF",
    "AVIF",
    "HEIC",
    "JPEG 2000",
    "PPM",
    "TGA",
    "ICO",
)

_IMAGES = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cjP  \r\n\x87\n": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
}

# Pictures of formats that nothing here decodes, or that need other programs.
_OTHER_PICTURES = {
    b"8BPS": "a Photoshop document",
    b"%!PS": "an EPS drawing",
    b"\xc5\xd0\xd3\xc6": "an EPS drawing",
    b"gimp xcf": "a GIMP document",
    b"\xd7\xcd\xc6\x9a": "a WMF drawing",
    b"\0\0\0\x0cJXL \r\n\x87\n": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"II\xbc": "a JPEG XR image",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"DDS ": "a DDS texture",
    b"II\x1a\0\0\0HEAPCCDR": "a Canon raw photo",
    b"IIRO": "an Olympus raw photo",
    b"IIRS": "an Olympus raw photo",
    b"MMOR": "an Olympus raw photo",
    b"IIU\0": "a Panasonic raw photo",
    b"FUJIFILMCCD-RAW": "a Fujifilm raw photo",
    b"FOVb": "a Sigma raw photo",
    b"\0MRM": "a Minolta raw photo",
}

_OTHER_FILES = {
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a ZIP archive",
    b"Rar!\x1a\x07": "a RAR archive",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"\x1f\x8b": "a GZIP archive",
    b"\x1a\x45\xdf\xa3": "a Matroska video",
    b"\x30\x26\xb2\x75\x8e\x66\xcf\x11": "a Windows Media video",
    b"\0\0\x01\xba": "an MPEG video",
    b"\0\0\x01\xb3": "an MPEG video",
    b"FLV\x01": "a Flash video",
    b"OggS": "an Ogg recording",
    b"ID3": "an MP3 recording",
}

_RIFF = {b"AVI ": "an AVI video", b"WAVE": "a WAV recording"}

# The brands of ISO/IEC 23008-12 (HEIF) and of AVIF; all others are of videos.
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
# How a QuickTime file begins that has no brands.
_QUICKTIME_BOXES = {b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"}

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
# Netpbm's formats: a width and a height, with comments between them.
_PNM = re.compile(rb"P([1-6]|f)((\s|#[^\n]*\n)+\d+){2}\s")
_WEB_PAGES = (b"<!doctype html", b"<html")

# Tags of TIFF, and of DNG.
_NEW_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_REDUCED = 1  # the bit of _NEW_SUBFILE_TYPE for a smaller version of another image in the file
_SENSOR_VALUES = (32803, 34892)  # _PHOTOMETRIC of colours that are still those of the sensor
_MOST_TAGS = 1000


def image_format(content: bytes) -> str | None:
    """Return which of FORMATS a file's bytes are, or None. They may still be damaged."""
    found = _starting(content, _IMAGES)
    if found == "TIFF":
        return None if _raw_photo(content) else found
    if found:
        return found
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WebP"
    if content[4:8] == b"ftyp":
        return _format_of_brands(content)
    if content[:2] == b"BM" and int.from_bytes(content[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    if _PNM.match(content[:2000]):
        return "PPM"
    # An icon's number of images, and a zero in the entry of the first.
    if content[:4] == b"\0\0\x01\0" and content[4:6] != b"\0\0" and content[9:10] == b"\0":
        return "ICO"
    return "TGA" if _is_tga(content) else None


def refusal(content: bytes) -> BadImage:
    """Return why a file is not read that has none of FORMATS: what it is instead, if that is known."""
    picture = _other_picture(content)
    if picture:
        return BadImage("is {kind}, which is not read; save it as JPEG or PNG", kind=picture)
    kind = _other_file(content)
    if kind:
        return BadImage("is {kind}, not an image", kind=kind)
    return BadImage("is not an image of a known format ({formats})", formats=", ".join(FORMATS))


def _starting(content: bytes, kinds: Mapping[bytes, str]) -> str | None:
    return next((kind for signature, kind in kinds.items() if content.startswith(signature)), None)


def _other_picture(content: bytes) -> str | None:
    if content[4:12] == b"ftypcrx ":
        return "a Canon raw photo"
    if content[40:44] == b" EMF" and content[:4] == b"\x01\0\0\0":
        return "an EMF drawing"
    if b"<svg" in content[:1000] and _is_text(content):
        return "an SVG drawing"
    return _starting(content, _OTHER_PICTURES) or _raw_photo(content)


def _other_file(content: bytes) -> str | None:
    if content[4:8] == b"ftyp":
        return "a QuickTime video" if content[8:12] == b"qt  " else "an MP4 video"
    if content[4:8] in _QUICKTIME_BOXES:
        return "a QuickTime video"
    if content[:4] == b"RIFF":
        return _RIFF.get(content[8:12])
    if content[:1] == b"G" and content[188:189] == content[376:377] == b"G":  # packets of 188 bytes
        return "an MPEG video"
    return _starting(content, _OTHER_FILES) or _kind_of_text(content)


def _kind_of_text(content: bytes) -> str | None:
    start = content[:1000].removeprefix(codecs.BOM_UTF8).lstrip().lower()
    if start.startswith(_WEB_PAGES):
        return "a web page"
    if not _is_text(content):
        return None
    if b"adjustmentformatidentifier" in start:
        return "an Apple AAE file"
    if start.startswith(b"<?xml"):
        return "an XML file"
    return "a JSON file" if start.startswith((b"{", b"[")) else "a text file"


def _is_text(content: bytes) -> bool:
    try:
        # Not the end of the decoding: the last character may have been cut.
        text = codecs.getincrementaldecoder("utf-8-sig")().decode(content[:1000])
    except UnicodeDecodeError:
        return False
    return all(letter.isprintable() or letter in "\t\r\n\f" for letter in text)


def _format_of_brands(content: bytes) -> str | None:
    """Return the format of a file that begins with its brands, or None for videos and raw photos."""
    size = int.from_bytes(content[:4], "big")
    major, *others = (content[at : at + 4] for at in range(8, min(size, 200), 4)) if size > 8 else (b"",)
    if major in _AVIF_BRANDS or (major in _HEIC_BRANDS and _AVIF_BRANDS.intersection(others)):
        return "AVIF"
    return "HEIC" if major in _HEIC_BRANDS else None


def _is_tga(content: bytes) -> bool:
    """Return whether the first 18 bytes are a possible header of TGA, which has no signature.

    Text cannot pass, since its second byte is not 0 or 1, and of random bytes about one file in 10^12 does.
    """
    if len(content) < 18:
        return False
    _, has_map, kind, first, length, entry, _, _, width, height, depth, flags = struct.unpack_from(
        "<BBBHHBHHHHBB", content
    )
    if not (width and height) or flags & 0xC0:
        return False
    if has_map:  # a palette
        return has_map == 1 and kind in (1, 9) and depth == 8 and length > 0 and entry in (15, 16, 24, 32)
    if first or length or entry:
        return False
    return (kind in (2, 10) and depth in (16, 24, 32)) or (kind in (3, 11) and depth in (1, 8, 16))


def _raw_photo(content: bytes) -> str | None:
    """Return what the raw photo of a camera is called that is built as a TIFF, or None.

    The first image of such a file is often a preview as small as a stamp, which must not be taken for it.
    """
    if _starting(content, _IMAGES) != "TIFF":
        return None
    if content[8:10] == b"CR":
        return "a Canon raw photo"
    tags = _tiff_tags(content)
    if _DNG_VERSION in tags:
        return "a DNG raw photo"
    is_preview = tags.get(_NEW_SUBFILE_TYPE, 0) & _REDUCED and _SUB_IFDS in tags
    return "a raw photo" if is_preview or tags.get(_PHOTOMETRIC) in _SENSOR_VALUES else None


def _tiff_tags(content: bytes) -> dict[int, int]:
    """Return the tags of a TIFF's first image with their values; those that are not one integer are 0."""
    order = "<" if content[:2] == b"II" else ">"
    if content[2:4] not in (b"*\0", b"\0*"):
        return {}  # BigTIFF, which no camera writes
    tags: dict[int, int] = {}
    try:
        (start,) = struct.unpack_from(f"{order}I", content, 4)
        (count,) = struct.unpack_from(f"{order}H", content, start)
        for number in range(min(count, _MOST_TAGS)):
            tag, kind, values = struct.unpack_from(f"{order}HHI", content, start + 2 + 12 * number)
            code = {1: "B", 3: "H", 4: "I"}.get(kind) if values == 1 else None
            at = start + 10 + 12 * number
            tags[tag] = struct.unpack_from(f"{order}{code}", content, at)[0] if code else 0
    except struct.error:  # cut short
        pass
    return tags
