from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining import images
from retraining.errors import BadImage
from retraining.images import ImageSize

SIZE = ImageSize(4, 6)
RED = (255, 0, 0)


def encoded(image: Image.Image, kind: str, **settings: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **settings)
    return stream.getvalue()


def red_left(width: int = 60, height: int = 40) -> Image.Image:
    """A white image whose left half is red."""
    image = Image.new("RGB", (width, height), "white")
    image.paste(RED, (0, 0, width // 2, height))
    return image


def test_pixels_are_float32_from_0_to_1_in_the_size_asked_for() -> None:
    pixels = images.decode(encoded(red_left(), "PNG"), SIZE)
    assert pixels.dtype == np.float32
    assert pixels.shape == (4, 6, 3)
    np.testing.assert_array_equal(pixels[:, 0], np.tile([1, 0, 0], (4, 1)))
    np.testing.assert_array_equal(pixels[:, 5], np.ones((4, 3)))


@pytest.mark.parametrize("kind", [*images.FORMATS, "MPO"])
def test_every_format_is_known_by_its_bytes(kind: str) -> None:
    settings = {"save_all": True, "append_images": [red_left()]} if kind == "MPO" else {}
    pixels = images.decode(encoded(red_left(), kind, **settings), SIZE)
    np.testing.assert_allclose(pixels[:, 0], np.tile([1, 0, 0], (4, 1)), atol=0.05)


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "RGBA", "I;16", "YCbCr"])
def test_every_mode_comes_out_as_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 60), 65535, np.uint16))
    else:
        image = Image.new("RGB", (60, 40), "white").convert(mode)
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    np.testing.assert_allclose(images.decode(encoded(image, kind), SIZE), 1, atol=0.02)


def test_16_bit_grey_keeps_its_middle() -> None:
    image = Image.fromarray(np.full((40, 60), 32768, np.uint16))
    np.testing.assert_allclose(images.decode(encoded(image, "PNG"), SIZE), 0.5, atol=0.01)


def test_transparency_goes_over_white() -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    np.testing.assert_array_equal(images.decode(encoded(image, "PNG"), SIZE), np.ones((4, 6, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_the_camera_is_applied(orientation: int) -> None:
    upright = red_left()
    turned = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright.transpose(turned[orientation]) if orientation in turned else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = images.decode(encoded(stored, "JPEG", exif=exif, quality=95), SIZE)
    np.testing.assert_allclose(pixels, images.decode(encoded(upright, "PNG"), SIZE), atol=0.06)


def test_shrinking_averages_over_the_whole_area() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    pixels = images.decode(encoded(Image.fromarray(stripes), "PNG"), ImageSize(8, 8))
    np.testing.assert_allclose(pixels, 0.5, atol=0.02)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<html>404</html>", "is a web page, not an image"),
        (b"\n <!DOCTYPE HTML>", "is a web page, not an image"),
        (
            b"one,two\n1,2\n",
            "is not an image of a known format (JPEG, PNG, GIF, BMP, WEBP, TIFF)",
        ),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(content: bytes, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        images.decode(content, SIZE)
    assert caught.value.reason == reason


@pytest.mark.parametrize("kind", images.FORMATS)
def test_file_that_was_cut_off_is_refused_as_such(kind: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    content = encoded(Image.fromarray(noise), kind)
    with pytest.raises(BadImage, match=r"^is cut short$"):
        images.decode(content[: len(content) // 2], SIZE)


def test_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = bytearray(encoded(Image.new("L", (16, 16)), "BMP"))
    bomb[18:26] = (60000).to_bytes(4, "little") * 2
    with pytest.raises(BadImage, match=r"^has more pixels than any photograph; refused$"):
        images.decode(bytes(bomb), SIZE)


def test_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"^cannot be read \(No such file or directory\)$"):
        images.read(tmp_path / "gone.jpg")
