"""Fine-tuning of a trained model: the last blocks of its extractor are trained with its layer.

Whatever the kind of module, its frozen graph is cut in two before the first trained block. The weights after
the cut become variables; when they are trained they are put back in the form that they had in the graph, so
the result is an extractor like any other.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from pathlib import Path
from typing import Generic

import numpy as np

from retraining.data import augmentation
from retraining.data.split import Split
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.fine_tuning import (
    block_inputs,
    frozen_start,
    images,
    network_blocks,
    recipe,
    validation_images,
)
from retraining.fine_tuning.block_inputs import FirstBlocks, TrainingInputs
from retraining.fine_tuning.frozen_start import AnyModel
from retraining.fine_tuning.images import KeptImages
from retraining.fine_tuning.learner import Learner, TrainedWeights
from retraining.fine_tuning.trainer import OnEpoch, Trainer, rank
from retraining.graphs import blocks, graph_file, weights
from retraining.graphs.simplification import for_training
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.module import FLOAT32
from retraining.settings.training import TrainingSettings
from retraining.storage.array_file import SUFFIX
from retraining.storage.atomic_files import scratch_folder
from retraining.training.metrics import Metrics

# Part of the key of what is kept: raise it with any change that changes a result.
VERSION = 1

FOLDER = "fine_tuning"  # in the folder of the cache of feature vectors


@dataclasses.dataclass(frozen=True)
class FineTuned(Generic[AnyModel]):
    """What fine-tuning came to. `model` is the fine-tuned one, or the one it began with if that is better.

    The weights are `share` of the way from the frozen ones to those of the best epoch, number `best_epoch`,
    counted from 0, of `epochs` that were trained. `frozen`, `float32` and `tuned` are measured on the
    validation images: the model that it began with, the new weights, and the same in the form in which they
    are exported, which is rounded to bytes if `are_bytes`.
    """

    model: AnyModel
    is_used: bool
    frozen: Metrics
    float32: Metrics
    tuned: Metrics
    are_bytes: bool
    epochs: int
    best_epoch: int
    share: float


class Tuner(Generic[AnyModel]):
    """Fine-tunes a model."""

    def __init__(
        self,
        model: AnyModel,
        settings: FineTuningSettings,
        *,
        augmentation: AugmentationSettings,
        training: TrainingSettings,
        bottleneck_dir: Path,
    ) -> None:
        """Raise BadRequest and BadModule if the model cannot be fine-tuned."""
        validation_images.check(model.bottlenecks.dataset, settings)
        self._model = model
        self._settings = settings
        self._views = recipe.augmentation(augmentation)
        self._has_seen_views = augmentation.are_on() or self._views.are_fresh()
        self._training = training
        self._bottleneck_dir = bottleneck_dir
        self._folder = bottleneck_dir / FOLDER
        self._graph = for_training(model.extractor.graph)
        every = network_blocks.of(model.extractor)
        self.blocks = len(every)
        self._trained_blocks = every[-settings.block_count(len(every)) :]

    @property
    def extractor(self) -> FeatureExtractor:
        """The network whose last blocks are trained."""
        return self._model.extractor

    @property
    def trained_blocks(self) -> int:
        """How many blocks are trained."""
        return len(self._trained_blocks)

    @property
    def epochs(self) -> int:
        """How many epochs it trains at most."""
        return self._settings.fine_tune_epochs

    @property
    def images(self) -> int:
        """How many images it trains on."""
        return sum(image.split is Split.TRAINING for image in self._model.bottlenecks.dataset.images)

    def run(self, on_epoch: OnEpoch | None = None) -> FineTuned[AnyModel]:
        """Return the fine-tuned model, or the one that it began with if that is better. Raises WorkFailed.

        A run that was killed goes on after its last epoch, and one that is repeated takes the result of the
        one before.
        """
        trainer = self._trainer()
        best, initial = trainer.run(on_epoch), self._initial()
        mixtures = {share: initial.mixed_with(best, share) for share in recipe.SHARES}
        share = max(mixtures, key=lambda share: rank(trainer.measure(mixtures[share])))
        chosen = mixtures[share]
        rounded = TrainedWeights(weights.as_stored(self._graph, chosen.values), chosen.layer)
        tuned = trainer.measure(rounded)
        frozen = frozen_start.validated(self.start)
        is_used = rank(tuned) > rank(frozen) and tuned.accuracy >= frozen.accuracy
        return FineTuned(
            model=self._model_of(chosen) if is_used else self.start,
            is_used=is_used,
            frozen=frozen,
            float32=trainer.measure(chosen),
            tuned=tuned,
            are_bytes=weights.are_bytes(self._graph),
            epochs=len(trainer.epochs),
            best_epoch=trainer.best_epoch,
            share=share,
        )

    @functools.cached_property
    def start(self) -> AnyModel:
        """The frozen model to begin with and to beat."""
        if self._has_seen_views:
            return self._model
        views = Views(self._views, self._training.seed)
        return frozen_start.better(self._model, views, self._training, self._bottleneck_dir)

    def _trainer(self) -> Trainer:
        source, epochs = self._trained_blocks[0].source, self.epochs
        first = FirstBlocks(blocks.before(self._graph, source), self.extractor.image_size)
        training = TrainingInputs(
            first,
            self._decoded(Split.TRAINING),
            views=self._views,
            epochs=epochs,
            seed=self._training.seed,
            folder=self._folder,
        )
        learner = Learner(
            blocks.after(self._graph, source),
            self._initial(),
            shape=first.shape,
            learning_rate=self._settings.fine_tune_learning_rate,
            steps=training.steps * epochs,
            warm_up=training.steps * recipe.WARM_UP_EPOCHS,
        )
        held_out = block_inputs.of_images(first, self._decoded(Split.VALIDATION), self._folder)
        return Trainer(learner, training, held_out, epochs=epochs, path=self._path())

    def _initial(self) -> TrainedWeights:
        values = {name: value for block in self._trained_blocks for name, value in block.weights.items()}
        return TrainedWeights(values, self.start.layer)

    def _decoded(self, split: Split) -> KeptImages:
        size = self.extractor.image_size
        if split is Split.TRAINING:
            size = augmentation.least_size(size, self._views)
        return images.decode(self.start.bottlenecks, split, size, self._folder)

    def _path(self) -> Path:
        """Return the file of the progress, whose name says all that the result depends on."""
        settings = (VERSION, recipe.description(), self._settings, self._views, self._training.seed)
        digest = hashlib.sha256(repr(settings).encode())
        digest.update(self.extractor.fingerprint.encode())
        dataset = self.start.bottlenecks.dataset
        digest.update(repr(dataset.significant_bits).encode())
        for image, content in zip(dataset.images, self.start.bottlenecks.digests, strict=True):
            digest.update(f"{image.label} {image.split.value} ".encode() + content)
        for name, array in self._initial().named().items():
            digest.update(name.encode() + np.ascontiguousarray(array).tobytes())
        return self._folder / f"{self.extractor.name}-{digest.hexdigest()[:16]}{SUFFIX}"

    def _with(self, trained: TrainedWeights) -> FeatureExtractor:
        """Return the extractor with trained weights, which computes in float32 as they were trained."""
        graph = weights.with_weights(self._graph, trained.values)
        content = self.extractor.fingerprint.encode() + graph_file.encode(graph)
        return dataclasses.replace(
            self.extractor,
            graph=graph,
            precision=FLOAT32,
            conversion=None,
            fingerprint=hashlib.sha256(content).hexdigest(),
        )

    def _model_of(self, trained: TrainedWeights) -> AnyModel:
        extractor = self._with(trained)
        vectors = _bottlenecks(extractor, self.start.bottlenecks, self._folder)
        model = self.start.of_layer(trained.layer, vectors, extractor, self._training)
        return dataclasses.replace(model, is_fine_tuned=True)


def _bottlenecks(extractor: FeatureExtractor, before: Bottlenecks, folder: Path) -> Bottlenecks:
    """Return the vectors of the same images by another extractor, which no later run would look for."""
    with scratch_folder(folder / "vectors") as scratch:
        computed = bottlenecks.compute(before.dataset, extractor, BottleneckCache(scratch, extractor))
    return dataclasses.replace(computed, skipped=before.skipped + computed.skipped)
