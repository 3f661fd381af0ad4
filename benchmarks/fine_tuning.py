"""Fine-tuning against the frozen network, on test images that neither has seen, over several splits.

Every split has its own seed, and all results of a split are of the same test images. The frozen network's
layer is trained once on the images as they are and once on the random views that fine-tuning sees, since part
of what fine-tuning gains may be theirs; the gain is over the better of the two on the validation images.
"""

from __future__ import annotations

import dataclasses
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import image_folder
from benchmarks.arguments import FineTuningRunsSettings
from benchmarks.figures import print_table
from retraining.data.dataset import Dataset
from retraining.data.split import Split, split_names
from retraining.errors import BadRequest
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.views import Views
from retraining.fine_tuning import frozen_start, recipe
from retraining.fine_tuning.trainer import rank
from retraining.fine_tuning.tuner import Tuner
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DEFAULT_PERCENTAGE
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training.metrics import Metrics
from retraining.training.model import TrainedModel

COLUMNS = (
    "images",
    "network",
    "test images",
    "frozen",
    "frozen, random views",
    "fine-tuned",
    "gain",
    "worst split",
    "won / lost",
    "used",
    "minutes",
)

LEAST_PHOTOS = 50

log = logging.getLogger(__name__)


class Compared(NamedTuple):
    """What a frozen model comes to on the validation and test images: the metrics, and what it got wrong."""

    validation: Metrics
    accuracy: float
    wrong: frozenset[Path]


@dataclasses.dataclass(frozen=True)
class Paired:
    """The results of one split. `minutes` are those of fine-tuning alone."""

    plain: Compared
    views: Compared
    tuned: Compared
    count: int
    is_used: bool
    minutes: float

    @property
    def frozen(self) -> Compared:
        """The frozen model to beat: the one that is better on the validation images."""
        return max(self.plain, self.views, key=lambda each: rank(each.validation))

    @property
    def gain(self) -> float:
        """The gain in test accuracy, in points."""
        return 100 * (self.tuned.accuracy - self.frozen.accuracy)


def run(settings: FineTuningRunsSettings) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        print_table(COLUMNS, _rows(settings, Path(scratch)))


def _rows(settings: FineTuningRunsSettings, scratch: Path) -> Iterator[Sequence[str]]:
    folders = {settings.folder.name: settings.folder}
    if settings.drawn_photos:
        folders["drawn photos"] = image_folder.draw(scratch / "drawn", count=settings.drawn_photos)
    for name, folder in folders.items():
        photos = image_folder.usable(folder, at_least=LEAST_PHOTOS)
        for handle in settings.handles:
            extractor = load_extractor(ModuleSettings(handle))
            with tempfile.TemporaryDirectory(dir=scratch) as cache:
                yield _row(name, extractor, measured(photos, extractor, settings, Path(cache)))


def measured(
    photos: Dataset, extractor: FeatureExtractor, settings: FineTuningRunsSettings, cache: Path
) -> list[Paired]:
    """Return the results of every split."""
    pairs = []
    for seed in range(settings.seeds):
        log.info("%s: split %d of %d", extractor.name, seed + 1, settings.seeds)
        split = split_by_seed(photos, seed, testing_percentage=settings.testing_percentage)
        pairs.append(compared(split, extractor, _fine_tuning(settings), cache))
        log.info("gain %+.1f points, %.1f minutes", pairs[-1].gain, pairs[-1].minutes)
    return pairs


def split_by_seed(photos: Dataset, seed: int, *, testing_percentage: float) -> Dataset:
    """Return the images split as retrain.py does, but by names with the seed before them."""
    names = [f"{seed} {image.path.name}" for image in photos.images]
    splits = split_names(
        names, validation_percentage=DEFAULT_PERCENTAGE, testing_percentage=testing_percentage
    )
    images = (image._replace(split=split) for image, split in zip(photos.images, splits, strict=True))
    return dataclasses.replace(photos, images=tuple(images))


def compared(
    photos: Dataset, extractor: FeatureExtractor, settings: FineTuningSettings, folder: Path
) -> Paired:
    """Return the results of one split, which share a cache in `folder`."""
    training = TrainingSettings()
    views = recipe.augmentation(AugmentationSettings())
    plain = _frozen(photos, extractor, Views(AugmentationSettings(), training.seed), folder)
    distorted = _frozen(photos, extractor, Views(views, training.seed), folder)
    tuner = Tuner(
        plain, settings, augmentation=AugmentationSettings(), training=training, bottleneck_dir=folder
    )
    start = time.perf_counter()
    tuned = tuner.run()
    return Paired(
        plain=_compared(plain),
        views=_compared(distorted),
        tuned=_compared(tuned.model),
        count=sum(image.split is Split.TESTING for image in photos.images),
        is_used=tuned.is_used,
        minutes=(time.perf_counter() - start) / 60,
    )


def _frozen(photos: Dataset, extractor: FeatureExtractor, views: Views, folder: Path) -> TrainedModel:
    vectors = bottlenecks.compute(photos, extractor, BottleneckCache(folder, extractor), views)
    return TrainedModel.train(vectors, extractor, TrainingSettings())


def _compared(model: TrainedModel) -> Compared:
    validation, evaluation = model.bottlenecks.validation, model.evaluation
    if evaluation is None or len(validation) == 0:
        raise BadRequest("a split has no validation or no test image. Name a folder that has more.")
    wrong = frozenset(each.path for each in evaluation.misclassified)
    return Compared(frozen_start.validated(model), evaluation.accuracy, wrong)


def _fine_tuning(settings: FineTuningRunsSettings) -> FineTuningSettings:
    return FineTuningSettings(
        fine_tune=True,
        fine_tune_blocks=settings.fine_tune_blocks,
        fine_tune_epochs=settings.fine_tune_epochs,
        fine_tune_learning_rate=settings.fine_tune_learning_rate,
    )


def _row(images: str, extractor: FeatureExtractor, pairs: Sequence[Paired]) -> Sequence[str]:
    won = sum(len(each.frozen.wrong - each.tuned.wrong) for each in pairs)
    lost = sum(len(each.tuned.wrong - each.frozen.wrong) for each in pairs)
    return (
        images,
        f"{extractor.name}, {extractor.image_size.height} pixels",
        str(sum(each.count for each in pairs)),
        _mean(each.plain.accuracy for each in pairs),
        _mean(each.views.accuracy for each in pairs),
        _mean(each.tuned.accuracy for each in pairs),
        f"{statistics.fmean(each.gain for each in pairs):+.1f}",
        f"{min(each.gain for each in pairs):+.1f}",
        f"{won} / {lost}",
        f"{sum(each.is_used for each in pairs)} of {len(pairs)}",
        f"{statistics.median(each.minutes for each in pairs):.1f}",
    )


def _mean(accuracies: Iterator[float]) -> str:
    return f"{100 * statistics.fmean(accuracies):.1f} %"
