"""Image files of every kind, drawn: a white picture whose left half is red."""

from __future__ import annotations

import functools
import io
import struct
import zlib

import numpy as np
import pillow_heif
from PIL import Image, ImageCms

from retraining.data import file_kinds

RED = (255, 0, 0)
WIDTH, HEIGHT = 64, 48

# Adam7, the interlacing of PNG: first row and column of each pass, and the steps between them.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    """Return the file of an image; `kind` is one of FORMATS, or Pillow's name of another."""
    stream = io.BytesIO()
    if kind == "HEIC":
        pillow_heif.from_pillow(image).save(stream, **settings)
    else:
        image.save(stream, kind.upper().replace(" ", ""), **settings)
    return stream.getvalue()


def red_left(width: int = WIDTH, height: int = HEIGHT) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    image.paste(RED, (0, 0, width // 2, height))
    return image


def red_left_over_nothing() -> Image.Image:
    """Return the picture with transparent black where the others are white."""
    image = Image.new("RGBA", (WIDTH, HEIGHT), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, WIDTH // 2, HEIGHT))
    return image


def png(pixels: np.ndarray, *, interlaced: bool = False) -> bytes:
    """Return a PNG of uint8 or uint16 [height, width, 3], kinds that Pillow cannot write."""
    height, width, _ = pixels.shape
    bits = 8 * pixels.dtype.itemsize
    parts = [pixels]
    if interlaced:
        parts = [pixels[row::down, column::right] for row, column, down, right in _PASSES]
    rows = b"".join(b"\0" + row.astype(f">u{bits // 8}").tobytes() for part in parts for row in part)
    header = struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, interlaced)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(rows))
        + _chunk(b"IEND")
    )


def _chunk(name: bytes, content: bytes = b"") -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@functools.cache
def usable() -> dict[str, bytes]:
    """Return files of each kind, by a name for it; each shows red on the left and white on the right."""
    picture = red_left()
    rgb = np.asarray(picture)
    frames = {"save_all": True, "append_images": [Image.new("RGB", picture.size, "blue")]}
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    files = {
        "JPEG, baseline": encoded(picture, "JPEG"),
        "JPEG, progressive": encoded(picture, "JPEG", progressive=True),
        "JPEG, CMYK": encoded(picture.convert("CMYK"), "JPEG"),
        "JPEG, with a colour profile": encoded(picture, "JPEG", icc_profile=profile),
        "JPEG, MPO": encoded(picture, "MPO", **frames),
        "PNG": encoded(picture, "PNG"),
        "PNG, palette": encoded(picture.quantize(4), "PNG"),
        "PNG, palette with a transparent colour": encoded(red_left_over_nothing().quantize(4), "PNG"),
        "PNG, alpha": encoded(red_left_over_nothing(), "PNG"),
        "PNG, interlaced": png(rgb, interlaced=True),
        "PNG, 16-bit": png(rgb.astype(np.uint16) * 257),
        "GIF": encoded(picture, "GIF"),
        "GIF, animated": encoded(picture, "GIF", **frames),
        "GIF, transparent": encoded(red_left_over_nothing(), "GIF"),
        "BMP": encoded(picture, "BMP"),
        "WebP": encoded(picture, "WEBP"),
        "WebP, animated": encoded(picture, "WEBP", **frames),
        "WebP, alpha": encoded(red_left_over_nothing(), "WEBP", lossless=True),
        "TIFF": encoded(picture, "TIFF"),
        "TIFF, LZW": encoded(picture, "TIFF", compression="tiff_lzw"),
        "TIFF, JPEG": encoded(picture, "TIFF", compression="jpeg"),
        "TIFF, CMYK": encoded(picture.convert("CMYK"), "TIFF"),
        "PPM": encoded(picture, "PPM"),
        "PPM, plain": b"P3 # by hand\n8 1\n255\n" + b"255 0 0  " * 4 + b"255 255 255\n" * 4,
        "PPM, 16-bit": b"P6 8 1 65535\n" + b"\xff\xff\0\0\0\0" * 4 + b"\xff" * 24,
        "TGA": encoded(picture, "TGA"),
        "TGA, from the bottom": encoded(picture, "TGA", orientation=-1),
        "TGA, run-length": encoded(picture, "TGA", compression="tga_rle"),
        "TGA, palette": encoded(picture.quantize(4), "TGA"),
        "TGA, alpha": encoded(red_left_over_nothing(), "TGA"),
        "ICO": encoded(picture, "ICO", sizes=[(48, 48)]),
        "ICO, alpha, BMP within": encoded(
            red_left_over_nothing(), "ICO", sizes=[(16, 16), (48, 48)], bitmap_format="bmp"
        ),
        "JPEG 2000": encoded(picture, "JPEG 2000"),
        "JPEG 2000, alpha": encoded(red_left_over_nothing(), "JPEG 2000"),
        "JPEG 2000, codestream": encoded(picture, "JPEG 2000", no_jp2=True),
        "JPEG 2000, lossy": encoded(picture, "JPEG 2000", irreversible=True, quality_layers=[20]),
    }
    return files | phone_photos() | {f"JPEG, orientation {number}": turned(number) for number in range(1, 9)}


