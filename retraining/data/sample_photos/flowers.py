"""Photographs to try the program on without a download: five kinds of flower, drawn.

    python -m retraining.sample_photos DIR --per_class 60 --seed 0

The kinds share their colours, backgrounds and leaves, other kinds stand in the corners, and flowers
are cut off, turned, blurred and badly lit, so that only the shape of the flower tells its kind.

Everything is drawn as outlines in the complex plane: turning and scaling a flower is one
multiplication. The real axis points right, the imaginary one down, as in an image.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

from retraining.cli import console
from retraining.settings.options import SamplePhotosOptions, parse_sample_photos
from retraining.storage import atomic_files

Points: TypeAlias = npt.NDArray[np.complex128]
Colours: TypeAlias = npt.NDArray[np.float64]  # red, green, blue of 0 to 255 along the last axis

PNG_EVERY = 10  # photographs; the others are JPEG

_SHARPNESS = 2  # canvas pixels per photograph pixel: Pillow draws without smoothing edges
_DISTANCE = 1 / 3  # likewise, of the background, which is never sharp
_DOWN = 1j

# Shapes that every flower is made of, worked out once.
_ALONG = np.linspace(0, 1, 13)
_CIRCLE: Points = np.exp(1j * np.linspace(0, 2 * math.pi, 24, endpoint=False))
_GRAIN: Points = _CIRCLE[::4]
_HAIRS: Points = 0.2 * np.exp(1j * np.linspace(-1.1, 1.1, 5))
_TUFT: Points = np.stack([_HAIRS, 0 * _HAIRS], axis=1).ravel()  # one line, back to 0 after each hair

_GREENS = np.array([[62, 96, 38], [88, 130, 50], [48, 80, 44], [120, 150, 72]], float)
_SOILS = np.array([[92, 68, 48], [120, 92, 66], [70, 52, 40], [140, 118, 96]], float)
_SKIES = np.array([[126, 168, 214], [168, 198, 226], [222, 230, 236], [96, 140, 196]], float)
_WALLS = np.array([[176, 168, 156], [150, 112, 92], [206, 200, 190], [116, 118, 122]], float)
_SHADOWS = np.array([[22, 30, 20], [36, 44, 30], [46, 36, 30], [14, 18, 22]], float)

_PETALS = {
    "white": np.array([240, 238, 232], float),
    "cream": np.array([238, 222, 170], float),
    "lemon": np.array([244, 224, 92], float),
    "yellow": np.array([240, 196, 30], float),
    "orange": np.array([232, 128, 36], float),
    "pink": np.array([228, 136, 164], float),
    "red": np.array([190, 32, 42], float),
    "purple": np.array([146, 78, 160], float),
}
_BROWN = np.array([70, 44, 26], float)
_OCHRE = np.array([204, 146, 30], float)


@dataclass(frozen=True)
class Size:
    """Width and height in pixels."""

    width: int
    height: int

    @property
    def shorter(self) -> int:
        """The shorter side in pixels."""
        return min(self.width, self.height)

    def times(self, factor: float) -> Size:
        """Return the size of the same picture at another resolution."""
        return Size(round(self.width * factor), round(self.height * factor))


@dataclass(frozen=True)
class Canvas:
    """Something to draw on in photograph pixels, whatever its own resolution."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    scale: float  # canvas pixels per photograph pixel

    @classmethod
    def over(cls, image: Image.Image, scale: float) -> Canvas:
        """Return a canvas that draws on `image` itself."""
        return cls(image, ImageDraw.Draw(image), scale)

    @property
    def is_distant(self) -> bool:
        """Whether what is drawn here is blurred later, so that fine parts would be lost."""
        return self.scale < 1

    def fill(self, outlines: Points, colours: Colours) -> None:
        """Fill polygons with the corners `outlines`, [..., corners], in the colours [..., 3]."""
        inks = _inks(np.broadcast_to(colours, (*outlines.shape[:-1], 3)))
        for corners, ink in zip(self._coordinates(outlines), inks, strict=True):
            self.pen.polygon(corners, fill=ink)

    def stroke(self, lines: Points, colours: Colours, *, width: float) -> None:
        """Draw lines through the points `lines`, [..., points], `width` photograph pixels wide."""
        pixels = max(1, round(width * self.scale))
        inks = _inks(np.broadcast_to(colours, (*lines.shape[:-1], 3)))
        for points, ink in zip(self._coordinates(lines), inks, strict=True):
            self.pen.line(points, fill=ink, width=pixels, joint="curve")

    def _coordinates(self, points: Points) -> list[list[float]]:
        # Two numbers in place of each complex one, which is the flat list that Pillow takes.
        flat = np.ascontiguousarray(points * self.scale, np.complex128).view(np.float64)
        rows: list[list[float]] = flat.reshape(-1, flat.shape[-1]).tolist()
        return rows


