"""The training of a network from scratch: epoch by epoch, resumed after a kill from the last one."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
import operator
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retraining.arrays import ImageSize
from retraining.data.split import Split
from retraining.errors import BadRequest
from retraining.networks import checkpoint, construction, image_batches
from retraining.networks.checkpoint import Description, StoredNetwork
from retraining.networks.image_batches import ImageBatch, UsableImages
from retraining.networks.learner import Learner
from retraining.progress import progress
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import LEARNING_RATES
from retraining.training.learning_curve import Epoch, LearningCurve
from retraining.training.metrics import Metrics

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """All that a training depends on beside the photographs. `learning_rate` None is the optimizer's own."""

    name: str
    optimizer: str
    learning_rate: float | None
    epochs: int
    batch_size: int
    image_size: int
    width: float
    seed: int
    augmentation: AugmentationSettings = AugmentationSettings()

    @property
    def title(self) -> str:
        """What the training is called: the network, and the optimizer."""
        return f"{self.name}-{self.optimizer}"

    def key(self, images: UsableImages) -> str:
        """Return what tells the training's file from those of other recipes and images.

        The names in it are those that the fields had when the first files were written: they must not change.
        """
        views = self.augmentation
        distortions = (
            f"DistortionOptions(flip_left_right={views.flip_left_right!r}, "
            f"random_crop={views.random_crop!r}, random_scale={views.random_scale!r}, "
            f"random_brightness={views.random_brightness!r}, distorted_views={views.distorted_views!r})"
        )
        recipe = (
            f"Recipe(name={self.name!r}, optimizer={self.optimizer!r}, learning_rate={self.learning_rate!r}, "
            f"epochs={self.epochs!r}, batch_size={self.batch_size!r}, image_size={self.image_size!r}, "
            f"width={self.width!r}, seed={self.seed!r}, distortions={distortions})"
        )
        text = f"{recipe} {LEARNING_RATES} {images.fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Training:
    """A network on its way through its epochs; after each, the whole state is in the file `path`.

    A run that was killed goes on from the file, and comes to what an undisturbed one does, as far as
    the processor's kernels add in the same order.
    """

    def __init__(self, recipe: Recipe, images: UsableImages, folder: Path) -> None:
        """Build the network, or take it up as an earlier run has left it in `folder`."""
        self.path = folder / f"{recipe.title}-{recipe.key(images)}{checkpoint.SUFFIX}"
        self.epochs: list[Epoch] = []
        self._recipe = recipe
        self._labels = images.dataset.labels
        self._sets = {split: images.of(split) for split in Split}
        self._steps = image_batches.batches_of(len(self._sets[Split.TRAINING]), recipe.batch_size)
        self.network = construction.build(
            recipe.name,
            classes=len(self._labels),
            image_size=recipe.image_size,
            width=recipe.width,
            seed=recipe.seed,
        )
        self._learner = Learner(
            self.network,
            optimizer=recipe.optimizer,
            learning_rate=recipe.learning_rate,
            steps=self._steps * recipe.epochs,
        )
        self._resume()

    def run(self, on_epoch: Callable[[int, Epoch, Any], None] | None = None) -> LearningCurve:
        """Do the epochs that are left, and return the curve of all.

        `on_epoch` gets the number of each epoch, from 0, as it is done, its metrics and the live
        network. Raises WorkFailed.
        """
        for number, batches in itertools.groupby(self._batches(), key=operator.itemgetter(0)):
            self.epochs.append(self._epoch(batch for _, batch in batches))
            self._save()
            if on_epoch is not None:
                on_epoch(number, self.epochs[-1], self.network)
        return LearningCurve(tuple(self.epochs))

    def _batches(self) -> Iterator[tuple[int, ImageBatch]]:
        """Yield the batches of every epoch that is left, with the epoch's number, under a bar."""
        recipe = self._recipe
        wanted = range(len(self.epochs), recipe.epochs)
        numbered = ((number, batch) for number in wanted for batch in self._shuffled(number))
        total = len(wanted) * self._steps
        return progress(numbered, total=total, task=recipe.title, unit="step")

    def _shuffled(self, number: int) -> Iterator[ImageBatch]:
        recipe = self._recipe
        return image_batches.shuffled(
            self._sets[Split.TRAINING],
            ImageSize(recipe.image_size, recipe.image_size),
            recipe.batch_size,
            views=recipe.augmentation,
            seed=(recipe.seed, number),
        )

    def _epoch(self, batches: Iterator[ImageBatch]) -> Epoch:
        """Train on the batches of one epoch, and measure."""
        loss, hits, count, started = 0.0, 0, 0, time.monotonic()
        for batch in batches:
            batch_loss, batch_hits = self._learner.step(batch.pixels, batch.labels)
            loss += batch_loss * len(batch.labels)
            hits += batch_hits
            count += len(batch.labels)
        seconds = time.monotonic() - started
        training = Metrics(hits / count, loss / count, count)
        return Epoch(training, self._measure(Split.VALIDATION), self._measure(Split.TESTING), seconds)

    def _measure(self, split: Split) -> Metrics | None:
        items, recipe = self._sets[split], self._recipe
        if not items:
            return None
        size = ImageSize(recipe.image_size, recipe.image_size)
        batches = image_batches.in_order(items, size, recipe.batch_size)
        probabilities = np.concatenate([self._learner.predict(batch.pixels) for batch in batches])
        labels = np.array([item.label for item in items])
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        smallest = np.finfo(np.float32).tiny  # a probability that came to 0 has a logarithm too
        losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], smallest))
        return Metrics(accuracy, float(losses.mean()), len(labels))

    def _save(self) -> None:
        """Write weights, curve and, unless it is over, all else that the training goes on from."""
        recipe = self._recipe
        is_over = len(self.epochs) == recipe.epochs
        checkpoint.write(
            self.network,
            self.path,
            Description(recipe.name, self._labels, recipe.image_size, recipe.width),
            arrays={} if is_over else self._learner.state(),
            further={"epochs": [dataclasses.asdict(epoch) for epoch in self.epochs]},
        )

    def _resume(self) -> None:
        stored = _stored(self.path, self._recipe)
        if stored is None:
            return
        checkpoint.fill(self.network, stored)
        self.epochs = [_epoch(values) for values in stored.further["epochs"]]
        if len(self.epochs) < self._recipe.epochs:
            self._learner.load_state(stored.weights)
        done, wanted = len(self.epochs), self._recipe.epochs
        log.info("%s: %d of %d epochs were done before.", self._recipe.title, done, wanted)


def _stored(path: Path, recipe: Recipe) -> StoredNetwork | None:
    if not path.exists():
        return None
    try:
        return checkpoint.read(path, name=recipe.name)
    except BadRequest as error:
        log.warning("%s The training begins anew.", error)
        return None


def _epoch(values: dict[str, Any]) -> Epoch:
    def metrics(of: str) -> Metrics | None:
        return None if values[of] is None else Metrics(**values[of])

    training = Metrics(**values["training"])
    return Epoch(training, metrics("validation"), metrics("testing"), values["seconds"])
