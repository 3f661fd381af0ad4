"""What is behind the flowers: grass, soil, sky, a wall and the like, out of focus."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter

from retraining.data.sample_photos.canvas import CIRCLE, DOWN, Canvas, Size
from retraining.data.sample_photos.colours import (
    GREENS,
    PETALS,
    SHADOWS,
    SKIES,
    SOILS,
    WALLS,
    Colours,
)
from retraining.data.sample_photos.flower_parts import petal_outline
from retraining.data.sample_photos.flowers import KINDS, draw_flower
from retraining.data.sample_photos.poses import random_pose

_SCALE = 1 / 3  # canvas pixels per photo pixel: a background is never sharp


def background(size: Size, rng: np.random.Generator) -> Image.Image:
    """Return what is behind the flowers, at the photo's size, more or less out of focus."""
    scenery = _SCENERIES[rng.integers(len(_SCENERIES))]
    canvas = scenery(size, rng)
    for _ in range(int(rng.integers(0, 3))):
        right, down = rng.uniform(0, 1, 2)
        radius = size.shorter * rng.uniform(0.03, 0.08)
        pose = random_pose(complex(right * size.width, down * size.height), radius, rng)
        draw_flower(canvas, KINDS[rng.integers(len(KINDS))], pose, rng)
    blurred = canvas.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.5)))
    return blurred.resize((size.width, size.height), Image.Resampling.BILINEAR)


def _grass(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, GREENS, cell=30, rng=rng)
    draw_blades(canvas, size, count=90, rng=rng)
    return canvas


def _soil(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, SOILS, cell=int(rng.integers(4, 12)), rng=rng)
    _draw_discs(canvas, size, colours=SOILS, count=40, largest=8, rng=rng)
    return canvas


def _sky(size: Size, rng: np.random.Generator) -> Canvas:
    return _mottled(size, SKIES, cell=int(rng.integers(50, 200)), rng=rng)


def _bokeh(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, np.concatenate([SHADOWS, GREENS]), cell=60, rng=rng)
    # Lights in the colours of petals: a lot of white must not give daisies away.
    _draw_discs(canvas, size, colours=np.stack(list(PETALS.values())), count=14, largest=24, rng=rng)
    return canvas


def _wall(size: Size, rng: np.random.Generator) -> Canvas:
    tone = WALLS[rng.integers(len(WALLS))][None, :]
    canvas = _mottled(size, tone, cell=16, rng=rng)
    step = int(rng.integers(18, 60))
    for row in range(0, size.height, step):
        canvas.stroke(np.array([row * DOWN, size.width + row * DOWN]), tone[0] * 0.75, width=2)
        for column in range(row // step % 2 * step, size.width, 2 * step):
            top = column + row * DOWN
            canvas.stroke(np.array([top, top + step * DOWN]), tone[0] * 0.75, width=2)
    return canvas


def _foliage(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, SHADOWS, cell=40, rng=rng)
    places = rng.uniform(0, size.width, 45) + 1j * rng.uniform(0, size.height, 45)
    lengths = rng.uniform(25, 80, 45) * np.exp(1j * rng.uniform(0, 2 * math.pi, 45))
    leaves = places[:, None] + lengths[:, None] * petal_outline(rng.uniform(0.15, 0.35), tip=0.9)[None, :]
    tones = GREENS[rng.integers(len(GREENS), size=45)]
    canvas.fill(leaves, tones + rng.normal(0, 10, (45, 1)))
    return canvas


def _dusk(size: Size, rng: np.random.Generator) -> Canvas:
    return _mottled(size, SHADOWS, cell=int(rng.integers(60, 160)), rng=rng)


_SCENERIES = (_grass, _soil, _sky, _bokeh, _wall, _foliage, _dusk)


def _mottled(size: Size, colours: Colours, *, cell: int, rng: np.random.Generator) -> Canvas:
    """Return a background canvas of soft patches about `cell` photo pixels wide."""
    rows, columns = size.height // cell + 2, size.width // cell + 2
    tones = colours[rng.integers(len(colours), size=(rows, columns))] + rng.normal(0, 9, (rows, columns, 3))
    patches = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
    small = size.times(_SCALE)
    return Canvas.over(patches.resize((small.width, small.height), Image.Resampling.BICUBIC), _SCALE)


def _draw_discs(
    canvas: Canvas, size: Size, *, colours: Colours, count: int, largest: float, rng: np.random.Generator
) -> None:
    places = rng.uniform(0, size.width, count) + 1j * rng.uniform(0, size.height, count)
    radii, tones = rng.uniform(0.2, 1, count) * largest, rng.integers(len(colours), size=count)
    canvas.fill(places[:, None] + radii[:, None] * CIRCLE, colours[tones] * 0.9)


def draw_blades(canvas: Canvas, size: Size, *, count: int, rng: np.random.Generator) -> None:
    """Draw blades of grass that grow from the lower half of the photo."""
    feet = rng.uniform(0, size.width, count) + 1j * rng.uniform(0.5, 1.1, count) * size.height
    tips = rng.normal(0, 0.12, count) - 1j * rng.uniform(0.15, 0.5, count)
    blades = feet[:, None] + size.height * tips[:, None] * petal_outline(0.025, tip=0.8)[None, :]
    tones = GREENS[rng.integers(len(GREENS), size=count)]
    canvas.fill(blades, tones + rng.normal(0, 14, (count, 1)))
