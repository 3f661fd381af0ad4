"""Training a network from scratch, epoch by epoch; a run that was killed resumes after its last epoch."""

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
from retraining.storage.array_file import SUFFIX
from retraining.training.learning_curve import Epoch, LearningCurve
from retraining.training.metrics import Metrics

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What a training run depends on, apart from the images.

    `learning_rate` None stands for the optimizer's in LEARNING_RATES, `image_size` is in pixels, `width` the
    share of the network's filters that are kept, in (0, 1].
    """

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
        """The name of the training run: the network and its optimizer."""
        return f"{self.name}-{self.optimizer}"

    def key(self, images: UsableImages) -> str:
        """Return 12 hex digits for the name of the run's file, different for every recipe and set of images.

        The hashed text uses the names that the fields had when the first files were written. If it changed,
        files of earlier runs would no longer be found.
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
    """The training of one network. After each epoch its whole state is saved in the file `path`.

    A run that was killed continues from the file and gives the same result as one that was not, apart from
    rounding, since the processor does not always add numbers in the same order.
    """

    def __init__(self, recipe: Recipe, images: UsableImages, folder: Path) -> None:
        """Build the network, and restore it if an earlier run saved it in `folder`."""
        self.path = folder / f"{recipe.title}-{recipe.key(images)}{SUFFIX}"
        self.epochs: list[Epoch] = []
        self._recipe = recipe
        self._labels = images.dataset.labels
        self._significant_bits = images.dataset.significant_bits
        self._sets = {split: images.images_in(split) for split in Split}
        self._steps = image_batches.batch_count(len(self._sets[Split.TRAINING]), recipe.batch_size)
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
        """Train for the remaining epochs, and return the learning curve of all of them.

        `on_epoch` is called after each epoch with its number, counted from 0, its metrics and the network,
        which later epochs go on changing. Raises WorkFailed.
        """
        for number, batches in itertools.groupby(self._batches(), key=operator.itemgetter(0)):
            self.epochs.append(self._train_epoch(batch for _, batch in batches))
            self._save()
            if on_epoch is not None:
                on_epoch(number, self.epochs[-1], self.network)
        return LearningCurve(tuple(self.epochs))

    def _batches(self) -> Iterator[tuple[int, ImageBatch]]:
        """Yield the number of each remaining epoch with each of its batches, under a progress bar."""
        recipe = self._recipe
        remaining = range(len(self.epochs), recipe.epochs)
        numbered = ((number, batch) for number in remaining for batch in self._shuffled_batches(number))
        total = len(remaining) * self._steps
        return progress(numbered, total=total, task=recipe.title, unit="step")

    def _shuffled_batches(self, epoch_number: int) -> Iterator[ImageBatch]:
        recipe = self._recipe
        return image_batches.shuffled_batches(
            self._sets[Split.TRAINING],
            ImageSize(recipe.image_size, recipe.image_size),
            recipe.batch_size,
            augmentation=recipe.augmentation,
            seed=(recipe.seed, epoch_number),
            significant_bits=self._significant_bits,
        )

    def _train_epoch(self, batches: Iterator[ImageBatch]) -> Epoch:
        """Train on the batches of one epoch, then measure the network on the held-out images."""
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
        """Return the network's metrics on one of the sets, or None if the set is empty."""
        items, recipe = self._sets[split], self._recipe
        if not items:
            return None
        size = ImageSize(recipe.image_size, recipe.image_size)
        batches = image_batches.batches_in_order(
            items, size, recipe.batch_size, significant_bits=self._significant_bits
        )
        probabilities = np.concatenate([self._learner.predict(batch.pixels) for batch in batches])
        labels = np.array([item.label for item in items])
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        smallest = np.finfo(np.float32).tiny  # in place of 0, which has no logarithm
        losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], smallest))
        return Metrics(accuracy, float(losses.mean()), len(labels))

    def _save(self) -> None:
        """Write the weights and metrics and, until the last epoch, what is needed to continue."""
        recipe = self._recipe
        is_finished = len(self.epochs) == recipe.epochs
        checkpoint.write(
            self.network,
            self.path,
            Description(recipe.name, self._labels, recipe.image_size, recipe.width),
            arrays={} if is_finished else self._learner.state(),
            metadata={"epochs": [dataclasses.asdict(epoch) for epoch in self.epochs]},
        )

    def _resume(self) -> None:
        """Restore what an earlier run saved, if it did."""
        stored = _read_stored(self.path, self._recipe)
        if stored is None:
            return
        checkpoint.load_weights(self.network, stored)
        self.epochs = [_epoch_of(values) for values in stored.metadata["epochs"]]
        if len(self.epochs) < self._recipe.epochs:
            self._learner.load_state(stored.arrays)
        log.info(
            "%s: %d of %d epochs were already done.",
            self._recipe.title,
            len(self.epochs),
            self._recipe.epochs,
        )


def _read_stored(path: Path, recipe: Recipe) -> StoredNetwork | None:
    """Return what an earlier run saved at `path`, or None, with a warning if the file is damaged."""
    if not path.exists():
        return None
    try:
        return checkpoint.read(path, name=recipe.name)
    except BadRequest as error:
        log.warning("%s Training starts again from the first epoch.", error)
        return None


def _epoch_of(values: dict[str, Any]) -> Epoch:
    """Return the epoch that `dataclasses.asdict` turned into JSON values."""

    def metrics(split: str) -> Metrics | None:
        return None if values[split] is None else Metrics(**values[split])

    training = Metrics(**values["training"])
    return Epoch(training, metrics("validation"), metrics("testing"), values["seconds"])
