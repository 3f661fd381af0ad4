"""Small copies of images, compared."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from retraining.data import likeness
from tests.near_images import ALTERED, picture


def thumbnail(image: Image.Image, quality: int = 92) -> np.ndarray:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return likeness.thumbnail(stream.getvalue())


def compared(one: Image.Image, other: Image.Image) -> float:
    return float(likeness.likeness(thumbnail(one)[None], thumbnail(other)[None])[0])


@pytest.mark.parametrize("kind", ALTERED)
def test_altered_copies_look_alike(kind: str) -> None:
    for seed in range(10):
        image = picture(seed)
        altered = thumbnail(ALTERED[kind](image), quality=40 if kind == "re-encoded" else 92)
        assert likeness.likeness(thumbnail(image)[None], altered[None])[0] > 0.8


def test_different_pictures_do_not_look_alike() -> None:
    small = np.stack([thumbnail(picture(seed)) for seed in range(60)])
    one, other = np.triu_indices(60, 1)
    assert likeness.likeness(small[one], small[other]).max() < 0.6


def test_it_does_not_matter_which_of_two_is_the_copy() -> None:
    image = picture(3)
    cropped = ALTERED["cropped"](image)
    assert compared(image, cropped) == pytest.approx(compared(cropped, image), abs=1e-6)


def test_colours_count_not_only_shapes() -> None:
    red, green = Image.new("RGB", (64, 64), "grey"), Image.new("RGB", (64, 64), "grey")
    for box in ((10, 10, 25, 40), (40, 30, 55, 60)):
        red.paste((255, 60, 60), box)
        green.paste((60, 255, 60), box)
    assert compared(red, red) > 0.99
    assert compared(red, green) < 0.5


@pytest.mark.parametrize("kind", ["plain", "gradient", "blank scan", "noise"])
def test_images_without_structure_are_like_no_other(kind: str) -> None:
    def drawn(seed: int) -> Image.Image:
        rng = np.random.default_rng(seed)
        pixels = np.full((80, 100, 3), 235.0)
        if kind == "gradient":
            pixels = np.linspace(20, 230, 100)[None, :, None] + np.zeros((80, 1, 3))
        if kind == "blank scan":
            pixels += rng.normal(0, 3, pixels.shape)
        if kind == "noise":
            pixels = 128 + rng.normal(0, 40, pixels.shape)
        return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))

    assert max(compared(drawn(0), drawn(seed)) for seed in range(1, 10)) < 0.3


def test_no_pairs_are_compared_to_nothing() -> None:
    none = np.zeros((0, likeness.SIDE, likeness.SIDE, 3), np.uint8)
    assert likeness.likeness(none, none).shape == (0,)
