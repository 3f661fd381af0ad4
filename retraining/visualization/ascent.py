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
    """How an objective is maximized.

    `views` returns the parts of the canvas that the network sees in a step. `power` is that of
    canvas.smoothed, `diffusion` the share of canvas.diffused. `first_octave` is the size of the first octave,
    as a share of the network's input size.
    """

    views: Callable[[ImageSize, ImageSize, np.random.Generator | None], list[View]]
    power: float
    diffusion: float
    first_octave: float


# A layer is excited everywhere, so each tile counts by itself; a class is excited by the picture as a whole,
# which starts with coarse shapes. The numbers were chosen by eye, on retrained MobileNet and ResNet.
FOR_LAYERS = AscentSettings(canvas.tiles, power=1.0, diffusion=0.0, first_octave=1.0)
FOR_CLASSES = AscentSettings(canvas.crops, power=1.4, diffusion=0.04, first_octave=0.65)


def maximize(
    objective: Objective,
    start: Canvas,
    *,
    ascent_settings: AscentSettings,
    settings: DreamSettings,
    ticks: Iterator[object],
) -> Canvas:
    """Return `start` changed so that the objective's score rises: float32 in [0, 1], of the same shape.

    The picture grows through the octaves, which are sizes. What one octave has added to `start` is enlarged,
    and the next one continues from there. Each step takes one item of `ticks`.
    """
    ascent = _Ascent(objective, ascent_settings, settings)
    picture, added = start, np.zeros_like(start)
    for size in octaves(ImageSize(*start.shape[:2]), settings):
        base = canvas.resized(start, size)
        enlarged = np.clip(base + canvas.resized(added, size), 0, 1)
        picture = ascent.improved(base, enlarged, ticks)
        added = picture - base
    return picture


class _Ascent:
    """Gradient ascent in one octave: with steps of fixed length or, if they fail, only steps that help."""

    def __init__(
        self, objective: Objective, ascent_settings: AscentSettings, settings: DreamSettings
    ) -> None:
        self._objective = objective
        self._settings = ascent_settings
        self._steps = settings.steps
        self._length = settings.step_size / 255
        self._rng = np.random.default_rng([settings.seed, 1])

    def improved(self, base: Canvas, enlarged: Canvas, ticks: Iterator[object]) -> Canvas:
        """Return `enlarged` after the steps of an octave, if possible with a higher score than `base`.

        `base` is the start picture, in the same size.
        """
        picture = enlarged
        for _ in itertools.islice(ticks, self._steps):
            picture = self._gradient_step(picture, self._length)
        if self._score(picture) > self._score(base):
            return picture
        # This happens with a layer that hardly anything excites more than grey does.
        return self._improved_cautiously(max(base, enlarged, key=self._score))

    def _improved_cautiously(self, picture: Canvas) -> Canvas:
        """Return the picture after the steps that raised its score; each failed step halves the length."""
        score, length = self._score(picture), self._length
        for _ in range(self._steps):
            changed = self._gradient_step(picture, length)
            changed_score = self._score(changed)
            if changed_score > score:
                picture, score = changed, changed_score
            else:
                length /= 2
        return picture

    def _gradient_step(self, picture: Canvas, length: float) -> Canvas:
        """Return the picture, its pixel values changed by `length` on average."""
        step = canvas.smoothed(self._gradient(picture), self._settings.power)
        # Normalised, because the gradients of different layers differ by orders of magnitude.
        step *= length / (np.abs(step).mean() + 1e-12)
        return np.clip(canvas.diffused(picture + step, self._settings.diffusion), 0, 1)

    def _score(self, picture: Canvas) -> float:
        return float(self._objective.scores(_whole(picture, self._objective, self._settings)).mean())

    def _gradient(self, picture: Canvas) -> Canvas:
        """Return the gradient of the score with respect to the picture, through the views of one step."""
        views = self._settings.views(ImageSize(*picture.shape[:2]), self._objective.image_size, self._rng)
        total = np.zeros_like(picture)
        gradients = self._objective.gradients(_seen(picture, views))
        for view, gradient in zip(views, gradients, strict=True):
            view.add_back(gradient, total)
        return total


def octaves(last: ImageSize, settings: DreamSettings) -> list[ImageSize]:
    """Return the sizes that the picture grows through, ending with `last`."""
    scales = [settings.octave_scale**-number for number in reversed(range(settings.octaves))]
    return [ImageSize(round(last.height * scale), round(last.width * scale)) for scale in scales]


def last_size(
    input_size: ImageSize,
    picture_size: ImageSize,
    *,
    ascent_settings: AscentSettings,
    settings: DreamSettings,
) -> ImageSize:
    """Return the size of the last octave of a picture with the proportions of `picture_size`.

    The first octave is just large enough to cover the network's input, times `first_octave`.
    """
    covering = max(input_size.height / picture_size.height, input_size.width / picture_size.width)
    scale = ascent_settings.first_octave * covering * settings.octave_scale ** (settings.octaves - 1)
    return ImageSize(round(picture_size.height * scale), round(picture_size.width * scale))


def value(objective: Objective, picture: Canvas, ascent_settings: AscentSettings) -> float:
    """Return the value of the objective's target, averaged over the whole picture."""
    return float(objective.values(_whole(picture, objective, ascent_settings)).mean())


def is_dead(objective: Objective, picture: Canvas, ascent_settings: AscentSettings) -> bool:
    """Return whether the gradient is zero everywhere: then changing a pixel does not change the target."""
    return not objective.gradients(_whole(picture, objective, ascent_settings)).any()


def _whole(picture: Canvas, objective: Objective, ascent_settings: AscentSettings) -> Pixels:
    """Return views that together show the whole picture."""
    views = ascent_settings.views(ImageSize(*picture.shape[:2]), objective.image_size, None)
    return _seen(picture, views)


def _seen(picture: Canvas, views: list[View]) -> Pixels:
    return np.stack([view.pixels_of(picture) for view in views])
