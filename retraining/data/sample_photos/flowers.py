"""The five kinds of flower. Only the shape tells them apart: they share colours, stems and leaves."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from retraining.data.sample_photos.canvas import CIRCLE, DOWN, Canvas, Points
from retraining.data.sample_photos.colours import BROWN, OCHRE, PETALS, Colours, petal_colour
from retraining.data.sample_photos.flower_parts import (
    draw_heart,
    draw_petals,
    draw_stem,
    petal_outline,
    ring_of_petals,
)
from retraining.data.sample_photos.poses import Pose

Painter: TypeAlias = Callable[[Canvas, Pose, np.random.Generator], None]

# The tuft at the end of a dandelion's ray: one line, back to 0 after each hair.
_HAIRS: Points = 0.2 * np.exp(1j * np.linspace(-1.1, 1.1, 5))
_TUFT: Points = np.stack([_HAIRS, 0 * _HAIRS], axis=1).ravel()


def draw_flower(canvas: Canvas, kind: str, pose: Pose, rng: np.random.Generator) -> None:
    """Draw a flower of `kind`, one of KINDS, on its stem."""
    draw_stem(canvas, pose, rng)
    _PAINTERS[kind](canvas, pose, rng)


def _draw_daisy(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = petal_colour(
        rng, white=0.6, cream=0.08, lemon=0.06, yellow=0.06, orange=0.02, pink=0.12, red=0.01, purple=0.05
    )
    count, layers = int(rng.integers(11, 26)), int(rng.integers(1, 3))
    heart = rng.uniform(0.2, 0.38)
    for _ in range(layers):
        petal = petal_outline(rng.uniform(1.7, 2.8) / count, tip=rng.uniform(0.25, 0.6))
        draw_petals(canvas, pose.place(ring_of_petals(petal, count, rng)), colour, rng)
    middle = BROWN if rng.random() < 0.1 else PETALS["yellow"]
    draw_heart(canvas, pose, radius=heart, colour=middle, grains=40, rng=rng)


def _draw_sunflower(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = petal_colour(rng, white=0.02, cream=0.06, lemon=0.24, yellow=0.48, orange=0.16, red=0.04)
    count, heart = int(rng.integers(12, 24)), rng.uniform(0.36, 0.6)
    for length in (1.0, rng.uniform(0.82, 0.95)):
        petal = petal_outline(rng.uniform(2.2, 3.4) / count, tip=rng.uniform(0.9, 1.6))
        draw_petals(canvas, pose.place(ring_of_petals(petal, count, rng) * length), colour * length, rng)
    middle = OCHRE if rng.random() < 0.15 else BROWN
    draw_heart(canvas, pose, radius=heart, colour=middle, grains=110, rng=rng)


def _draw_dandelion(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    if rng.random() < 0.25:
        _draw_seed_head(canvas, pose, rng)
        return
    colour = petal_colour(rng, white=0.03, cream=0.06, lemon=0.27, yellow=0.54, orange=0.1)
    layers = int(rng.integers(3, 6))
    for layer in range(layers):
        length = 1 - layer / (layers + 0.6)
        petal = petal_outline(rng.uniform(0.035, 0.06) / length, tip=0.2)
        count = round(rng.integers(26, 44) * (0.5 + length / 2))
        shade = colour * (0.8 + 0.22 * layer / layers)
        draw_petals(canvas, pose.place(ring_of_petals(petal, count, rng, ragged=0.13) * length), shade, rng)


def _draw_seed_head(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Draw a dandelion gone to seed: a globe of thin white rays, each with a tuft."""
    count = int(rng.integers(50, 100))
    rays = np.sqrt(rng.uniform(0.1, 1, count)) * np.exp(1j * rng.uniform(0, 2 * math.pi, count))
    tips = rays[:, None] * 0.85 + (rays / np.abs(rays))[:, None] * _TUFT[None, :]
    lines = np.concatenate([rays[:, None] * 0.15, tips], axis=1)
    shades = rng.uniform(0.75, 1, count)[:, None] * PETALS["white"]
    canvas.stroke(pose.stand(lines), shades, width=0.5)
    canvas.fill(pose.stand(CIRCLE * rng.uniform(0.08, 0.14)), BROWN * 1.5)


