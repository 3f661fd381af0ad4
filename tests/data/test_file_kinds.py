"""What a file is: told from its bytes, whatever they are."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.data import file_kinds
from tests import image_files
from tests.fuzz_images import mutated

FORMATS = {**image_files.usable(), **image_files.usable_grey()}


@pytest.mark.parametrize("kind", FORMATS)
def test_format_of_every_image_is_told_from_its_bytes(kind: str) -> None:
    name = kind.split(",")[0].replace("PGM", "PPM").replace("PBM", "PPM")
    assert file_kinds.image_format(FORMATS[kind]) == name


def test_random_bytes_and_text_are_no_image() -> None:
    rng = np.random.default_rng(0)
    letters = b"abcdefgh 0123456789\n\t#GIFBMII"
    for _ in range(5000):
        assert file_kinds.image_format(rng.bytes(100)) is None
        assert file_kinds.image_format(bytes(rng.choice(list(letters), 100).tolist())) is None


def test_headers_that_are_nearly_those_of_tga_are_none() -> None:
    header = image_files.usable()["TGA"][:18]
    assert file_kinds.image_format(header) == "TGA"
    changes = {1: 7, 2: 4, 3: 1, 5: 1, 7: 24, 12: 0, 14: 0, 16: 31, 17: 0xC0}
    for at, value in changes.items():
        changed = header[:at] + bytes([value]) + header[at + 1 :]
        assert file_kinds.image_format(changed) is None, at
    assert file_kinds.image_format(header[:17]) is None


def test_windows_cursor_is_neither_an_icon_nor_tga() -> None:
    cursor = image_files.usable()["ICO"].replace(b"\0\0\1\0", b"\0\0\2\0", 1)
    assert file_kinds.image_format(cursor) is None


def test_damaged_files_of_other_kinds_are_refused_with_a_reason() -> None:
    sources = [content for content, _ in image_files.unusable().values() if content]
    for number in range(500):
        content = mutated(sources, np.random.default_rng([3, number]))
        if file_kinds.image_format(content) is None:
            assert str(file_kinds.refusal(content)).startswith("is ")