def phone_photos() -> dict[str, bytes]:
    """Return files of the kinds that telephones write, AVIF and HEIC, which show what `usable` shows."""
    picture, transparent = red_left(), red_left_over_nothing()
    blue = Image.new("RGB", picture.size, "blue")
    deep = (np.asarray(picture).astype(np.uint16) * 257).tobytes()
    ten_bits = pillow_heif.from_bytes("RGB;16", picture.size, deep)
    stream = io.BytesIO()
    ten_bits.save(stream)
    several = pillow_heif.from_pillow(blue)
    several.add_from_pillow(picture)
    several.add_from_pillow(blue)
    with_several = io.BytesIO()
    several.save(with_several, primary_index=1)
    files = {
        "AVIF": encoded(picture, "AVIF"),
        "AVIF, alpha": encoded(transparent, "AVIF"),
        "AVIF, animated": encoded(picture, "AVIF", save_all=True, append_images=[blue]),
        "HEIC": encoded(picture, "HEIC"),
        "HEIC, alpha": encoded(transparent, "HEIC"),
        "HEIC, 10-bit": stream.getvalue(),
        "HEIC, second of three": with_several.getvalue(),
        "HEIC, general brand": encoded(picture, "HEIC").replace(b"ftypheic", b"ftypmif1", 1),
        "AVIF, general brand": encoded(picture, "AVIF").replace(b"ftypavif", b"ftypmif1", 1),
    }
    turned_files = {
        f"{kind}, orientation {number}": turned(number, kind)
        for kind in ("AVIF", "HEIC")
        for number in range(2, 9)
    }
    return files | turned_files


@functools.cache
def usable_grey() -> dict[str, bytes]:
    """Return files without colours: black on the left, white on the right."""
    grey = red_left().convert("RGB").split()[1]
    alpha = Image.merge("LA", (Image.new("L", grey.size, 0), grey.point(lambda value: 255 - value)))
    return {
        "JPEG, grey": encoded(grey, "JPEG"),
        "PNG, grey": encoded(grey, "PNG"),
        "PNG, grey and alpha": encoded(alpha, "PNG"),
        "PNG, black and white": encoded(grey.convert("1"), "PNG"),
        "PNG, 16-bit grey": encoded(Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "PNG"),
        "TIFF, fax": encoded(grey.convert("1"), "TIFF", compression="group4"),
        "PGM": encoded(grey, "PPM"),
        "PGM, plain": b"P2\n8 1\n7\n0 0 0 0 7 7 7 7\n",
        "PGM, 16-bit": b"P5\n8 1\n65535\n" + bytes(8) + b"\xff" * 8,
        "PBM": encoded(grey.convert("1"), "PPM"),
        "TGA, grey": encoded(grey, "TGA"),
        "JPEG 2000, grey": encoded(grey, "JPEG 2000"),
        "JPEG 2000, 16-bit grey": encoded(
            Image.fromarray(np.asarray(grey).astype(np.uint16) * 257), "JPEG 2000"
        ),
        "AVIF, grey": encoded(grey, "AVIF"),
        "HEIC, grey": encoded(grey, "HEIC"),
    }


