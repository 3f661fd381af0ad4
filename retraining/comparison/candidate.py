"""The models of a comparison: retrained modules and networks trained from scratch, in the same form."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from retraining.arrays import Batch
from retraining.assessment import findings
from retraining.assessment.assessment import try_to_assess
from retraining.assessment.findings import Findings
from retraining.features import bottlenecks, problem_files
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.features.views import Views
from retraining.model import RetrainedModel
from retraining.networks import parts, trainer
from retraining.networks.image_batches import UsableImages
from retraining.networks.trainer import Recipe
from retraining.report.subject import Run
from retraining.settings import architectures
from retraining.settings.compare import CompareSettings
from retraining.settings.kinds import ALL
from retraining.settings.training import TrainingSettings
from retraining.training import training_curve
from retraining.training.learning_curve import Epoch, LearningCurve
from retraining.training.metrics import Metrics, measure
from retraining.training.softmax_layer import SoftmaxLayer
from retraining.training.tensorboard import SummaryWriter
from retraining.training.trainer import TrainingStep

RETRAINED, FROM_SCRATCH = "new layer", "from scratch"

# Called after each epoch of a network with the network's title, the epoch's number from 0, and its metrics.
OnEpoch = Callable[[str, int, Epoch], None]


@dataclasses.dataclass(frozen=True)
class Candidate:
    """A trained model.

    `kind` is RETRAINED or FROM_SCRATCH, `seconds` is how long the training took, `layer_settings` are those
    of its last layer, and `weights` is the file of a network trained from scratch.
    """

    title: str
    kind: str
    model: RetrainedModel
    curve: LearningCurve
    seconds: float
    layer_settings: TrainingSettings
    weights: Path | None = None

    def assessed(self, near: NearDuplicates) -> tuple[Candidate, Findings | None]:
        """Return the candidate with calibrated scores, and what is found out about it, if that succeeds.

        `near` are the images that show nearly the same.
        """
        # Only the vectors of a pretrained network say how its layer does on images that it has not seen.
        frozen = self.model.bottlenecks if self.kind == RETRAINED else None
        assessment = try_to_assess(self.model, self.layer_settings, near, frozen=frozen)
        model = self.model.with_assessment(assessment)
        return dataclasses.replace(self, model=model), findings.try_to_find(model, assessment)

    def run(self) -> Run:
        """Return how it was trained, for the report."""
        return Run(curve=training_curve.of_epochs(self.curve.epochs), curve_unit="epoch")


def retrain(
    handle: str, extractor: FeatureExtractor, images: UsableImages, settings: CompareSettings
) -> Candidate:
    """Return a module with a new layer, whose training steps are spread over the epochs. Raises WorkFailed.

    `extractor` is the module that `handle` names, already loaded.
    """
    started, comparison = time.monotonic(), settings.comparison
    cache = BottleneckCache(comparison.bottleneck_dir, extractor)
    views = Views(settings.augmentation, comparison.seed)
    computed = bottlenecks.compute(images.dataset, extractor, cache, views)
    problem_files.warn_of_skipped(computed.skipped)
    title, layer_settings = _title(handle, extractor, comparison.models), _layer_settings(settings)
    with SummaryWriter(_log_folder(settings, title)) as tensorboard:
        record = _EpochRecord(computed, tensorboard)
        model = RetrainedModel.train(computed, extractor, layer_settings, on_report=record)
    return Candidate(
        title=title,
        kind=RETRAINED,
        model=model,
        curve=LearningCurve(tuple(record.epochs)),
        seconds=time.monotonic() - started,
        layer_settings=layer_settings,
    )


class _EpochRecord:
    """Turns the reports on a new layer into epochs: each report but the first ends one."""

    def __init__(self, computed: Bottlenecks, tensorboard: SummaryWriter) -> None:
        self.epochs: list[Epoch] = []
        self._bottlenecks = computed
        self._tensorboard = tensorboard
        self._epoch_start = time.monotonic()

    def __call__(self, report: TrainingStep) -> None:
        if report.step == 0:
            return  # nothing has been learnt yet
        seconds = time.monotonic() - self._epoch_start
        self._tensorboard.add_report(dataclasses.replace(report, step=len(self.epochs)))
        testing = _test_metrics(report.layer, self._bottlenecks)
        self.epochs.append(Epoch(report.training, report.validation, testing, seconds))
        self._epoch_start = time.monotonic()


def train(
    name: str, optimizer: str, images: UsableImages, settings: CompareSettings, *, on_epoch: OnEpoch
) -> Candidate:
    """Return the network `name`, trained from scratch. Raises WorkFailed.

    If an earlier run was interrupted, the training continues where it stopped.
    """
    comparison, recipe = settings.comparison, _recipe(name, optimizer, settings)
    training = trainer.Training(recipe, images, comparison.output_dir / "networks")
    with SummaryWriter(_log_folder(settings, recipe.title), first_step=len(training.epochs)) as tensorboard:

        def record(number: int, epoch: Epoch, network: Any) -> None:
            on_epoch(recipe.title, number, epoch)
            layer = parts.last_layer_of(network)
            tensorboard.add_report(TrainingStep(number, layer, epoch.training, epoch.validation))

        curve = training.run(record)
    extractor = parts.extractor_of(training.network, name=recipe.title, image_size=recipe.image_size)
    cache = BottleneckCache(comparison.bottleneck_dir, extractor)
    computed = bottlenecks.compute(images.dataset, extractor, cache)
    layer, layer_settings = parts.last_layer_of(training.network), TrainingSettings()
    return Candidate(
        title=recipe.title,
        kind=FROM_SCRATCH,
        model=RetrainedModel.of_layer(layer, computed, extractor, layer_settings),
        curve=curve,
        seconds=curve.seconds,
        layer_settings=layer_settings,
        weights=training.path,
    )


def _recipe(name: str, optimizer: str, settings: CompareSettings) -> Recipe:
    comparison = settings.comparison
    return Recipe(
        name=name,
        optimizer=optimizer,
        learning_rate=comparison.learning_rate,
        epochs=comparison.epochs,
        batch_size=comparison.batch_size,
        image_size=architectures.image_size_of(name, comparison.image_size),
        width=comparison.width,
        seed=comparison.seed,
        augmentation=settings.augmentation,
    )


def _layer_settings(settings: CompareSettings) -> TrainingSettings:
    """Return settings for training a module's new layer, with one report per epoch."""
    comparison = settings.comparison
    steps = comparison.how_many_training_steps
    return TrainingSettings(
        how_many_training_steps=steps,
        eval_step_interval=-(-steps // comparison.epochs),
        validation_batch_size=ALL,
        seed=comparison.seed,
    )


def _test_metrics(layer: SoftmaxLayer, computed: Bottlenecks) -> Metrics | None:
    testing = computed.testing
    return measure(layer, Batch(testing.vectors, testing.labels)) if len(testing) else None


def _title(handle: str, extractor: FeatureExtractor, models: Sequence[str]) -> str:
    """Return the handle if it can name a folder, and otherwise the module's own name.

    If several `models` have the same name, a part of the module's fingerprint is added.
    """
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", handle):
        return handle
    namesakes = [model for model in models if Path(model).name == Path(handle).name]
    return extractor.name if len(namesakes) == 1 else f"{extractor.name}-{extractor.fingerprint[:8]}"


def _log_folder(settings: CompareSettings, title: str) -> Path:
    return settings.comparison.output_dir / "logs" / title
