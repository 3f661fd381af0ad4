"""Image files of every kind, drawn: a white picture whose left half is red."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageCms

from retraining.data import images

RED = (255, 0, 0)
WIDTH, HEIGHT = 64, 48

# Adam7, the interlacing of PNG: first row and column of each pass, and the steps between them.
_PASSES = ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1))


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
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
    }
    return files | {f"JPEG, orientation {number}": turned(number) for number in range(1, 9)}


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
    }


def turned(orientation: int) -> bytes:
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
    return encoded(image, "JPEG", exif=exif, quality=95)


def bombs() -> dict[str, bytes]:
    """Return small files whose headers promise 60,000 x 60,000 pixels."""
    side = 60_000
    bmp = bytearray(encoded(Image.new("L", (16, 16)), "BMP"))
    bmp[18:26] = struct.pack("<ii", side, side)
    gif = bytearray(encoded(Image.new("L", (16, 16)), "GIF"))
    gif[6:10] = struct.pack("<HH", side, side)
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    jpeg = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
    size = jpeg.index(b"\xff\xc0") + 5
    jpeg[size : size + 4] = struct.pack(">HH", side, side)
    tiff = bytearray(encoded(Image.new("L", (16, 16)), "TIFF"))
    for tag in (256, 257):  # width and height
        value = tiff.index(struct.pack("<HHI", tag, 4, 1)) + 8
        tiff[value : value + 4] = struct.pack("<I", side)
    rows = zlib.compress(bytes(1 << 20))
    return {
        "PNG": b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND"),
        "GIF": bytes(gif),
        "BMP": bytes(bmp),
        "JPEG": bytes(jpeg),
        "TIFF": bytes(tiff),
    }


def unusable() -> dict[str, tuple[bytes, str]]:
    """Return contents that are not usable images, by file name, each with the reason."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8))
    cut = {f"cut {kind}.jpg": encoded(noise, kind) for kind in images.FORMATS}
    unknown = f"is not an image of a known format ({', '.join(images.FORMATS)})"
    float_tiff = encoded(Image.fromarray(np.ones((8, 8), np.float32)), "TIFF")
    return {
        "empty.jpg": (b"", "is empty"),
        "page.jpg": (b"<!DOCTYPE html><html><body>404</body></html>", "is a web page, not an image"),
        "old page.png": (b"\r\n<HTML>", "is a web page, not an image"),
        "notes.txt": (b"roses are red", unknown),
        "thumbnails.db": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), unknown),
        "film.mp4": (b"\0\0\0\x18ftypmp42" + bytes(5000), unknown),
        "film.avi": (b"RIFF\x10\x27\0\0AVI LIST" + bytes(5000), unknown),
        "signature only.jpg": (b"\xff\xd8\xff", "is damaged or cut short"),
        "float.tiff": (float_tiff, "has floating-point pixels, and nothing says which value is white"),
        **{name: (content[: len(content) // 2], "is cut short") for name, content in cut.items()},
        **{
            f"bomb {kind}.png": (content, "has too many pixels to be a photo")
            for kind, content in bombs().items()
        },
    }
