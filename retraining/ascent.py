"""Gradient ascent on a picture, from small to large: Mordvintsev et al., "Inceptionism", Google 2015."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from retraining import canvas
from retraining.canvas import Canvas, View
from retraining.images import ImageSize
from retraining.objective import Objective
from retraining.options import DreamOptions


@dataclasses.dataclass(frozen=True)
class Manner:
    """How an objective is climbed.

    `views` are what the network sees of the canvas in a step, `power` is that of canvas.smoothed,
    `diffusion` the share of canvas.diffused, `first` the first octave's size by the network's input.
    """

    views: Callable[[ImageSize, ImageSize, np.random.Generator | None], list[View]]
    power: float
    diffusion: float
    first: float


# A layer is excited everywhere, so each tile counts alone; a class by the picture as a whole, which
# begins with the coarse shapes. Chosen by eye, on retrained MobileNet and ResNet.
OF_LAYERS = Manner(canvas.tiles, power=1.0, diffusion=0.0, first=1.0)
OF_CLASSES = Manner(canvas.crops, power=1.4, diffusion=0.04, first=0.65)


def climb(
    objective: Objective,
    start: Canvas,
    *,
    manner: Manner,
    options: DreamOptions,
    ticks: Iterator[object],
) -> Canvas:
    """Return `start` as the objective would have it: float32, of the same shape, in [0, 1].

    Each octave is a size of the picture; what the one before has added to `start` is enlarged and
    gone on with. One of `ticks` is taken for each step.
    """
    rng = np.random.default_rng([options.seed, 1])
    picture, added = start, np.zeros_like(start)
    for size in octaves(ImageSize(*start.shape[:2]), options):
        ground = canvas.resized(start, size)
        picture = ground + canvas.resized(added, size)
        for _ in itertools.islice(ticks, options.steps):
            views = manner.views(size, objective.size, rng)
            step = canvas.smoothed(_gradient(objective, picture, views), manner.power)
            # Normalised: layers differ by orders of magnitude, and no step size would suit them all.
            step *= options.step_size / 255 / (np.abs(step).mean() + 1e-12)
            picture = np.clip(canvas.diffused(picture + step, manner.diffusion), 0, 1)
        added = picture - ground
    return picture


def octaves(last: ImageSize, options: DreamOptions) -> list[ImageSize]:
    """Return the sizes of the picture, ascending to `last`."""
    scales = [options.octave_scale**-number for number in reversed(range(options.octaves))]
    return [ImageSize(round(last.height * scale), round(last.width * scale)) for scale in scales]


def last_size(
    network: ImageSize, picture: ImageSize, *, manner: Manner, options: DreamOptions
) -> ImageSize:
    """Return the size of the last octave of a picture, of which the first covers the network's input.

    With `manner.first` below 1 it covers that share of it; the sides' proportion stays.
    """
    covering = max(network.height / picture.height, network.width / picture.width)
    scale = manner.first * covering * options.octave_scale ** (options.octaves - 1)
    return ImageSize(round(picture.height * scale), round(picture.width * scale))


def value(objective: Objective, picture: Canvas, manner: Manner) -> float:
    """Return the objective's mean over all of the picture."""
    views = manner.views(ImageSize(*picture.shape[:2]), objective.size, None)
    return float(objective.values(np.stack([view.of(picture) for view in views])).mean())


def _gradient(objective: Objective, picture: Canvas, views: list[View]) -> Canvas:
    total = np.zeros_like(picture)
    gradients = objective.gradients(np.stack([view.of(picture) for view in views]))
    for view, gradient in zip(views, gradients, strict=True):
        view.add_back(gradient, total)
    return total
