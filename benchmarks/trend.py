"""Accuracy against training images: as the report finds it, and by whole trainings on the same images.

What the trend of the points up to 40 % promises for twice as many stands beside the accuracy at 80 %.
"""

from __future__ import annotations

import dataclasses
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks import image_folder
from benchmarks.arguments import TrendSettings
from benchmarks.figures import print_table, seconds
from retraining.assessment import power_law, trend
from retraining.assessment.trend import Trend
from retraining.data.split import Split
from retraining.errors import BadRequest
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import load_extractor
from retraining.features.image_vectors import ImageVectors
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training import trainer

COLUMNS = (
    "module",
    "training images",
    "accuracy, the report",
    "whole trainings",
    "furthest apart",
    "promised by half as many",
    "time",
)

LEAST_PHOTOS = 100

log = logging.getLogger(__name__)


def run(settings: TrendSettings) -> None:
    """Measure and print the table."""
    photos = image_folder.usable(settings.folder, at_least=LEAST_PHOTOS)
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        modules = []
        for handle in settings.handles:
            extractor = load_extractor(ModuleSettings(handle))
            vectors = bottlenecks.compute(photos, extractor, BottleneckCache(Path(scratch), extractor))
            modules.append((extractor.name, vectors))
        print_table(COLUMNS, (row for name, vectors in modules for row in _rows(name, vectors)))


def _rows(name: str, vectors: Bottlenecks) -> Iterator[tuple[str, ...]]:
    log.info("%s", name)
    kept: list[Trend | None] = []
    time = seconds(lambda: kept.append(trend.find(vectors, TrainingSettings())))
    (found,) = kept
    if found is None:
        raise BadRequest("there are too few images, or too many classes, for a trend. Name another folder.")
    whole = _whole(vectors, len(found.points[0].accuracies))
    for number, (point, accuracies) in enumerate(zip(found.points, whole, strict=True)):
        apart = np.abs(np.array(point.accuracies) - accuracies).max()
        yield (
            name,
            str(point.images),
            f"{np.mean(point.accuracies):.1%}",
            f"{np.mean(accuracies):.1%}",
            f"{100 * apart:.1f} points",
            _promised(found) if trend.SHARES[number] == 0.8 else "",
            f"{time:.2f} s, {found.steps} steps" if not number else "",
        )


def _promised(found: Trend) -> str:
    """Return the accuracy at 80 % by the trend of the points before it."""
    counts = np.array([point.images for point in found.points[:3]])
    errors = np.array([[1 - np.mean(point.accuracies) for point in found.points[:3]]])
    return f"{1 - power_law.extrapolated(counts, errors, found.points[3].images)[0]:.1%}"


def _whole(vectors: Bottlenecks, draws: int) -> list[NDArray[np.float64]]:
    """Return the accuracies of whole trainings on the trend's own draws, for each share."""
    settings = TrainingSettings(eval_step_interval=TrainingSettings.how_many_training_steps)
    held_out = ImageVectors.of_sets(vectors, Split.VALIDATION, Split.TESTING)
    tested = held_out.take(np.arange(len(held_out)))
    training = vectors.training
    is_used = trend.draw(training.labels, draws, trend.stream(settings))
    accuracies = []
    for number, used in enumerate(is_used.T, start=1):
        log.info("whole training %d of %d", number, is_used.shape[1])
        images = BottleneckSet(
            training.vectors[used], training.labels[used], training.files[: used.sum()], ()
        )
        layer = trainer.train(dataclasses.replace(vectors, training=images), settings)
        accuracies.append(np.mean(layer.log_probabilities(tested).argmax(axis=1) == held_out.labels))
    of_draws = np.array(accuracies[:-1]).reshape(draws, -1).T
    return [*of_draws, np.array(accuracies[-1:])]
