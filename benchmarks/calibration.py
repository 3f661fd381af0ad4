"""Temperatures: how far scores can be trusted on images that nothing has seen, before and after.

Each row is the mean of several splits, each with test images of its own. The temperature is the one that a
run fits on cross-validated training and validation images. Beside it stand the one that would be best on the
test images, and one fitted on the validation images alone, as for a network that has learnt from the others.
"""

from __future__ import annotations

import dataclasses
import logging
import statistics
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import image_folder, other_images
from benchmarks.arguments import CalibrationSettings
from benchmarks.figures import print_table
from benchmarks.fine_tuning import split_by_seed
from retraining.assessment import assessment, calibration, cross_validation
from retraining.assessment.scored import Scored
from retraining.data.dataset import Dataset
from retraining.data.split import Split
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training import metrics, trainer

COLUMNS = (
    "images",
    "network",
    "steps",
    "test accuracy",
    "temperature",
    "best",
    "loss",
    "change, standard error",
    "worst split",
    "error, equal widths",
    "error, equal numbers",
    "loss, by validation images alone",
)

LEAST_PHOTOS = 50

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class State:
    """The test images with one temperature: the loss in nats, and both calibration errors in [0, 1]."""

    loss: float
    equal_widths: float
    equal_numbers: float


@dataclasses.dataclass(frozen=True)
class Tempered:
    """The results of one split."""

    accuracy: float
    temperature: float
    best: float
    before: State
    after: State
    by_validation: State

    @property
    def change(self) -> float:
        """How much the loss on the test images changes."""
        return self.after.loss - self.before.loss


def run(settings: CalibrationSettings) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        print_table(COLUMNS, _rows(settings, Path(scratch)))


def _rows(settings: CalibrationSettings, scratch: Path) -> Iterator[Sequence[str]]:
    for name, folder in _folders(settings.folders, scratch).items():
        photos = image_folder.usable(folder, at_least=LEAST_PHOTOS)
        for handle in settings.tfhub_modules:
            extractor = load_extractor(ModuleSettings(handle))
            for steps in settings.steps:
                training = TrainingSettings(
                    how_many_training_steps=steps,
                    eval_step_interval=steps,
                    learning_rate=settings.learning_rate,
                )
                splits = [
                    tempered(split_by_seed(photos, seed, testing_percentage=30), extractor, training, scratch)
                    for seed in range(settings.splits)
                ]
                yield name, extractor.name, f"{steps:,}", *_cells(splits)


def _folders(folders: Sequence[Path], scratch: Path) -> dict[str, Path]:
    """Return the folders to measure on, by what they are called in the table."""
    found = {folder.name: folder for folder in folders}
    for folder in folders:
        photos = image_folder.usable(folder, at_least=LEAST_PHOTOS)
        found[f"{folder.name}, reduced"] = other_images.reduced(photos, scratch / f"{folder.name} reduced")
    return found | {"digits": other_images.digits(scratch / "digits")}


def tempered(
    photos: Dataset, extractor: FeatureExtractor, settings: TrainingSettings, folder: Path
) -> Tempered:
    """Return the results of one split, whose vectors are kept in `folder`."""
    log.info("%s: %d steps", extractor.name, settings.how_many_training_steps)
    vectors = bottlenecks.compute(photos, extractor, BottleneckCache(folder / "cache", extractor))
    layer = trainer.train(vectors, settings)
    testing = assessment.scored(layer, vectors, Split.TESTING)
    by_validation = calibration.fit(assessment.scored(layer, vectors, Split.VALIDATION))
    fitted = calibration.fit(cross_validation.cross_validate(vectors, settings).held_in)
    return Tempered(
        accuracy=float((testing.log_probabilities.argmax(axis=1) == testing.labels).mean()),
        temperature=fitted,
        best=calibration.fit(testing),
        before=_state(testing, 1.0),
        after=_state(testing, fitted),
        by_validation=_state(testing, by_validation),
    )


def _state(testing: Scored, temperature: float) -> State:
    return State(
        loss=_loss(testing, temperature),
        equal_widths=calibration.reliability(testing, temperature).error,
        equal_numbers=error_of_equal_numbers(testing, temperature),
    )


def error_of_equal_numbers(testing: Scored, temperature: float) -> float:
    """Return the expected calibration error in [0, 1] with the same number of images in each of the bins."""
    scores = np.exp(calibration.tempered(testing.log_probabilities, temperature))
    gaps = scores.max(axis=1) - (scores.argmax(axis=1) == testing.labels)
    bins = np.array_split(gaps[np.argsort(scores.max(axis=1))], calibration.BINS)
    return float(sum(abs(each.sum()) for each in bins) / len(testing))


def _cells(splits: Sequence[Tempered]) -> tuple[str, ...]:
    def mean(of: Callable[[Tempered], float], digits: int = 3) -> str:
        return f"{statistics.fmean(map(of, splits)):.{digits}f}"

    changes = [each.change for each in splits]
    error = statistics.stdev(changes) / len(changes) ** 0.5 if len(changes) > 1 else float("nan")
    return (
        f"{statistics.fmean(each.accuracy for each in splits):.1%}",
        mean(lambda each: each.temperature, 2),
        mean(lambda each: each.best, 2),
        f"{mean(lambda each: each.before.loss)} -> {mean(lambda each: each.after.loss)}",
        f"{statistics.fmean(changes):+.3f} ({error:.3f})",
        f"{max(changes):+.3f}",
        f"{mean(lambda each: each.before.equal_widths)} -> {mean(lambda each: each.after.equal_widths)}",
        f"{mean(lambda each: each.before.equal_numbers)} -> {mean(lambda each: each.after.equal_numbers)}",
        mean(lambda each: each.by_validation.loss),
    )


def _loss(scored: Scored, temperature: float) -> float:
    """Return the mean cross entropy in nats of scored images when their logits are divided by a number."""
    scaled = calibration.tempered(scored.log_probabilities, temperature)
    return metrics.of_log_probabilities(scaled, scored.labels).cross_entropy
