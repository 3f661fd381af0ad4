"""A model in a comparison: a retrained module, or a network trained from scratch; no longer told apart.

A network that was trained from scratch is taken apart into what it makes of an image and its last
layer, as if it had been retrained: evaluation, export and all else are then those of retrain.py.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from retraining.cli import log_lines
from retraining.data.images import PREPROCESSING, ImageSize
from retraining.features import bottlenecks, problem_files
from retraining.features.bottlenecks import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks import layer_names, trainer
from retraining.networks.image_batches import TrainingImages
from retraining.networks.trainer import Recipe
from retraining.settings import architectures
from retraining.settings.flags import ALL
from retraining.settings.options import CompareOptions, TrainingOptions
from retraining.training import softmax_layer
from retraining.training.learning_curve import Epoch, LearningCurve
from retraining.training.softmax_layer import Batch, Metrics, Report, SoftmaxLayer
from retraining.training.tensorboard import SummaryWriter

RETRAINED, FROM_SCRATCH = "new layer", "from scratch"


@dataclasses.dataclass(frozen=True)
class Contender:
    """A trained model. `seconds` is the time of its training, `weights` a network's file."""

    title: str
    kind: str
    extractor: FeatureExtractor
    layer: SoftmaxLayer
    bottlenecks: Bottlenecks
    curve: LearningCurve
    seconds: float
    weights: Path | None = None


def retrain(
    handle: str, network: FeatureExtractor, images: TrainingImages, options: CompareOptions
) -> Contender:
    """Return the module `handle`, as loaded, with a new layer; its steps are shared out over the epochs.

    Raises WorkFailed.
    """
    started, settings = time.monotonic(), options.comparison
    cache = BottleneckCache(settings.bottleneck_dir, network)
    views = bottlenecks.Views(options.distortions, settings.seed)
    vectors = bottlenecks.compute(images.dataset, network, cache, views)
    problem_files.warn_of_skipped(vectors.skipped)
    title = _title(handle, network, settings.models)
    with SummaryWriter(_logs(options, title)) as tensorboard:
        record = _EpochRecord(vectors, tensorboard)
        layer = softmax_layer.train(vectors, _layer_options(options), on_report=record)
    return Contender(
        title=title,
        kind=RETRAINED,
        extractor=network,
        layer=layer,
        bottlenecks=vectors,
        curve=LearningCurve(tuple(record.epochs)),
        seconds=time.monotonic() - started,
    )


class _EpochRecord:
    """Takes the reports on a new layer: an epoch ends with each but the first."""

    def __init__(self, vectors: Bottlenecks, tensorboard: SummaryWriter) -> None:
        self.epochs: list[Epoch] = []
        self._vectors = vectors
        self._tensorboard = tensorboard
        self._began = time.monotonic()

    def __call__(self, state: Report) -> None:
        if state.step == 0:
            return  # nothing has been learnt yet
        seconds = time.monotonic() - self._began
        self._tensorboard.add_report(dataclasses.replace(state, step=len(self.epochs)))
        tested = _tested(state.layer, self._vectors)
        self.epochs.append(Epoch(state.training, state.validation, tested, seconds))
        self._began = time.monotonic()


def train(name: str, optimizer: str, images: TrainingImages, options: CompareOptions) -> Contender:
    """Return the network `name` trained from scratch, going on where a killed run was.

    Raises WorkFailed.
    """
    settings, recipe = options.comparison, _recipe(name, optimizer, options)
    training = trainer.Training(recipe, images, settings.output_dir / "networks")
    with SummaryWriter(_logs(options, recipe.title), first_step=len(training.epochs)) as tensorboard:

        def record(number: int, epoch: Epoch, network: Any) -> None:
            log_lines.epoch_done(recipe.title, number, settings.epochs, epoch)
            layer = _last_layer(network)
            tensorboard.add_report(Report(number, layer, epoch.training, epoch.validation))

        curve = training.run(record)
    features = _features(training.network, recipe)
    cache = BottleneckCache(settings.bottleneck_dir, features)
    return Contender(
        title=recipe.title,
        kind=FROM_SCRATCH,
        extractor=features,
        layer=_last_layer(training.network),
        bottlenecks=bottlenecks.compute(images.dataset, features, cache),
        curve=curve,
        seconds=curve.seconds,
        weights=training.path,
    )


def _recipe(name: str, optimizer: str, options: CompareOptions) -> Recipe:
    settings = options.comparison
    return Recipe(
        name=name,
        optimizer=optimizer,
        learning_rate=settings.learning_rate,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        image_size=architectures.image_size_of(name, settings.image_size),
        width=settings.width,
        seed=settings.seed,
        distortions=options.distortions,
    )


def _features(network: Any, recipe: Recipe) -> FeatureExtractor:
    """Return all of a network but its last layer."""
    last = network.get_layer(network.output_names[0])
    graph = layer_names.freeze_network(tf.keras.Model(network.input, last.input, name=network.name))
    digest = hashlib.sha256(graph.graph_def.SerializeToString(deterministic=True))
    digest.update(PREPROCESSING.encode())
    return FeatureExtractor(
        name=recipe.title,
        image_size=ImageSize(recipe.image_size, recipe.image_size),
        feature_size=int(last.input.shape[1]),
        fingerprint=digest.hexdigest(),
        graph=graph,
    )


def _last_layer(network: Any) -> SoftmaxLayer:
    last = network.get_layer(network.output_names[0])
    return SoftmaxLayer(weights=last.kernel.numpy(), biases=last.bias.numpy())


def _layer_options(options: CompareOptions) -> TrainingOptions:
    """Return options with which a module's new layer is reported on once an epoch."""
    settings = options.comparison
    steps = settings.how_many_training_steps
    return TrainingOptions(
        how_many_training_steps=steps,
        eval_step_interval=-(-steps // settings.epochs),
        validation_batch_size=ALL,
        seed=settings.seed,
    )


def _tested(layer: SoftmaxLayer, vectors: Bottlenecks) -> Metrics | None:
    testing = vectors.testing
    return softmax_layer.measure(layer, Batch(testing.vectors, testing.labels)) if len(testing) else None


def _title(handle: str, network: FeatureExtractor, models: Sequence[str]) -> str:
    """Return the handle if it is a plain name that can be a folder's, else the module's own name.

    Modules of the same name among `models` are told apart by their contents.
    """
    if re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9_.-]*", handle):
        return handle
    namesakes = [model for model in models if Path(model).name == Path(handle).name]
    return network.name if len(namesakes) == 1 else f"{network.name}-{network.fingerprint[:8]}"


def _logs(options: CompareOptions, title: str) -> Path:
    return options.comparison.output_dir / "logs" / title
