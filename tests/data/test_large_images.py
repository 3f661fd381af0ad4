"""Images of many megapixels: JPEGs of 200 are read, memory is bounded, and what is too large is refused."""

from __future__ import annotations

import contextlib
import io
import re
import struct
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images, large_images
from retraining.errors import BadImage
from tests.conftest import PROJECT
from tests.image_files import RED, encoded

PHONE = (16384, 12288)  # the 200 megapixels of a phone's camera
LEAST = ImageSize(224, 224)


def baseline(width: int, height: int) -> bytes:
    """Return a red JPEG of any size, in milliseconds: eight rows of blocks, with markers between, repeated."""
    image = Image.new("RGB", (width, 64), RED)
    content = encoded(image, "JPEG", restart_marker_rows=1, subsampling=0)
    start = content.index(b"\xff\xda") + 14
    rows = content[start:-2]
    scan = b"\xff\xd7".join([rows] * (height // 64))
    return of_size(content[:start] + scan + content[-2:], width, height)


def of_size(content: bytes, width: int, height: int) -> bytes:
    """Return a JPEG whose header says another size."""
    (frame,) = re.finditer(rb"\xff[\xc0\xc2]\0.\x08", content)
    return content[: frame.end()] + struct.pack(">HH", height, width) + content[frame.end() + 4 :]


def small(**settings: object) -> bytes:
    return encoded(Image.new("RGB", (64, 64), RED), "JPEG", **settings)


def decoded_elsewhere(path: Path, least: str) -> tuple[list[int], int]:
    """Decode a file in a process of its own; return the image's size and the process's peak memory in MB."""
    code = (
        "import sys, pathlib; from tests.fuzz_images import peak_memory;"
        "from retraining.arrays import ImageSize; from retraining.data import images;"
        f"image = images.upright(pathlib.Path(sys.argv[1]).read_bytes(), {least});"
        "assert image.getpixel((image.width - 1, image.height - 1))[0] > 250;"
        "print(image.width, image.height, peak_memory())"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    *size, peak = map(int, done.stdout.split())
    return size, peak


def test_photo_of_200_megapixels_is_decoded_at_an_eighth_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(baseline(*PHONE))
    size, peak = decoded_elsewhere(path, "ImageSize(224, 224)")
    assert size == [2048, 1536]
    assert peak < 150


def test_photo_of_200_megapixels_is_halved_where_others_are_decoded_at_full_size(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    path.write_bytes(baseline(*PHONE))
    size, peak = decoded_elsewhere(path, "None")
    assert size == [8192, 6144]
    assert peak < 600


@pytest.mark.soak
def test_progressive_photo_of_200_megapixels_takes_less_than_a_gigabyte(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    Image.new("RGB", PHONE, RED).save(path, progressive=True)
    size, peak = decoded_elsewhere(path, "ImageSize(224, 224)")
    assert size == [2048, 1536]
    assert 600 < peak < 1000


def test_reduced_size_is_large_enough_for_what_is_asked_for_at_any_size() -> None:
    with contextlib.closing(opened(of_size(small(), *PHONE))) as image:
        large_images.reduce(image, b"", ImageSize(5000, 5000))
        assert image.size == (8192, 6144)
    with contextlib.closing(opened(of_size(small(), 13000, 13000))) as image:
        large_images.reduce(image, b"", None)
        assert image.size == (13000, 13000)


def opened(content: bytes) -> Image.Image:
    from PIL.JpegImagePlugin import JpegImageFile

    return JpegImageFile(io.BytesIO(content))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            of_size(small(), 40_000, 30_000),
            "has 1,200 megapixels (40000x30000), and the limit for JPEG is 1,000; reduce it",
        ),
        (
            of_size(small(progressive=True, subsampling=0), *PHONE),
            "has 201 megapixels (16384x12288), and the limit for a progressive JPEG of its kind is 178; reduce it",
        ),
        (
            of_size(small(progressive=True, subsampling=2), 20_000, 20_000),
            "has 400 megapixels (20000x20000), and the limit for a progressive JPEG of its kind is 357; reduce it",
        ),
    ],
)
def test_jpeg_that_is_too_large_is_refused_with_its_size_and_the_limit(content: bytes, message: str) -> None:
    with pytest.raises(BadImage) as caught:
        images.decode(content, LEAST)
    assert str(caught.value) == message


SAMPLES = {  # coefficients per pixel
    "one scan": (small(), 0),
    "one scan, grey": (encoded(Image.new("L", (64, 64)), "JPEG"), 0),
    "progressive, full colour": (small(progressive=True, subsampling=0), 3),
    "progressive, halved colour": (small(progressive=True, subsampling=1), 2),
    "progressive, quartered colour": (small(progressive=True, subsampling=2), 1.5),
    "progressive, grey": (encoded(Image.new("L", (64, 64)), "JPEG", progressive=True), 1),
    "progressive, CMYK": (encoded(Image.new("CMYK", (64, 64)), "JPEG", progressive=True), 4),
    "a scan for each colour": (small(subsampling=0).replace(b"\xff\xda\0\x0c\3", b"\xff\xda\0\x0c\1"), 3),
}


@pytest.mark.parametrize("kind", SAMPLES)
@pytest.mark.parametrize("size", [(64, 64), PHONE])
def test_memory_of_coefficients_is_known_from_the_header(kind: str, size: tuple[int, int]) -> None:
    content, samples = SAMPLES[kind]
    needed = large_images.coefficient_bytes(of_size(content, *size))
    assert needed == 2 * samples * size[0] * size[1]


def test_padding_and_restart_markers_before_the_frame_do_not_hide_it() -> None:
    content = small(progressive=True)
    needed = large_images.coefficient_bytes(content)
    assert large_images.coefficient_bytes(content[:2] + b"\xff\xff\xff\xd0\0" + content[2:]) == needed > 0


def test_memory_of_a_header_that_is_cut_short_is_no_error() -> None:
    content = small(progressive=True)
    for cut in range(len(content)):
        assert large_images.coefficient_bytes(content[:cut]) in (0, large_images.coefficient_bytes(content))


def test_images_that_take_much_memory_are_decoded_one_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Recording()
    monkeypatch.setattr(large_images, "_one_at_a_time", lock)
    content = encoded(Image.new("L", (300, 300)), "PNG")
    images.decode(content, LEAST)
    assert lock.entered == 0
    monkeypatch.setattr(large_images, "_SHARED_BYTES", 300 * 300 * 8 - 1)
    images.decode(content, LEAST)
    assert lock.entered == 1
    images.decode(encoded(Image.new("RGB", (2300, 2300)), "JPEG"), ImageSize(16, 16))
    assert lock.entered == 1
    images.decode(encoded(Image.new("RGB", (2300, 2300)), "JPEG", progressive=True), ImageSize(16, 16))
    assert lock.entered == 2


class Recording:
    """A lock that counts how often it was taken, and is free again after an error."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.entered = 0

    def __enter__(self) -> None:
        self.entered += 1
        assert self.lock.acquire(blocking=False)

    def __exit__(self, *_: object) -> None:
        self.lock.release()


def test_limit_of_pillow_is_neither_used_nor_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    content = encoded(Image.new("L", (300, 300)), "PNG")
    np.testing.assert_array_equal(images.decode(content, ImageSize(2, 2)), np.zeros((2, 2, 3)))
    assert Image.MAX_IMAGE_PIXELS == 100