def _draw_rose(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = petal_colour(
        rng, white=0.14, cream=0.1, lemon=0.04, yellow=0.1, orange=0.1, pink=0.24, red=0.26, purple=0.02
    )
    layers = int(rng.integers(4, 7))
    # A rose is a ball: seen from the side it is flattened less than a daisy.
    rounder = Pose(pose.centre, pose.radius, pose.spin, 0.45 + 0.55 * pose.openness, pose.lean)
    for layer in range(layers):
        length = 1 - 0.86 * layer / layers
        petal = petal_outline(rng.uniform(0.42, 0.6), tip=rng.uniform(0.3, 0.45))
        lift = -0.25j * (1 - pose.openness) * layer / layers
        ring = ring_of_petals(petal, int(rng.integers(4, 7)), rng, ragged=0.1) * length
        shade = colour * (1 - 0.3 * layer / layers)
        draw_petals(canvas, rounder.place(ring) + lift * pose.radius, shade, rng, rim=0.62)
    whorl = np.linspace(0.02, 0.2, 20) * np.exp(1j * np.linspace(0, 11, 20)) * rng.uniform(0.7, 1.2)
    middle = rounder.place(whorl) + lift * pose.radius
    canvas.stroke(middle, colour * 0.45, width=pose.radius / 28)


def _draw_tulip(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = petal_colour(
        rng, white=0.1, cream=0.06, lemon=0.08, yellow=0.18, orange=0.12, pink=0.16, red=0.18, purple=0.12
    )
    if pose.openness > 0.85 and rng.random() < 0.7:
        _draw_open_tulip(canvas, pose, colour, rng)
        return
    spread, tip = rng.uniform(0.1, 0.42), rng.uniform(0.5, 1.1)
    base, up = 0.85 * DOWN, -1.75j
    for angles, shade in (([-0.5, 0.5], 0.66), ([-1.0, 1.0], 0.85), ([0.0], 1.0)):
        turns = np.array(angles) * spread + rng.normal(0, 0.05, len(angles))
        lengths = rng.uniform(0.9, 1.05, len(angles)) * (1.05 if shade < 0.7 else 1)
        petals = (
            petal_outline(rng.uniform(0.3, 0.42), tip=tip)[None, :] * (lengths * np.exp(1j * turns))[:, None]
        )
        draw_petals(canvas, pose.stand(base + up * petals), colour * shade, rng)


def _draw_open_tulip(canvas: Canvas, pose: Pose, colour: Colours, rng: np.random.Generator) -> None:
    """Draw a tulip seen from above: two whorls of three petals, a star in the middle."""
    for turn in (1, np.exp(1j * math.pi / 3)):
        petal = petal_outline(rng.uniform(0.36, 0.46), tip=rng.uniform(0.6, 0.9))
        draw_petals(canvas, pose.place(ring_of_petals(petal, 3, rng) * turn), colour, rng)
    dark = BROWN if rng.random() < 0.5 else PETALS["lemon"]
    draw_petals(canvas, pose.place(ring_of_petals(petal_outline(0.3, tip=1.0), 6, rng) * 0.3), dark, rng)
    canvas.fill(pose.place(CIRCLE * 0.09), PETALS["lemon"])


_PAINTERS: dict[str, Painter] = {
    "daisy": _draw_daisy,
    "dandelion": _draw_dandelion,
    "rose": _draw_rose,
    "sunflower": _draw_sunflower,
    "tulip": _draw_tulip,
}
KINDS: tuple[str, ...] = tuple(_PAINTERS)
