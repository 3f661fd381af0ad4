"""Images in any form: arrays and Pillow images that are not usable are refused with the reason."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize
from retraining.errors import BadImage
from retraining.inference import sources

SIZE = ImageSize(4, 6)

EXPECTED = "an image is uint8 [height, width, 3] of 0 to 255 or floating point in [0, 1]"


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4)])
def test_array_of_bytes_is_grey_coloured_or_transparent(shape: tuple[int, ...]) -> None:
    pixels = sources.decode(np.full(shape, 255, np.uint8), SIZE)
    np.testing.assert_array_equal(pixels, np.ones((4, 6, 3), np.float32))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_array_of_the_right_size_is_not_rounded(dtype: type[Any]) -> None:
    array = np.random.default_rng(0).random((4, 6, 3)).astype(dtype)
    np.testing.assert_array_equal(sources.decode(array, SIZE), array.astype(np.float32))


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (np.zeros((0, 5, 3), np.uint8), f"is an array of uint8 [0, 5, 3]; {EXPECTED}"),
        (np.zeros((5, 0), np.uint8), f"is an array of uint8 [5, 0]; {EXPECTED}"),
        (np.zeros((5, 5, 2), np.uint8), f"is an array of uint8 [5, 5, 2]; {EXPECTED}"),
        (np.zeros((5, 5, 3), np.int64), f"is an array of int64 [5, 5, 3]; {EXPECTED}"),
        (np.zeros((0, 5, 3)), "is an array of [0, 5, 3]; an image is [height, width, 3]"),
        (
            np.full((5, 5, 3), 2.0),
            "is a floating-point array with values from 2 to 2; they must be in [0, 1]",
        ),
        (
            np.full((5, 5, 3), np.nan),
            "is a floating-point array with values from nan to nan; they must be in [0, 1]",
        ),
        (Image.new("RGB", (0, 0)), "has no pixels"),
        (Image.new("F", (5, 5)), "has floating-point pixels, and nothing says which value is white"),
        (b"", "is empty"),
        (5, "has the type int; an image is a path, the bytes of a file, a Pillow image or an array"),
    ],
)
def test_unusable_source_is_refused_with_the_reason(source: Any, reason: str) -> None:
    with pytest.raises(BadImage) as caught:
        sources.decode(source, SIZE)
    assert str(caught.value) == reason
