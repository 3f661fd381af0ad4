from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize, Pixels
from retraining.data import augmentation, images
from retraining.settings.augmentation import AugmentationSettings

SIZE = ImageSize(20, 30)


def ramp() -> Image.Image:
    """Return an image that gets brighter to the right (red) and to the bottom (green)."""
    rows, columns = np.mgrid[0:200, 0:300]
    channels = [columns * 200 // 300, rows * 200 // 200, np.full_like(rows, 100)]
    return Image.fromarray(np.stack(channels, axis=2).astype(np.uint8))


def draw(seed: int = 0, **settings: float) -> Pixels:
    augmented = AugmentationSettings(**settings)  # type: ignore[arg-type]
    return augmentation.draw(ramp(), SIZE, augmented, np.random.default_rng(seed))


def test_view_without_augmentation_is_the_image() -> None:
    np.testing.assert_allclose(draw(), images.resized(ramp(), SIZE), atol=1e-6)


def test_half_of_the_views_are_mirrored() -> None:
    plain = images.resized(ramp(), SIZE)
    mirrored = [not np.allclose(draw(seed, flip_left_right=True), plain) for seed in range(400)]
    assert sum(mirrored) == pytest.approx(200, abs=40)
    flipped = draw(mirrored.index(True), flip_left_right=True)
    np.testing.assert_allclose(flipped, plain[:, ::-1], atol=1e-6)


def test_crop_has_the_requested_size_and_a_random_place() -> None:
    spans = []
    for seed in range(200):
        view = draw(seed, random_crop=25)
        spans.append((view[0, 0, 0], view[0, -1, 0] - view[0, 0, 0]))
    left, span = np.array(spans).T
    whole = images.resized(ramp(), SIZE)
    np.testing.assert_allclose(span, (whole[0, -1, 0] - whole[0, 0, 0]) / 1.25, atol=0.02)
    assert left.min() < 0.03
    assert left.max() > 0.2 * 200 / 255 - 0.03


def test_scale_zooms_by_a_random_amount_up_to_the_limit() -> None:
    whole = images.resized(ramp(), SIZE)
    spans = [float(np.ptp(draw(seed, random_scale=100)[0, :, 0])) for seed in range(200)]
    zooms = float(np.ptp(whole[0, :, 0])) / np.array(spans)
    assert zooms.min() == pytest.approx(1, abs=0.05)
    assert zooms.max() == pytest.approx(2, abs=0.1)


def test_brightness_changes_by_a_factor_and_stays_in_range() -> None:
    plain = images.resized(ramp(), SIZE)
    factors = [float(draw(seed, random_brightness=20)[10, 10, 2] / plain[10, 10, 2]) for seed in range(300)]
    assert min(factors) == pytest.approx(0.8, abs=0.01)
    assert max(factors) == pytest.approx(1.2, abs=0.01)
    assert draw(3, random_brightness=100).max() <= 1


def test_same_generator_gives_the_same_view() -> None:
    settings = {"random_crop": 30, "random_scale": 30, "random_brightness": 30, "flip_left_right": True}
    np.testing.assert_array_equal(draw(5, **settings), draw(5, **settings))
    assert not np.array_equal(draw(5, **settings), draw(6, **settings))