@dataclass(frozen=True)
class Pose:
    """Where a flower is and how it is held. Its own outline is about the unit circle."""

    centre: complex  # in photograph pixels
    radius: float  # likewise
    spin: float  # radians about its own axis
    openness: float  # 1: faces the camera; near 0: seen from the side
    lean: float  # radians, of the whole flower in the picture

    def place(self, points: Points) -> Points:
        """Return points of the unit flower in photograph pixels, as a flat face tilted away."""
        turned = points * np.exp(1j * self.spin)
        return self.stand(turned.real + 1j * self.openness * turned.imag)

    def stand(self, points: Points) -> Points:
        """Return points of the unit flower in photograph pixels, as seen from its side."""
        stood: Points = self.centre + self.radius * np.exp(1j * self.lean) * points
        return stood


Painter: TypeAlias = Callable[[Canvas, Pose, np.random.Generator], None]


def draw(kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a new RGB photograph with a flower of `kind`, one of KINDS, as its subject."""
    size = _photograph_size(rng)
    large = size.times(_SHARPNESS)
    # NEAREST, which the reduction below takes back exactly: the background needs no finer pixels.
    behind = _background(size, rng).resize((large.width, large.height), Image.Resampling.NEAREST)
    canvas = Canvas.over(behind, _SHARPNESS)
    if rng.random() < 0.25:
        _draw_flower(canvas, _other_kind(kind, rng), _corner_pose(size, rng), rng)
    for pose in _subject_poses(size, rng):
        _draw_flower(canvas, kind, pose, rng)
    if rng.random() < 0.3:
        _draw_blades(canvas, size, count=int(rng.integers(2, 9)), rng=rng)
    return _exposed(canvas.image.reduce(_SHARPNESS), rng)


def _photograph_size(rng: np.random.Generator) -> Size:
    longer, shorter = int(rng.integers(310, 401)), int(rng.integers(236, 301))
    return Size(longer, shorter) if rng.random() < 0.6 else Size(shorter, longer)


def _other_kind(kind: str, rng: np.random.Generator) -> str:
    others = [other for other in KINDS if other != kind]
    return others[rng.integers(len(others))]


def _draw_flower(canvas: Canvas, kind: str, pose: Pose, rng: np.random.Generator) -> None:
    _draw_stem(canvas, pose, rng)
    _PAINTERS[kind](canvas, pose, rng)


# Poses


def _subject_poses(size: Size, rng: np.random.Generator) -> list[Pose]:
    """Return one to four poses, the largest last so that it lies on top."""
    count = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.25, 0.12, 0.08]))
    largest = size.shorter * math.exp(rng.uniform(math.log(0.3), math.log(0.56)))
    radii = [*sorted(largest * rng.uniform(0.5, 1, count - 1)), largest]
    return [_pose(_place_of_subject(size, rng), radius, rng) for radius in radii]


def _place_of_subject(size: Size, rng: np.random.Generator) -> complex:
    # One in seven near the edge: partly out of the picture.
    margin = 0.04 if rng.random() < 1 / 7 else 0.27
    right, down = rng.uniform(margin, 1 - margin, 2)
    return complex(right * size.width, down * size.height)


def _corner_pose(size: Size, rng: np.random.Generator) -> Pose:
    right, down = rng.choice([-0.02, 0.08, 0.92, 1.02], 2) + rng.normal(0, 0.03, 2)
    radius = size.shorter * rng.uniform(0.08, 0.17)
    return _pose(complex(right * size.width, down * size.height), radius, rng)


def _pose(centre: complex, radius: float, rng: np.random.Generator) -> Pose:
    return Pose(
        centre=centre,
        radius=float(radius),
        spin=rng.uniform(0, 2 * math.pi),
        openness=1 - 0.62 * rng.random() ** 1.5,
        lean=rng.normal(0, 0.35),
    )


# Flowers


def _draw_daisy(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = _petal_colour(
        rng, white=0.6, cream=0.08, lemon=0.06, yellow=0.06, orange=0.02, pink=0.12, red=0.01, purple=0.05
    )
    count, layers = int(rng.integers(11, 26)), int(rng.integers(1, 3))
    heart = rng.uniform(0.2, 0.38)
    for _ in range(layers):
        petal = _petal(rng.uniform(1.7, 2.8) / count, tip=rng.uniform(0.25, 0.6))
        _draw_ring(canvas, pose.place(_ring(petal, count, rng)), colour, rng)
    middle = _BROWN if rng.random() < 0.1 else _PETALS["yellow"]
    _draw_heart(canvas, pose, radius=heart, colour=middle, grains=40, rng=rng)


def _draw_sunflower(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = _petal_colour(rng, white=0.02, cream=0.06, lemon=0.24, yellow=0.48, orange=0.16, red=0.04)
    count, heart = int(rng.integers(12, 24)), rng.uniform(0.36, 0.6)
    for length in (1.0, rng.uniform(0.82, 0.95)):
        petal = _petal(rng.uniform(2.2, 3.4) / count, tip=rng.uniform(0.9, 1.6))
        _draw_ring(canvas, pose.place(_ring(petal, count, rng) * length), colour * length, rng)
    middle = _OCHRE if rng.random() < 0.15 else _BROWN
    _draw_heart(canvas, pose, radius=heart, colour=middle, grains=110, rng=rng)


def _draw_dandelion(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    if rng.random() < 0.25:
        _draw_seed_head(canvas, pose, rng)
        return
    colour = _petal_colour(rng, white=0.03, cream=0.06, lemon=0.27, yellow=0.54, orange=0.1)
    layers = int(rng.integers(3, 6))
    for layer in range(layers):
        length = 1 - layer / (layers + 0.6)
        petal = _petal(rng.uniform(0.035, 0.06) / length, tip=0.2)
        count = round(rng.integers(26, 44) * (0.5 + length / 2))
        shade = colour * (0.8 + 0.22 * layer / layers)
        _draw_ring(canvas, pose.place(_ring(petal, count, rng, ragged=0.13) * length), shade, rng)


def _draw_seed_head(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Draw a dandelion gone to seed: a globe of thin white rays, each with a tuft."""
    count = int(rng.integers(50, 100))
    rays = np.sqrt(rng.uniform(0.1, 1, count)) * np.exp(1j * rng.uniform(0, 2 * math.pi, count))
    tips = rays[:, None] * 0.85 + (rays / np.abs(rays))[:, None] * _TUFT[None, :]
    lines = np.concatenate([rays[:, None] * 0.15, tips], axis=1)
    shades = rng.uniform(0.75, 1, count)[:, None] * _PETALS["white"]
    canvas.stroke(pose.stand(lines), shades, width=0.5)
    canvas.fill(pose.stand(_CIRCLE * rng.uniform(0.08, 0.14)), _BROWN * 1.5)


def _draw_rose(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = _petal_colour(
        rng, white=0.14, cream=0.1, lemon=0.04, yellow=0.1, orange=0.1, pink=0.24, red=0.26, purple=0.02
    )
    layers = int(rng.integers(4, 7))
    # A rose is a ball: seen from the side it is flattened less than a daisy.
    rounder = Pose(pose.centre, pose.radius, pose.spin, 0.45 + 0.55 * pose.openness, pose.lean)
    for layer in range(layers):
        length = 1 - 0.86 * layer / layers
        petal = _petal(rng.uniform(0.42, 0.6), tip=rng.uniform(0.3, 0.45))
        lift = -0.25j * (1 - pose.openness) * layer / layers
        ring = _ring(petal, int(rng.integers(4, 7)), rng, ragged=0.1) * length
        shade = colour * (1 - 0.3 * layer / layers)
        _draw_ring(canvas, rounder.place(ring) + lift * pose.radius, shade, rng, rim=0.62)
    whorl = np.linspace(0.02, 0.2, 20) * np.exp(1j * np.linspace(0, 11, 20)) * rng.uniform(0.7, 1.2)
    middle = rounder.place(whorl) + lift * pose.radius
    canvas.stroke(middle, colour * 0.45, width=pose.radius / 28)


def _draw_tulip(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    colour = _petal_colour(
        rng, white=0.1, cream=0.06, lemon=0.08, yellow=0.18, orange=0.12, pink=0.16, red=0.18, purple=0.12
    )
    if pose.openness > 0.85 and rng.random() < 0.7:
        _draw_open_tulip(canvas, pose, colour, rng)
        return
    spread, tip = rng.uniform(0.1, 0.42), rng.uniform(0.5, 1.1)
    base, up = 0.85 * _DOWN, -1.75j
    for angles, shade in (([-0.5, 0.5], 0.66), ([-1.0, 1.0], 0.85), ([0.0], 1.0)):
        turns = np.array(angles) * spread + rng.normal(0, 0.05, len(angles))
        lengths = rng.uniform(0.9, 1.05, len(angles)) * (1.05 if shade < 0.7 else 1)
        petals = _petal(rng.uniform(0.3, 0.42), tip=tip)[None, :] * (lengths * np.exp(1j * turns))[:, None]
        _draw_ring(canvas, pose.stand(base + up * petals), colour * shade, rng)


def _draw_open_tulip(canvas: Canvas, pose: Pose, colour: Colours, rng: np.random.Generator) -> None:
    """Draw a tulip seen from above: two whorls of three petals, a star in the middle."""
    for turn in (1, np.exp(1j * math.pi / 3)):
        petal = _petal(rng.uniform(0.36, 0.46), tip=rng.uniform(0.6, 0.9))
        _draw_ring(canvas, pose.place(_ring(petal, 3, rng) * turn), colour, rng)
    dark = _BROWN if rng.random() < 0.5 else _PETALS["lemon"]
    _draw_ring(canvas, pose.place(_ring(_petal(0.3, tip=1.0), 6, rng) * 0.3), dark, rng)
    canvas.fill(pose.place(_CIRCLE * 0.09), _PETALS["lemon"])


_PAINTERS: dict[str, Painter] = {
    "daisy": _draw_daisy,
    "dandelion": _draw_dandelion,
    "rose": _draw_rose,
    "sunflower": _draw_sunflower,
    "tulip": _draw_tulip,
}
KINDS: tuple[str, ...] = tuple(_PAINTERS)


# Parts of flowers


def _petal_colour(rng: np.random.Generator, **shares: float) -> Colours:
    """Return a colour near one of _PETALS, drawn with the probabilities `shares`, by name."""
    name = rng.choice(list(shares), p=list(shares.values()))
    colour: Colours = _PETALS[name] + rng.normal(0, 10, 3)
    return colour


def _petal(width: float, *, tip: float) -> Points:
    """Return the outline, [24], of a petal along the real axis from 0 to 1, `width` wide on each side.

    A `tip` of 0.3 is blunt, one of 1.5 pointed.
    """
    half = _ALONG**0.7 * (1 - _ALONG) ** tip
    half *= width / half.max()
    upper, lower = _ALONG + 1j * half, _ALONG - 1j * half
    return np.concatenate([upper[:-1], lower[:0:-1]])


def _ring(petal: Points, count: int, rng: np.random.Generator, *, ragged: float = 0.06) -> Points:
    """Return `count` copies of `petal` about 0, [count, points], in the order to draw them in."""
    turns = 2 * math.pi * (np.arange(count) + rng.uniform(0, 1) + rng.normal(0, 0.16, count)) / count
    lengths = 1 - np.abs(rng.normal(0, ragged, count))
    bends = rng.normal(0, 0.12, count)[:, None] * petal.real[None, :]
    ring: Points = petal[None, :] * (lengths * np.exp(1j * turns))[:, None] * np.exp(1j * bends)
    return rng.permutation(ring)


def _draw_ring(
    canvas: Canvas, ring: Points, colour: Colours, rng: np.random.Generator, *, rim: float = 0.78
) -> None:
    """Draw petals, [count, points] in photograph pixels: a dark rim, a body, a shaded foot."""
    shades = rng.normal(1, 0.07, len(ring))[:, None] * colour
    if canvas.is_distant:
        canvas.fill(ring, shades)
        return
    foot, middle = ring[:, :1], ring.mean(axis=1, keepdims=True)
    # Petal by petal, so that each lies wholly on the one before.
    parts = np.stack([ring, middle + (ring - middle) * 0.86, foot + (ring - foot) * 0.55], axis=1)
    canvas.fill(parts, np.stack([shades * rim, shades, shades * 0.9], axis=1))


def _draw_heart(
    canvas: Canvas, pose: Pose, *, radius: float, colour: Colours, grains: int, rng: np.random.Generator
) -> None:
    """Draw the disc in the middle of a flower, its grains in the spirals of a sunflower's seeds."""
    colour = colour + rng.normal(0, 12, 3)
    discs = np.array([[1.0], [0.88]]) * radius * _CIRCLE
    canvas.fill(pose.place(discs), np.stack([colour * 0.72, colour]))
    if canvas.is_distant:
        return
    steps = np.arange(1, grains)
    seeds = pose.place(radius * 0.95 * np.sqrt(steps / grains) * np.exp(2.39996j * steps))
    size = pose.radius * radius / math.sqrt(grains) * 0.5
    canvas.fill(seeds[:, None] + size * _GRAIN, colour * rng.uniform(0.6, 1.45, (grains - 1, 1)))


def _draw_stem(canvas: Canvas, pose: Pose, rng: np.random.Generator) -> None:
    """Draw a stem from the flower downwards, with up to three leaves that fit any kind."""
    along = np.linspace(0, 1, 12)
    end = pose.radius * complex(rng.normal(0, 1.2) - 2 * pose.lean, rng.uniform(3, 6))
    bend = pose.radius * complex(rng.normal(0, 0.6), 0)
    line = pose.centre + end * along + bend * along * (1 - along) * 4
    colour = _GREENS[rng.integers(len(_GREENS))] + rng.normal(0, 8, 3)
    canvas.stroke(line, colour, width=pose.radius * rng.uniform(0.06, 0.13))
    for _ in range(int(rng.integers(0, 4))):
        direction = np.exp(1j * rng.choice([-1.0, 1.0]) * rng.uniform(0.4, 1.2)) * -_DOWN
        leaf = _petal(rng.uniform(0.1, 0.34), tip=rng.uniform(0.6, 1.4)) * rng.uniform(0.8, 2.2)
        foot = line[rng.integers(4, len(line))]
        leaf_points = foot + pose.radius * direction * leaf
        _draw_ring(canvas, leaf_points[None, :], colour * rng.uniform(0.8, 1.15), rng, rim=0.88)


# Surroundings


def _background(size: Size, rng: np.random.Generator) -> Image.Image:
    """Return what is behind the flower, at the photograph's size, more or less out of focus."""
    scenery = _SCENERIES[rng.integers(len(_SCENERIES))]
    canvas = scenery(size, rng)
    for _ in range(int(rng.integers(0, 3))):
        right, down = rng.uniform(0, 1, 2)
        radius = size.shorter * rng.uniform(0.03, 0.08)
        pose = _pose(complex(right * size.width, down * size.height), radius, rng)
        _draw_flower(canvas, KINDS[rng.integers(len(KINDS))], pose, rng)
    blurred = canvas.image.filter(ImageFilter.GaussianBlur(rng.uniform(0.3, 2.5)))
    return blurred.resize((size.width, size.height), Image.Resampling.BILINEAR)


def _grass(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, _GREENS, cell=30, rng=rng)
    _draw_blades(canvas, size, count=90, rng=rng)
    return canvas


def _soil(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, _SOILS, cell=int(rng.integers(4, 12)), rng=rng)
    _draw_discs(canvas, size, colours=_SOILS, count=40, largest=8, rng=rng)
    return canvas


def _sky(size: Size, rng: np.random.Generator) -> Canvas:
    return _mottled(size, _SKIES, cell=int(rng.integers(50, 200)), rng=rng)


def _bokeh(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, np.concatenate([_SHADOWS, _GREENS]), cell=60, rng=rng)
    # Lights in the petals' colours: much white must not mean daisies.
    _draw_discs(canvas, size, colours=np.stack(list(_PETALS.values())), count=14, largest=24, rng=rng)
    return canvas


def _wall(size: Size, rng: np.random.Generator) -> Canvas:
    tone = _WALLS[rng.integers(len(_WALLS))][None, :]
    canvas = _mottled(size, tone, cell=16, rng=rng)
    step = int(rng.integers(18, 60))
    for row in range(0, size.height, step):
        canvas.stroke(np.array([row * _DOWN, size.width + row * _DOWN]), tone[0] * 0.75, width=2)
        for column in range(row // step % 2 * step, size.width, 2 * step):
            top = column + row * _DOWN
            canvas.stroke(np.array([top, top + step * _DOWN]), tone[0] * 0.75, width=2)
    return canvas


def _foliage(size: Size, rng: np.random.Generator) -> Canvas:
    canvas = _mottled(size, _SHADOWS, cell=40, rng=rng)
    places = rng.uniform(0, size.width, 45) + 1j * rng.uniform(0, size.height, 45)
    lengths = rng.uniform(25, 80, 45) * np.exp(1j * rng.uniform(0, 2 * math.pi, 45))
    leaves = places[:, None] + lengths[:, None] * _petal(rng.uniform(0.15, 0.35), tip=0.9)[None, :]
    tones = _GREENS[rng.integers(len(_GREENS), size=45)]
    canvas.fill(leaves, tones + rng.normal(0, 10, (45, 1)))
    return canvas


def _dusk(size: Size, rng: np.random.Generator) -> Canvas:
    return _mottled(size, _SHADOWS, cell=int(rng.integers(60, 160)), rng=rng)


_SCENERIES = (_grass, _soil, _sky, _bokeh, _wall, _foliage, _dusk)


def _mottled(size: Size, colours: Colours, *, cell: int, rng: np.random.Generator) -> Canvas:
    """Return a background canvas of soft patches about `cell` photograph pixels wide."""
    rows, columns = size.height // cell + 2, size.width // cell + 2
    tones = colours[rng.integers(len(colours), size=(rows, columns))] + rng.normal(0, 9, (rows, columns, 3))
    patches = Image.fromarray(np.clip(tones, 0, 255).astype(np.uint8))
    small = size.times(_DISTANCE)
    return Canvas.over(patches.resize((small.width, small.height), Image.Resampling.BICUBIC), _DISTANCE)


def _draw_discs(
    canvas: Canvas, size: Size, *, colours: Colours, count: int, largest: float, rng: np.random.Generator
) -> None:
    places = rng.uniform(0, size.width, count) + 1j * rng.uniform(0, size.height, count)
    radii, tones = rng.uniform(0.2, 1, count) * largest, rng.integers(len(colours), size=count)
    canvas.fill(places[:, None] + radii[:, None] * _CIRCLE, colours[tones] * 0.9)


def _draw_blades(canvas: Canvas, size: Size, *, count: int, rng: np.random.Generator) -> None:
    """Draw blades of grass that grow from the lower half of the picture."""
    feet = rng.uniform(0, size.width, count) + 1j * rng.uniform(0.5, 1.1, count) * size.height
    tips = rng.normal(0, 0.12, count) - 1j * rng.uniform(0.15, 0.5, count)
    blades = feet[:, None] + size.height * tips[:, None] * _petal(0.025, tip=0.8)[None, :]
    tones = _GREENS[rng.integers(len(_GREENS), size=count)]
    canvas.fill(blades, tones + rng.normal(0, 14, (count, 1)))


# The camera


def _exposed(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the photograph that is taken: light from one side, tinted, out of focus, grainy."""
    if rng.random() < 0.4:
        picture = picture.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.6)))
    # Two dimensions, the channels side by side: numpy is several times slower along an axis of 3.
    pixels = np.array(picture, np.float32).reshape(picture.height, -1)
    tint = rng.normal(1, 0.07, 3) * math.exp(rng.normal(0.05, 0.16))
    across, down = rng.uniform(-0.3, 0.3, 2)
    columns = np.outer(np.linspace(1 - across, 1 + across, picture.width), tint).ravel()
    rows = np.linspace(1 - down, 1 + down, picture.height)[:, None]
    contrast = rng.uniform(0.72, 1.15)
    pixels *= columns.astype(np.float32)
    pixels *= (contrast * rows).astype(np.float32)
    # Bytes are the cheapest noise by far: an even distribution, from -128 to 127.
    grain = np.frombuffer(rng.bytes(pixels.size), np.int8).reshape(pixels.shape)
    pixels += grain * np.float32(rng.uniform(0.01, 0.11))
    pixels += np.float32(110 * (1 - contrast))
    bounded = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
    return Image.fromarray(bounded.reshape(picture.height, picture.width, 3))


def _inks(colours: Colours) -> list[tuple[int, ...]]:
    parts = np.clip(colours, 0, 255).astype(int).reshape(-1, 3)
    return [tuple(ink) for ink in parts.tolist()]


# Files


def write(folder: Path, *, per_class: int, seed: int) -> None:
    """Write `per_class` photographs of each kind below `folder`, one sub-folder a kind.

    Files of the same name are replaced, others are left alone. Raises WorkFailed.
    """
    numbers = [(kind, index) for kind in range(len(KINDS)) for index in range(1, per_class + 1)]
    for kind, index in console.progress(numbers, total=len(numbers), task="Drawing", unit="photo"):
        # A generator of its own: a larger per_class must not change the photographs before.
        rng = np.random.default_rng([seed, kind, index])
        suffix = ".png" if index % PNG_EVERY == 0 else ".jpg"
        path = folder / KINDS[kind] / f"{KINDS[kind]}_{index:04d}{suffix}"
        atomic_files.write_bytes(path, _encoded(draw(KINDS[kind], rng), suffix, rng))


def _encoded(photograph: Image.Image, suffix: str, rng: np.random.Generator) -> bytes:
    content = io.BytesIO()
    if suffix == ".png":
        photograph.save(content, "PNG", compress_level=1)  # grain hardly compresses, however long it takes
    else:
        photograph.save(content, "JPEG", quality=int(rng.integers(45, 96)))
    return content.getvalue()


def sample_photos(options: SamplePhotosOptions) -> None:
    """Do all that the command line asks for."""
    write(options.folder, per_class=options.per_class, seed=options.seed)
    total = options.per_class * len(KINDS)
    print(f"{total} photographs in {len(KINDS)} folders below {options.folder}")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(sample_photos, parse=parse_sample_photos, argv=argv, name="sample_photos")


if __name__ == "__main__":
    sys.exit(main())