def turned(orientation: int, kind: str = "JPEG") -> bytes:
    """Return the picture as a camera stores it that was held in one of EXIF's 8 orientations."""
    stored = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    picture = red_left()
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = picture.transpose(stored[orientation]) if orientation in stored else picture
    fine = {"chroma": 444} if kind == "HEIC" else {}
    return encoded(image, kind, exif=exif.tobytes(), quality=95, **fine)


BOMB_SIDE = 16_000


@functools.cache
def bombs() -> dict[str, bytes]:
    """Return small files whose headers promise BOMB_SIDE x BOMB_SIDE pixels; the JPEG is progressive."""
    side = BOMB_SIDE
    bmp = bytearray(encoded(Image.new("L", (16, 16)), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    gif = bytearray(encoded(Image.new("L", (16, 16)), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    jpeg = bytearray(encoded(Image.new("RGB", (16, 16)), "JPEG", progressive=True, subsampling=0))
    size = jpeg.index(b"\xff\xc2") + 5
    jpeg[size : size + 4] = struct.pack(">HH", side, side)
    tiff = bytearray(encoded(Image.new("L", (16, 16)), "TIFF"))
    for tag in (256, 257):  # width and height
        value = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff[value : value + 4] = struct.pack("<I", side)
    rows = zlib.compress(bytes(1 << 20))
    small = Image.new("RGB", (64, 64))
    tga = bytearray(encoded(small, "TGA"))
    tga[12:16] = struct.pack("<HH", side, side)
    codestream = bytearray(encoded(small, "JPEG 2000", no_jp2=True))
    codestream[8:16] = codestream[24:32] = struct.pack(">II", side, side)
    png = b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND")
    return {
        "PPM": b"P6 %d %d 255\n" % (side, side),
        "TGA": bytes(tga),
        "JPEG 2000": bytes(codestream),
        "AVIF": _with_boxed_size(encoded(small, "AVIF"), side),
        "HEIC": _with_boxed_size(encoded(small, "HEIC"), side),
        "ICO": struct.pack("<HHHBBBBHHII", 0, 1, 1, 0, 0, 0, 0, 1, 32, len(png), 22) + png,
        "PNG": png,
        "GIF": bytes(gif),
        "BMP": bytes(bmp),
        "JPEG": bytes(jpeg),
        "TIFF": bytes(tiff),
    }


def _with_boxed_size(content: bytes, side: int) -> bytes:
    """Return an AVIF or HEIC file whose box of the image's size says something else."""
    start = content.index(b"ispe") + 8
    return content[:start] + struct.pack(">II", side, side) + content[start + 8 :]


def _too_large(kind: str) -> str:
    if kind == "ICO":
        return "has too many megapixels; the limit for ICO is 178; reduce it"
    limit = "a progressive JPEG of its kind" if kind == "JPEG" else kind
    return f"has 256 megapixels (16000x16000), and the limit for {limit} is 178; reduce it"


@functools.cache
def unusable() -> dict[str, tuple[bytes, str]]:
    """Return contents that are not usable images, by file name, each with the reason."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8))
    cut = {f"cut {kind}.jpg": encoded(noise, kind) for kind in file_kinds.FORMATS}
    unknown = f"is not an image of a known format ({', '.join(file_kinds.FORMATS)})"
    float_tiff = encoded(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    return {
        "empty.jpg": (b"", "is empty"),
        "random.jpg": (np.random.default_rng(0).bytes(5000), unknown),
        "thumbnails.db": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), unknown),
        "signature only.jpg": (b"\xff\xd8\xff", "is cut short"),
        "signature only.png": (b"\x89PNG\r\n\x1a\n", "is damaged or cut short"),
        "float.tiff": (float_tiff, "has floating-point pixels, and nothing says which value is white"),
        **{name: (content, f"is {kind}, not an image") for name, (content, kind) in not_images().items()},
        **{
            name: (content, f"is {kind}, which is not read; save it as JPEG or PNG")
            for name, (content, kind) in pictures_that_are_not_read().items()
        },
        **{name: (content[: len(content) // 2], "is cut short") for name, content in cut.items()},
        **{f"bomb {kind}.png": (content, _too_large(kind)) for kind, content in bombs().items()},
    }


def not_images() -> dict[str, tuple[bytes, str]]:
    """Return contents of other kinds, by file name, each with what it is."""
    zeros = bytes(5000)
    return {
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "a web page"),
        "old page.png": (b"\r\n<HTML>\xe9", "a web page"),
        "notes.txt": (b"roses are red", "a text file"),
        "BMW.txt": (b"BMW and P3 are not pictures\n" * 100, "a text file"),
        "P3.txt": (b"P3 is not a picture\n", "a text file"),
        "umlauts.txt": ("\u00e4".encode() * 501, "a text file"),
        "labels.json": (b'{"rose": 1}', "a JSON file"),
        "box.xml": (b'<?xml version="1.0"?><annotation/>', "an XML file"),
        "edits.plist": (
            b'<?xml version="1.0"?><plist><dict><key>adjustmentFormatIdentifier</key></dict></plist>',
            "an Apple AAE file",
        ),
        "film.mp4": (b"\0\0\0\x18ftypmp42" + zeros, "an MP4 video"),
        "IMG_1.MOV": (b"\0\0\0\x14ftypqt  \0\0\0\0qt  " + zeros, "a QuickTime video"),
        "old.mov": (b"\0\0\0\x08wide\0\0\x10\0mdat" + zeros, "a QuickTime video"),
        "film.avi": (b"RIFF\x10\x27\0\0AVI LIST" + zeros, "an AVI video"),
        "film.mkv": (b"\x1a\x45\xdf\xa3" + zeros, "a Matroska video"),
        "film.mts": ((b"G" + bytes(187)) * 9, "an MPEG video"),
        "sound.wav": (b"RIFF\x10\x27\0\0WAVEfmt " + zeros, "a WAV recording"),
        "scan.pdf": (b"%PDF-1.7\n%\xe2\xe3" + zeros, "a PDF document"),
        "photos.zip": (b"PK\x03\x04" + zeros, "a ZIP archive"),
        "photos.tgz": (b"\x1f\x8b\x08" + zeros, "a GZIP archive"),
    }


def pictures_that_are_not_read() -> dict[str, tuple[bytes, str]]:
    """Return pictures of other formats, by file name, each with what it is."""
    zeros = bytes(5000)
    preview = {254: 1, 271: "NIKON CORPORATION", 330: 8}
    thumbnail = Image.new("RGB", (160, 120), RED)
    return {
        "layers.psd": (b"8BPS\0\x01" + zeros, "a Photoshop document"),
        "drawing.eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n", "an EPS drawing"),
        "drawing.svg": (
            b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
            "an SVG drawing",
        ),
        "drawing.wmf": (b"\xd7\xcd\xc6\x9a" + zeros, "a WMF drawing"),
        "drawing.emf": (b"\1\0\0\0" + bytes(36) + b" EMF" + zeros, "an EMF drawing"),
        "photo.jxl": (b"\xff\x0a" + zeros, "a JPEG XL image"),
        "IMG_1.CR3": (b"\0\0\0\x18ftypcrx " + zeros, "a Canon raw photo"),
        "IMG_1.CR2": (b"II*\0\x10\0\0\0CR\2\0" + zeros, "a Canon raw photo"),
        "photo.raf": (b"FUJIFILMCCD-RAW 0201" + zeros, "a Fujifilm raw photo"),
        # These have a small preview that could be read.
        "photo.nef": (encoded(thumbnail, "TIFF", tiffinfo=preview), "a raw photo"),
        "photo.dng": (encoded(thumbnail, "TIFF", tiffinfo={50706: b"\1\4\0\0"}), "a DNG raw photo"),
    }
