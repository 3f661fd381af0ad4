from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images
from retraining.errors import BadImage
from tests.image_files import encoded, red_left

SIZE = ImageSize(4, 6)


def test_pixels_are_float32_from_0_to_1_at_the_requested_size() -> None:
    pixels = images.decode(encoded(red_left(), "PNG"), SIZE)
    assert pixels.dtype == np.float32
    assert pixels.shape == (4, 6, 3)
    np.testing.assert_array_equal(pixels[:, 0], np.tile([1, 0, 0], (4, 1)))
    np.testing.assert_array_equal(pixels[:, 5], np.ones((4, 3)))


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "1", "LA", "RGBA", "I;16", "YCbCr"])
def test_every_mode_comes_out_as_rgb(mode: str) -> None:
    if mode == "I;16":
        image = Image.fromarray(np.full((40, 60), 65535, np.uint16))
    else:
        image = Image.new("RGB", (60, 40), "white").convert(mode)
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    np.testing.assert_allclose(images.decode(encoded(image, kind), SIZE), 1, atol=0.02)


def test_middle_16_bit_grey_stays_middle_grey() -> None:
    image = Image.fromarray(np.full((40, 60), 32768, np.uint16))
    np.testing.assert_allclose(images.decode(encoded(image, "PNG"), SIZE), 0.5, atol=0.01)


def test_transparent_pixels_become_white() -> None:
    image = Image.new("RGBA", (60, 40), (0, 0, 0, 0))
    np.testing.assert_array_equal(images.decode(encoded(image, "PNG"), SIZE), np.ones((4, 6, 3)))


def test_shrinking_averages_over_the_whole_area() -> None:
    stripes = np.zeros((64, 64), np.uint8)
    stripes[:, ::2] = 255
    pixels = images.decode(encoded(Image.fromarray(stripes), "PNG"), ImageSize(8, 8))
    np.testing.assert_allclose(pixels, 0.5, atol=0.02)


def test_file_that_cannot_be_read_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(BadImage, match=r"^cannot be read \(No such file or directory\)$"):
        images.read(tmp_path / "gone.jpg")
