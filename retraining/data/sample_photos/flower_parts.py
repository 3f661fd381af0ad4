"""The parts that flowers of all kinds are made of: petals, the heart, stems and leaves."""

from __future__ import annotations

import math

import numpy as np

from retraining.data.sample_photos.canvas import CIRCLE, DOWN, Canvas, Points
from retraining.data.sample_photos.colours import GREENS, Colours
from retraining.data.sample_photos.poses import Pose

# Positions along a petal, from its foot to its tip.
_ALONG = np.linspace(0, 1, 13)
_GRAIN: Points = CIRCLE[::4]

_GOLDEN_ANGLE = 2.39996  # radians; from each seed of a sunflower to the next


def petal_outline(width: float, *, tip: float) -> Points:
    """Return the outline, [24], of a petal along the real axis from 0 to 1, `width` wide on each side.

    A `tip` of 0.3 is blunt, one of 1.5 pointed.
    """
    half = _ALONG**0.7 * (1 - _ALONG) ** tip
    half *= width / half.max()
    upper, lower = _ALONG + 1j * half, _ALONG - 1j * half
    return np.concatenate([upper[:-1], lower[:0:-1]])


def ring_of_petals(petal: Points, count: int, rng: np.random.Generator, *, ragged: float = 0.06) -> Points:
    """Return `count` copies of `petal` about 0, [count, points], in drawing order."""
    turns = 2 * math.pi * (np.arange(count) + rng.uniform(0, 1) + rng.normal(0, 0.16, count)) / count
    lengths = 1 - np.abs(rng.normal(0, ragged, count))
    bends = rng.normal(0, 0.12, count)[:, None] * petal.real[None, :]
    ring: Points = petal[None, :] * (lengths * np.exp(1j * turns))[:, None] * np.exp(1j * bends)
    return rng.permutation(ring)


def draw_petals(
    canvas: Canvas, ring: Points, colour: Colours, rng: np.random.Generator, *, rim: float = 0.78
) -> None:
    """Draw petals, [count, points] in photo pixels: a dark rim, a body, a shaded foot."""
    shades = rng.normal(1, 0.07, len(ring))[:, None] * colour
    if canvas.is_distant:
        canvas.fill(ring, shades)
        return
    foot, middle = ring[:, :1], ring.mean(axis=1, keepdims=True)
    # Petal by petal, so that each lies wholly on the one before.
    parts = np.stack([ring, middle + (ring - middle) * 0.86, foot + (ring - foot) * 0.55], axis=1)
    canvas.fill(parts, np.stack([shades * rim, shades, shades * 0.9], axis=1))


def draw_heart(
    canvas: Canvas, pose: Pose, *, radius: float, colour: Colours, grains: int, rng: np.random.Generator
) -> None:
    """Draw the disc in the middle of a flower, its grains in spirals like a sunflower's seeds."""
    colour = colour + rng.normal(0, 12, 3)
    discs = np.array([[1.0], [0.88]]) * radius * CIRCLE
    canvas.fill(pose.place(discs), np.stack([colour * 0.72, colour]))
    if canvas.is_distant:
        return
    steps = np.arange(1, grains)
    seeds = pose.place(radius * 0.95 * np.sqrt(steps / grains) * np.exp(1j * _GOLDEN_ANGLE * steps))
    size = pose.radius * radius / math.sqrt(grains) * 0.5
    canvas.fill(seeds[:, None] + size * _GRAIN, colour * rng.uniform(0.6, 1.45, (grains - 1, 1)))


def draw_stem(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Draw a stem from the flower downwards, with up to three leaves that fit any kind."""
    along = np.linspace(0, 1, 12)
    end = pose.radius * complex(rng.normal(0, 1.2) - 2 * pose.lean, rng.uniform(3, 6))
    bend = pose.radius * complex(rng.normal(0, 0.6), 0)
    line = pose.centre + end * along + bend * along * (1 - along) * 4
    colour = GREENS[rng.integers(len(GREENS))] + rng.normal(0, 8, 3)
    canvas.stroke(line, colour, width=pose.radius * rng.uniform(0.06, 0.13))
    for _ in range(int(rng.integers(0, 4))):
        direction = np.exp(1j * rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.2)) * -DOWN
        leaf = petal_outline(rng.uniform(0.1, 0.34), tip=rng.uniform(0.6, 1.4)) * rng.uniform(0.8, 2.2)
        foot = line[rng.integers(4, len(line))]
        leaf_points = foot + pose.radius * direction * leaf
        draw_petals(canvas, leaf_points[None, :], colour * rng.uniform(0.8, 1.15), rng, rim=0.88)
