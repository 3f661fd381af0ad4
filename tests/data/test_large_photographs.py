"""JPEGs of many megapixels: decoded at reduced size, with nearly the same feature vectors."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize, Pixels
from retraining.data import augmentation, images, sample_photos
from retraining.features.extractor import load_extractor
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.module import ModuleSettings
from tests.image_files import encoded, red_left

LEAST = ImageSize(128, 128)


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((4000, 3000), (500, 375)),
        ((1100, 1030), (138, 129)),
        ((1000, 1000), (250, 250)),
        ((600, 300), (300, 150)),
        ((2000, 255), (2000, 255)),
        ((255, 255), (255, 255)),
        ((100, 50), (100, 50)),
    ],
)
def test_jpeg_is_decoded_at_the_smallest_size_that_is_large_enough(
    size: tuple[int, int], decoded: tuple[int, int]
) -> None:
    assert images.upright(encoded(red_left(*size), "JPEG"), LEAST).size == decoded


@pytest.mark.parametrize("kind", ["PNG", "WebP", "TIFF", "BMP", "AVIF", "HEIC", "JPEG 2000"])
def test_other_formats_are_decoded_at_full_size(kind: str) -> None:
    assert images.upright(encoded(red_left(1200, 1100), kind), LEAST).size == (1200, 1100)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_reduced_size_is_that_of_the_upright_image(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encoded(red_left(1000, 400), "JPEG", exif=exif)
    width, height = images.upright(content, ImageSize(100, 250)).size
    expected = {1: (250, 100), 3: (250, 100), 6: (400, 1000), 8: (400, 1000)}[orientation]
    assert (width, height) == expected


@pytest.mark.parametrize("mode", ["L", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_every_kind_of_jpeg_looks_the_same_at_reduced_size(mode: str, progressive: bool) -> None:
    content = encoded(red_left(1600, 1600).convert(mode), "JPEG", progressive=progressive)
    small = images.decode(content, ImageSize(16, 16))
    with Image.open(io.BytesIO(content)) as image:
        whole = images.resized(image.convert("RGB"), ImageSize(16, 16))
    np.testing.assert_allclose(small, whole, atol=0.03)


def test_views_are_drawn_from_at_least_as_many_pixels_as_they_have() -> None:
    settings = AugmentationSettings(random_crop=20, random_scale=50)
    assert augmentation.least_size(ImageSize(100, 200), settings) == ImageSize(180, 360)


def large_photo(seed: int) -> bytes:
    """Draw a photo and enlarge it to 12 megapixels."""
    kind = sample_photos.KINDS[seed % len(sample_photos.KINDS)]
    drawn = sample_photos.draw(kind, np.random.default_rng(seed))
    return encoded(drawn.resize((4000, 3000), Image.Resampling.BICUBIC), "JPEG", quality=92)


def test_vectors_of_12_megapixel_photos_are_close_to_those_of_full_decoding() -> None:
    extractor = load_extractor(ModuleSettings("builtin_small"))
    contents = [large_photo(seed) for seed in range(2)]
    small = extractor.extract(
        np.stack([images.decode(content, extractor.image_size) for content in contents])
    )
    full = extractor.extract(np.stack([decode_whole(content, extractor.image_size) for content in contents]))
    cosines = (small * full).sum(axis=1) / np.linalg.norm(small, axis=1) / np.linalg.norm(full, axis=1)
    assert cosines.min() >= 0.995


def decode_whole(content: bytes, size: ImageSize) -> Pixels:
    with Image.open(io.BytesIO(content)) as image:
        return images.resized(image.convert("RGB"), size)
