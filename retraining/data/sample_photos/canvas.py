"""What is drawn on: an image at its own resolution, with polygons and lines in photo pixels.

Everything is drawn as outlines in the complex plane: turning and scaling a flower is one
multiplication. The real axis points right, the imaginary one down, as in an image.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from retraining.data.sample_photos.colours import Colours

Points: TypeAlias = npt.NDArray[np.complex128]

DOWN = 1j

# The unit circle as a polygon.
CIRCLE: Points = np.exp(1j * np.linspace(0, 2 * math.pi, 24, endpoint=False))


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
        """Return the size of the same image at another resolution."""
        return Size(round(self.width * factor), round(self.height * factor))


@dataclass(frozen=True)
class Canvas:
    """An image to draw on in photo pixels, whatever its own resolution."""

    image: Image.Image
    pen: ImageDraw.ImageDraw
    scale: float  # canvas pixels per photo pixel

    @classmethod
    def over(cls, image: Image.Image, scale: float) -> Canvas:
        """Return a canvas that draws on `image` itself."""
        return cls(image, ImageDraw.Draw(image), scale)

    @property
    def is_distant(self) -> bool:
        """Whether what is drawn here is blurred later, so that fine parts would be lost."""
        return self.scale < 1

    def fill(self, outlines: Points, colours: Colours) -> None:
        """Fill polygons: `outlines` are their corners, [..., corners], `colours` [..., 3]."""
        inks = _inks(np.broadcast_to(colours, (*outlines.shape[:-1], 3)))
        for corners, ink in zip(self._coordinates(outlines), inks, strict=True):
            self.pen.polygon(corners, fill=ink)

    def stroke(self, lines: Points, colours: Colours, *, width: float) -> None:
        """Draw lines through the points `lines`, [..., points], `width` photo pixels wide."""
        pixels = max(1, round(width * self.scale))
        inks = _inks(np.broadcast_to(colours, (*lines.shape[:-1], 3)))
        for points, ink in zip(self._coordinates(lines), inks, strict=True):
            self.pen.line(points, fill=ink, width=pixels, joint="curve")

    def _coordinates(self, points: Points) -> list[list[float]]:
        # Pillow takes a flat list: two numbers for each complex one.
        flat = np.ascontiguousarray(points * self.scale, np.complex128).view(np.float64)
        rows: list[list[float]] = flat.reshape(-1, flat.shape[-1]).tolist()
        return rows


def _inks(colours: Colours) -> list[tuple[int, ...]]:
    parts = np.clip(colours, 0, 255).astype(int).reshape(-1, 3)
    return [tuple(ink) for ink in parts.tolist()]
