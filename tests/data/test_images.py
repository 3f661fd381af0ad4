from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, features

from retraining.arrays import ImageSize
from retraining.data import file_kinds, images, sample_photos
from retraining.errors import BadImage
from tests.conftest import PROJECT
from tests.image_files import encoded, red_left, turned

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


LOSSLESS = ("PNG", "BMP", "TIFF", "PPM", "TGA", "JPEG 2000")


@pytest.mark.parametrize("kind", sorted({*file_kinds.FORMATS} - {"GIF", "ICO"}))
def test_photo_looks_the_same_in_each_format(kind: str) -> None:
    photo = sample_photos.draw(sample_photos.KINDS[0], np.random.default_rng(0))
    seen = images.resized(images.upright(encoded(photo, kind, quality=90)), ImageSize(32, 32))
    difference = np.abs(seen - images.resized(photo, ImageSize(32, 32))) * 255
    assert difference.max() <= (0 if kind in LOSSLESS else 8)
    assert difference.mean() <= (0 if kind in LOSSLESS else 1.5)


def test_heic_that_is_turned_twice_over_is_turned_once() -> None:
    content = turned(6, "HEIC")
    assert b"irot" in content  # what libheif applies
    assert b"Exif" in content
    with Image.open(io.BytesIO(turned(6))) as camera:
        assert camera.getexif()[0x0112] == 6
    np.testing.assert_allclose(images.decode(content, SIZE)[:, 0], np.tile([1, 0, 0], (4, 1)), atol=0.05)


def test_colour_profile_is_treated_alike_in_jpeg_and_heic() -> None:
    profile = b"\0" * 36 + b"acsp" + b"\0" * 88 + b"\0\0\0\0"  # of an unknown space, as P3 is to this program
    image = Image.new("RGB", (64, 64), (200, 80, 40))
    heic = pillow_heif.from_pillow(image)
    heic.info["icc_profile"], heic.info["icc_profile_type"] = profile, "prof"
    stream = io.BytesIO()
    heic.save(stream, chroma=444)
    assert b"acsp" in stream.getvalue()
    jpeg = encoded(image, "JPEG", icc_profile=profile, quality=95)
    np.testing.assert_allclose(images.decode(stream.getvalue(), SIZE), images.decode(jpeg, SIZE), atol=0.02)


def test_missing_heic_library_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)  # importing it then fails
    with pytest.raises(BadImage) as caught:
        images.decode(encoded(red_left(), "HEIC"), SIZE)
    assert str(caught.value) == "is HEIC, as iPhones write it: pip install pillow-heif"


def test_pillow_without_avif_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(red_left(), "AVIF")
    monkeypatch.setattr(features, "check", lambda part: part != "avif")
    with pytest.raises(BadImage) as caught:
        images.decode(content, SIZE)
    assert str(caught.value) == (
        "is AVIF, which this Pillow was built without; install the one from PyPI: pip install pillow"
    )


def test_reading_heic_registers_nothing_with_pillow_and_reading_others_does_not_import_it(
    tmp_path: Path,
) -> None:
    (tmp_path / "photo.heic").write_bytes(encoded(red_left(), "HEIC"))
    (tmp_path / "photo.jpg").write_bytes(encoded(red_left(), "JPEG"))
    code = (
        "import pathlib, sys; from PIL import Image; from retraining.data import images;"
        "folder = pathlib.Path(sys.argv[1]);"
        "images.upright((folder / 'photo.jpg').read_bytes()); assert 'pillow_heif' not in sys.modules;"
        "images.upright((folder / 'photo.heic').read_bytes()); assert 'pillow_heif' in sys.modules;"
        "Image.init(); assert 'HEIF' not in Image.OPEN"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
