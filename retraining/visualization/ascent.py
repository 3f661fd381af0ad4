"""Gradient ascent on a picture, from small to large: Mordvintsev et al., "Inceptionism", Google 2015."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator

import numpy as np

from retraining.arrays import ImageSize, Pixels
from retraining.settings.deep_dream import DreamSettings
from retraining.visualization import canvas
from retraining.visualization.canvas import Canvas, View
from retraining.visualization.objective import Objective


@dataclasses.dataclass(frozen=True)
class AscentSettings:
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
OF_LAYERS = AscentSettings(canvas.tiles, power=1.0, diffusion=0.0, first=1.0)
OF_CLASSES = AscentSettings(canvas.crops, power=1.4, diffusion=0.04, first=0.65)


def maximize(
    objective: Objective,
    start: Canvas,
    *,
    style: AscentSettings,
    settings: DreamSettings,
    ticks: Iterator[object],
) -> Canvas:
    """Return `start` as the objective would have it: float32, of the same shape, in [0, 1].

    Each octave is a size of the picture; what the one before has added to `start` is enlarged and
    gone on with. One of `ticks` is taken for each step.
    """
    walk = _Walk(objective, style, settings)
    picture, added = start, np.zeros_like(start)
    for size in octaves(ImageSize(*start.shape[:2]), settings):
        ground = canvas.resized(start, size)
        enlarged = np.clip(ground + canvas.resized(added, size), 0, 1)
        picture = walk.up_from(ground, enlarged, ticks)
        added = picture - ground
    return picture


class _Walk:
    """The way up: boldly, with steps of one length, or with care, where those lead down in the end."""

    def __init__(self, objective: Objective, style: AscentSettings, settings: DreamSettings) -> None:
        self._objective = objective
        self._manner = style
        self._steps = settings.steps
        self._length = settings.step_size / 255
        self._rng = np.random.default_rng([settings.seed, 1])

    def up_from(self, ground: Canvas, enlarged: Canvas, ticks: Iterator[object]) -> Canvas:
        """Return a picture that is higher than `ground`, the start, in the same size as `enlarged`."""
        picture = enlarged
        for _ in itertools.islice(ticks, self._steps):
            picture = self._stepped(picture, self._length)
        if self._score(picture) > self._score(ground):
            return picture
        # Of a layer that hardly anything excites more than grey does.
        return self._up_with_care(max(ground, enlarged, key=self._score))

    def _up_with_care(self, picture: Canvas) -> Canvas:
        """Return the picture after steps that all led up: after one that did not the next is half as long."""
        height, length = self._score(picture), self._length
        for _ in range(self._steps):
            stepped = self._stepped(picture, length)
            reached = self._score(stepped)
            if reached > height:
                picture, height = stepped, reached
            else:
                length /= 2
        return picture

    def _stepped(self, picture: Canvas, length: float) -> Canvas:
        """Return the picture, its pixels changed by `length` on average."""
        step = canvas.smoothed(self._gradient(picture), self._manner.power)
        # Normalised: layers differ by orders of magnitude, and no length would suit them all.
        step *= length / (np.abs(step).mean() + 1e-12)
        return np.clip(canvas.diffused(picture + step, self._manner.diffusion), 0, 1)

    def _score(self, picture: Canvas) -> float:
        return float(self._objective.scores(_all_of(picture, self._objective, self._manner)).mean())

    def _gradient(self, picture: Canvas) -> Canvas:
        views = self._manner.views(ImageSize(*picture.shape[:2]), self._objective.size, self._rng)
        total = np.zeros_like(picture)
        gradients = self._objective.gradients(_seen(picture, views))
        for view, gradient in zip(views, gradients, strict=True):
            view.add_back(gradient, total)
        return total


def octaves(last: ImageSize, settings: DreamSettings) -> list[ImageSize]:
    """Return the sizes of the picture, ascending to `last`."""
    scales = [settings.octave_scale**-number for number in reversed(range(settings.octaves))]
    return [ImageSize(round(last.height * scale), round(last.width * scale)) for scale in scales]


def last_size(
    network: ImageSize, picture: ImageSize, *, style: AscentSettings, settings: DreamSettings
) -> ImageSize:
    """Return the size of the last octave of a picture, of which the first covers the network's input.

    With `style.first` below 1 it covers that share of it; the sides' proportion stays.
    """
    covering = max(network.height / picture.height, network.width / picture.width)
    scale = style.first * covering * settings.octave_scale ** (settings.octaves - 1)
    return ImageSize(round(picture.height * scale), round(picture.width * scale))


def value(objective: Objective, picture: Canvas, style: AscentSettings) -> float:
    """Return the mean of what the objective's target is for all of the picture."""
    return float(objective.values(_all_of(picture, objective, style)).mean())


def is_dead(objective: Objective, picture: Canvas, style: AscentSettings) -> bool:
    """Return whether no pixel of the picture changes the target: all its gradient is zero."""
    return not objective.gradients(_all_of(picture, objective, style)).any()


def _all_of(picture: Canvas, objective: Objective, style: AscentSettings) -> Pixels:
    """Return the views that show all of the picture."""
    return _seen(picture, style.views(ImageSize(*picture.shape[:2]), objective.size, None))


def _seen(picture: Canvas, views: list[View]) -> Pixels:
    return np.stack([view.of(picture) for view in views])
