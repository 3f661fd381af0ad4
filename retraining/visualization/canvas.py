"""The picture while it is being made, in any size, and the views of it that fit a network's input.

A canvas is float32 [height, width, 3] in [0, 1]. A view is a part of it in the size of the network's input.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.arrays import ImageSize, Pixels

GREY = 0.45  # a little darker than the middle, like the mean of most photos
NOISE = 0.02

CROPS = 4  # in a step: the whole canvas, and random parts of it
SMALLEST_CROP = 0.6  # as a share of the canvas's height and width

# The mean of a gradient is smoothed like a wave that fits into the canvas this many times. Treated as a
# longer wave it would dominate, as brightness and tint; without it no picture could have a colour.
WAVES_OF_TINT = 8

Canvas = NDArray[np.float32]
"""The picture [height, width, 3] in [0, 1], or a gradient of that shape."""

Matrix = NDArray[np.float32]
"""Weights [new size, old size] that resample one side of a picture."""


class View(Protocol):
    """A linear map from a canvas to a network's input, and its transpose for gradients."""

    def pixels_of(self, canvas: Canvas) -> Pixels:
        """Return what the network sees of the canvas, in the network's input size."""

    def add_back(self, gradient: Pixels, total: Canvas) -> None:
        """Add the gradient of the network's input to `total`, the gradient of the canvas."""


@dataclasses.dataclass(frozen=True)
class Tile:
    """A part of the canvas, unchanged: its row and column indices, which wrap around at the edges."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]

    def pixels_of(self, canvas: Canvas) -> Pixels:
        """Return the tile's pixels."""
        pixels: Pixels = canvas[np.ix_(self.rows, self.columns)]
        return pixels

    def add_back(self, gradient: Pixels, total: Canvas) -> None:
        """Add the gradient where the tile is."""
        total[np.ix_(self.rows, self.columns)] += gradient


@dataclasses.dataclass(frozen=True)
class Crop:
    """A part of the canvas, resized: `rows` [new height, height] and `columns` [new width, width]."""

    rows: Matrix
    columns: Matrix

    def pixels_of(self, canvas: Canvas) -> Pixels:
        """Return the part, resized."""
        return _transformed(canvas, self.rows, self.columns)

    def add_back(self, gradient: Pixels, total: Canvas) -> None:
        """Add the gradient of each resized pixel to the pixels that it was made from."""
        total += _transformed(gradient, self.rows.T, self.columns.T)


def tiles(canvas: ImageSize, tile: ImageSize, rng: np.random.Generator | None = None) -> list[View]:
    """Return tiles that cover the whole canvas, all shifted by the same random distance if `rng` is given.

    The canvas must be at least as large as a tile. Shifted tiles wrap around at the edges. Since each step
    then has the seams between the tiles in another place, they leave no visible mark.
    """
    down = rng.integers(canvas.height) if rng else 0
    right = rng.integers(canvas.width) if rng else 0
    return [
        Tile(
            (np.arange(tile.height) + top + down) % canvas.height,
            (np.arange(tile.width) + left + right) % canvas.width,
        )
        for top in _starts(canvas.height, tile.height)
        for left in _starts(canvas.width, tile.width)
    ]


def crops(canvas: ImageSize, crop: ImageSize, rng: np.random.Generator | None = None) -> list[View]:
    """Return the whole canvas as one view, and also random large parts of it if `rng` is given.

    A pattern that only works on one exact grid of pixels would not excite the network in all of them.
    """
    boxes = [(0.0, 0.0, 1.0), *(_random_boxes(rng) if rng else ())]
    return [
        Crop(
            _resampling(canvas.height, crop.height, top, share),
            _resampling(canvas.width, crop.width, left, share),
        )
        for top, left, share in boxes
    ]


def _random_boxes(rng: np.random.Generator) -> Iterator[tuple[float, float, float]]:
    """Yield top, left and side of squares in the unit square."""
    for share in rng.uniform(SMALLEST_CROP, 1, CROPS - 1):
        top, left = rng.uniform(0, 1 - share, 2)
        yield top, left, share


def blank(size: ImageSize, rng: np.random.Generator) -> Canvas:
    """Return a grey canvas with a little noise, to start from."""
    noise = rng.uniform(-NOISE, NOISE, (size.height, size.width, 3))
    return (GREY + noise).astype(np.float32)


def resized(canvas: Canvas, size: ImageSize) -> Canvas:
    """Return the canvas, or a difference between two, in another size, by bicubic interpolation."""
    channels = [
        Image.fromarray(np.ascontiguousarray(channel)).resize(
            (size.width, size.height), Image.Resampling.BICUBIC
        )
        for channel in np.moveaxis(canvas, -1, 0)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def smoothed(gradient: Canvas, power: float) -> Canvas:
    """Return the gradient with each of its waves divided by its frequency raised to `power`.

    In photos, long waves are far stronger than short ones (Field 1987, J. Opt. Soc. Am. A 4). A network's
    gradient consists mostly of short ones, which look like noise.
    """
    height, width, _ = gradient.shape
    down, right = np.fft.fftfreq(height)[:, np.newaxis], np.fft.rfftfreq(width)
    frequency = np.hypot(down, right)
    frequency[0, 0] = WAVES_OF_TINT / max(height, width)
    waves = np.fft.rfft2(gradient, axes=(0, 1)) / frequency[..., np.newaxis] ** power
    smooth: Canvas = np.fft.irfft2(waves, (height, width), axes=(0, 1)).astype(np.float32)
    return smooth


def diffused(canvas: Canvas, share: float) -> Canvas:
    """Return the canvas after a gradient step that lowers its squared total variation.

    `share` is the size of the step: how much of the difference from its neighbours a pixel loses.
    """
    if not share:
        return canvas
    padded = np.pad(canvas, ((1, 1), (1, 1), (0, 0)), mode="edge")
    around = padded[:-2, 1:-1] + padded[2:, 1:-1] + padded[1:-1, :-2] + padded[1:-1, 2:]
    return canvas + np.float32(share) * (around - 4 * canvas)


def _starts(whole: int, part: int) -> list[int]:
    """Return where to start the fewest parts that cover the whole, evenly spread."""
    count = math.ceil(whole / part)
    return [round(number * (whole - part) / max(1, count - 1)) for number in range(count)]


def _resampling(whole: int, part: int, start: float, share: float) -> Matrix:
    """Return the weights [part, whole] that resample a stretch of `whole` old pixels to `part` new ones.

    The stretch begins at `start` and is `share` long, both as fractions of the whole. Like images.resized,
    this is bilinear over the whole area of each new pixel.
    """
    scale = share * whole / part
    centres = start * whole + (np.arange(part) + 0.5) * scale
    distances = np.abs(np.arange(whole) + 0.5 - centres[:, np.newaxis]) / max(scale, 1)
    weights = np.maximum(0, 1 - distances)
    matrix: Matrix = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    return matrix


def _transformed(pixels: Pixels, rows: Matrix, columns: Matrix) -> Pixels:
    height, width, channels = pixels.shape
    tall = (rows @ pixels.reshape(height, -1)).reshape(-1, width, channels)
    small: Pixels = np.matmul(columns, tall)
    return small
