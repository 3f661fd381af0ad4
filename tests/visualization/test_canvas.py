from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images
from retraining.visualization import canvas
from retraining.visualization.canvas import View

WHOLE, INPUT = ImageSize(50, 70), ImageSize(32, 24)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def views() -> list[View]:
    return [*canvas.tiles(WHOLE, INPUT, rng()), *canvas.crops(WHOLE, INPUT, rng())]


def test_every_view_has_the_size_of_the_networks_input() -> None:
    picture = rng().random((50, 70, 3), np.float32)
    assert {view.pixels_of(picture).shape for view in views()} == {(32, 24, 3)}


@pytest.mark.parametrize("shift", [None, 1, 2])
def test_tiles_cover_every_pixel(shift: int | None) -> None:
    total = np.zeros((50, 70, 3), np.float32)
    for tile in canvas.tiles(WHOLE, INPUT, None if shift is None else np.random.default_rng(shift)):
        tile.add_back(np.ones((32, 24, 3), np.float32), total)
    assert total.min() == 1
    assert total.sum() == 2 * 3 * 32 * 24 * 3


def test_gradient_goes_back_to_the_pixels_that_the_view_came_from() -> None:
    picture = rng().random((50, 70, 3), np.float32)
    for view in views():
        gradient = rng().random((32, 24, 3), np.float32)
        total = np.zeros_like(picture)
        view.add_back(gradient, total)
        # <gradient, view(picture)> = <back(gradient), picture>: one map is the other's transpose.
        assert np.vdot(gradient, view.pixels_of(picture)) == pytest.approx(np.vdot(total, picture), rel=1e-5)


def test_first_crop_is_the_canvas_resized_as_label_image_does() -> None:
    photo = Image.fromarray(rng().integers(0, 256, (50, 70, 3), np.uint8))
    pixels = images.resized(photo, WHOLE)
    seen = canvas.crops(WHOLE, INPUT, None)[0].pixels_of(pixels)
    np.testing.assert_allclose(seen, images.resized(photo, INPUT), atol=0.01)


def test_smoothing_strengthens_long_waves_but_limits_the_tint() -> None:
    place = np.arange(64)
    long, short = np.sin(place * 2 * np.pi / 64), np.sin(place * 2 * np.pi / 4)
    gradient = np.broadcast_to((long + short + 5)[:, None, None], (64, 64, 3)).astype(np.float32)
    smooth = canvas.smoothed(gradient, 1.0)[:, 0, 0]
    assert smooth.mean() == pytest.approx(5 * 64 / canvas.WAVES_OF_TINT, rel=1e-4)
    assert np.dot(smooth, long) == pytest.approx(16 * np.dot(smooth, short), rel=1e-3)


def test_diffusion_softens_edges_and_keeps_the_mean() -> None:
    picture = rng().random((20, 20, 3), np.float32)
    softer = canvas.diffused(picture, 0.05)
    assert softer.std() < picture.std()
    assert softer.mean() == pytest.approx(picture.mean(), rel=1e-3)
