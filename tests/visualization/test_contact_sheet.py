from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining.visualization import contact_sheet
from retraining.visualization.contact_sheet import (
    GAP,
    LARGEST,
    MARGIN,
    PAGE_WIDTH,
    SMALLEST,
    Picture,
    grey,
    page,
)


def pictures(count: int, size: int, caption: str = "") -> list[Picture]:
    return [Picture(Image.new("L", (size, size), 200), caption) for _ in range(count)]


def test_brightness_is_stretched_from_black_to_white() -> None:
    shown = np.asarray(grey(np.linspace(-7, -5, 100, dtype=np.float32).reshape(10, 10)))
    assert (shown.min(), shown.max()) == (0, 255)
    assert (np.diff(shown.reshape(-1).astype(int)) >= 0).all()


def test_map_with_a_single_value_is_black() -> None:
    assert not np.asarray(grey(np.full((4, 4), 3, np.float32))).any()


def test_one_dead_pixel_does_not_leave_a_map_grey() -> None:
    values = np.random.default_rng(0).random((100, 100)).astype(np.float32)
    values[0, 0] = 1e6
    assert np.asarray(grey(values)).std() > 50


@pytest.mark.parametrize(
    ("count", "size"), [(1, 5), (16, 112), (32, 111), (768, 4), (2048, 5), (59, 313), (7, 20)]
)
def test_every_picture_on_a_page_is_neither_too_small_nor_too_large(count: int, size: int) -> None:
    shown = page(pictures(count, size), title="maps")
    pixels = np.asarray(shown.convert("L"))
    area = (pixels == 200).sum() / count
    side = round(area**0.5)
    assert side * side == area  # squares, all of them whole
    assert SMALLEST - size < side <= LARGEST
    assert side % size == 0 or side == LARGEST
    assert shown.width <= max(PAGE_WIDTH, 12 * LARGEST) + 2 * MARGIN + GAP


def test_last_row_is_full_if_the_number_of_pictures_allows() -> None:
    shown = np.asarray(page(pictures(32, 111), title="").convert("L"))
    filled = shown[MARGIN + 60 :, :] == 200
    columns = (np.diff(filled[10].astype(int)) == 1).sum()
    assert columns in (8, 4)


def test_caption_that_is_too_long_keeps_its_end(tmp_path: Path) -> None:
    short = page(pictures(4, 100, "reduce_pre_relu"), title="")
    long = page(pictures(4, 100, "x" * 500), title="")
    assert short.size == long.size
    contact_sheet.write(long, tmp_path / "new" / "page.png")
    with Image.open(tmp_path / "new" / "page.png") as read_back:
        assert (read_back.format, read_back.size) == ("PNG", long.size)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("mixed4c_1x1", "mixed4c_1x1"),
        ("a/b c", "a_b_c"),
        ("../..", "layer"),
        ("チューリップ", "チューリップ"),
    ],
)
def test_layer_name_cannot_lead_to_another_folder(name: str, stem: str) -> None:
    assert contact_sheet.file_stem(name) == stem
