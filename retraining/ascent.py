"""Gradient ascent on a picture, from small to large: Mordvintsev et al., "Inceptionism", Google 2015."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from retraining import canvas
from retraining.canvas import Canvas, View
from retraining.images import ImageSize, Pixels
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
# begins with coarse shapes. The numbers were chosen by eye, on retrained MobileNet and ResNet.
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
        enlarged = np.clip(ground + canvas.resized(added, size), 0, 1)
        walk = _Walk(objective, manner, options, [ground, enlarged])
        for _ in itertools.islice(ticks, options.steps):
            walk.step(rng)
        picture = walk.picture
        added = picture - ground
    return picture


class _Walk:
    """The way up in one octave.

    A step that would lead below its start is not taken, and the next one is half as long.
    """

    def __init__(
        self, objective: Objective, manner: Manner, options: DreamOptions, starts: list[Canvas]
    ) -> None:
        self._objective = objective
        self._manner = manner
        self._longest = self._length = options.step_size / 255
        # What excites in one size need not in the next: begin where it is highest.
        heights = [self._height(start) for start in starts]
        self._start_height = max(heights)
        self.picture = starts[heights.index(self._start_height)]

    def step(self, rng: np.random.Generator) -> None:
        """Change the pixels by the step size on average, or by less after steps that led down."""
        step = canvas.smoothed(self._gradient(rng), self._manner.power)
        # Normalised: layers differ by orders of magnitude, and no length would suit them all.
        step *= self._length / (np.abs(step).mean() + 1e-12)
        picture = np.clip(canvas.diffused(self.picture + step, self._manner.diffusion), 0, 1)
        if self._height(picture) > self._start_height:
            self.picture = picture
            self._length = min(self._longest, 1.5 * self._length)
        else:
            self._length /= 2

    def _height(self, picture: Canvas) -> float:
        return float(self._objective.heights(_all_of(picture, self._objective, self._manner)).mean())

    def _gradient(self, rng: np.random.Generator) -> Canvas:
        views = self._manner.views(ImageSize(*self.picture.shape[:2]), self._objective.size, rng)
        total = np.zeros_like(self.picture)
        gradients = self._objective.gradients(_seen(self.picture, views))
        for view, gradient in zip(views, gradients, strict=True):
            view.add_back(gradient, total)
        return total


def octaves(last: ImageSize, options: DreamOptions) -> list[ImageSize]:
    """Return the sizes of the picture, ascending to `last`."""
    scales = [options.octave_scale**-number for number in reversed(range(options.octaves))]
    return [ImageSize(round(last.height * scale), round(last.width * scale)) for scale in scales]


def last_size(network: ImageSize, picture: ImageSize, *, manner: Manner, options: DreamOptions) -> ImageSize:
    """Return the size of the last octave of a picture, of which the first covers the network's input.

    With `manner.first` below 1 it covers that share of it; the sides' proportion stays.
    """
    covering = max(network.height / picture.height, network.width / picture.width)
    scale = manner.first * covering * options.octave_scale ** (options.octaves - 1)
    return ImageSize(round(picture.height * scale), round(picture.width * scale))


def value(objective: Objective, picture: Canvas, manner: Manner) -> float:
    """Return the mean of what the objective's target is for all of the picture."""
    return float(objective.values(_all_of(picture, objective, manner)).mean())


def _all_of(picture: Canvas, objective: Objective, manner: Manner) -> Pixels:
    """Return the views that show all of the picture."""
    return _seen(picture, manner.views(ImageSize(*picture.shape[:2]), objective.size, None))


def _seen(picture: Canvas, views: list[View]) -> Pixels:
    return np.stack([view.of(picture) for view in views])
