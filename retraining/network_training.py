"""The training of a network from scratch: epoch by epoch, resumed after a kill from the last one."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import logging
import operator
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retraining import console, network_file, networks, training_images
from retraining.classifier import Labels, Metrics
from retraining.dataset import Split
from retraining.errors import BadRequest
from retraining.images import ImageSize, Pixels
from retraining.learning_curve import Epoch, LearningCurve
from retraining.network_file import Arrays, Description, StoredNetwork
from retraining.options import LEARNING_RATES, DistortionOptions
from retraining.quiet_tensorflow import tf
from retraining.training_images import ImageBatch, TrainingImages

AUXILIARY_SHARE = 0.3  # of an auxiliary head's loss: GoogLeNet's paper, section 5
MOMENTUM = 0.9  # of sgd: likewise

OPTIMIZERS = {
    "adagrad": tf.keras.optimizers.Adagrad,
    "adam": tf.keras.optimizers.Adam,
    "rmsprop": tf.keras.optimizers.RMSprop,
    "sgd": functools.partial(tf.keras.optimizers.SGD, momentum=MOMENTUM),
}

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
    distortions: DistortionOptions = DistortionOptions()

    @property
    def title(self) -> str:
        """What the training is called: the network, and the optimizer."""
        return f"{self.name}-{self.optimizer}"

    def key(self, images: TrainingImages) -> str:
        """Return what tells the training's file from those of other recipes and photographs."""
        text = f"{self} {LEARNING_RATES} {images.fingerprint}"
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class Training:
    """A network on its way through its epochs; after each, the whole state is in the file `path`.

    A run that was killed goes on from the file, and comes to what an undisturbed one does, as far as
    the processor's kernels add in the same order. The learning rate falls along half a cosine
    (Loshchilov and Hutter, ICLR 2017), so that the last epochs settle.
    """

    def __init__(self, recipe: Recipe, images: TrainingImages, folder: Path) -> None:
        """Build the network, or take it up as an earlier run has left it in `folder`."""
        self.path = folder / f"{recipe.title}-{recipe.key(images)}{network_file.SUFFIX}"
        self.epochs: list[Epoch] = []
        self._recipe = recipe
        self._labels = images.dataset.labels
        self._sets = {split: images.of(split) for split in Split}
        self._size = ImageSize(recipe.image_size, recipe.image_size)
        self._steps = training_images.batches_of(len(self._sets[Split.TRAINING]), recipe.batch_size)
        self.network = networks.build(
            recipe.name,
            classes=len(self._labels),
            image_size=recipe.image_size,
            width=recipe.width,
            seed=recipe.seed,
        )
        self._optimizer = _optimizer(recipe, steps=self._steps * recipe.epochs)
        self._optimizer.build(self.network.trainable_variables)
        pixels = tf.TensorSpec([None, recipe.image_size, recipe.image_size, 3], tf.float32)
        labels = tf.TensorSpec([None], tf.int64)
        self._step = tf.function(self._descend, input_signature=[pixels, labels])
        self._predict = tf.function(self._probabilities, input_signature=[pixels])
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
        return console.progress(numbered, total=total, task=recipe.title, unit="step")

    def _shuffled(self, number: int) -> Iterator[ImageBatch]:
        return training_images.shuffled(
            self._sets[Split.TRAINING],
            self._size,
            self._recipe.batch_size,
            views=self._recipe.distortions,
            seed=(self._recipe.seed, number),
        )

    def _epoch(self, batches: Iterator[ImageBatch]) -> Epoch:
        """Train on the batches of one epoch, and measure."""
        losses, hits, sizes, started = [], [], [], time.monotonic()
        for batch in batches:
            loss, right = self._step(batch.pixels, batch.labels)
            losses.append(float(loss) * len(batch.labels))
            hits.append(int(right))
            sizes.append(len(batch.labels))
        seconds = time.monotonic() - started
        count = sum(sizes)
        training = Metrics(sum(hits) / count, sum(losses) / count, count)
        return Epoch(training, self._measure(Split.VALIDATION), self._measure(Split.TESTING), seconds)

    def _measure(self, split: Split) -> Metrics | None:
        items = self._sets[split]
        if not items:
            return None
        batches = training_images.in_order(items, self._size, self._recipe.batch_size)
        probabilities = np.concatenate([self._predict(batch.pixels).numpy() for batch in batches])
        labels = np.array([item.label for item in items])
        accuracy = float((probabilities.argmax(axis=1) == labels).mean())
        smallest = np.finfo(np.float32).tiny  # a probability that came to 0 has a logarithm too
        losses = -np.log(np.maximum(probabilities[np.arange(len(labels)), labels], smallest))
        return Metrics(accuracy, float(losses.mean()), len(labels))

    def _descend(self, pixels: Pixels, labels: Labels) -> tuple[tf.Tensor, tf.Tensor]:
        """Take one step; return the loss of the network's own output and how many images were right."""
        cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy()
        with tf.GradientTape() as tape:
            own, *auxiliary = _outputs(self.network(pixels, training=True))
            loss = cross_entropy(labels, own)
            total = loss + AUXILIARY_SHARE * sum(cross_entropy(labels, head) for head in auxiliary)
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(total, variables), variables)
        right = tf.equal(tf.argmax(own, axis=1), labels)
        return loss, tf.reduce_sum(tf.cast(right, tf.int32))

    def _probabilities(self, pixels: Pixels) -> tf.Tensor:
        return _outputs(self.network(pixels, training=False))[0]

    def _save(self) -> None:
        """Write weights, curve and, unless it is over, all else that the training goes on from."""
        recipe = self._recipe
        is_over = len(self.epochs) == recipe.epochs
        state = {} if is_over else self._further_state()
        network_file.write(
            self.network,
            self.path,
            Description(recipe.name, self._labels, recipe.image_size, recipe.width),
            arrays={name: variable.numpy() for name, variable in state.items()},
            further={"epochs": [dataclasses.asdict(epoch) for epoch in self.epochs]},
        )

    def _resume(self) -> None:
        stored = _stored(self.path, self._recipe)
        if stored is None:
            return
        network_file.fill(self.network, stored)
        self.epochs = [_epoch(values) for values in stored.further["epochs"]]
        if len(self.epochs) < self._recipe.epochs:
            self._take_up(stored.weights)
        done, all_epochs = len(self.epochs), self._recipe.epochs
        log.info("%s: %d of %d epochs were done before.", self._recipe.title, done, all_epochs)

    def _take_up(self, arrays: Arrays) -> None:
        for name, variable in self._further_state().items():
            variable.assign(arrays[name])

    def _further_state(self) -> dict[str, Any]:
        """Return the variables beside the weights: the optimizer's, and the dropouts' generators."""
        weights = {id(weight) for weight in self.network.weights}
        generators = [variable for variable in self.network.variables if id(variable) not in weights]
        # By number: their paths are numbered through everything that a process builds.
        named = {f"optimizer/{number}": each for number, each in enumerate(self._optimizer.variables)}
        return named | {f"generator/{number}": each for number, each in enumerate(generators)}


def _optimizer(recipe: Recipe, *, steps: int) -> Any:
    rate = recipe.learning_rate or LEARNING_RATES[recipe.optimizer]
    return OPTIMIZERS[recipe.optimizer](tf.keras.optimizers.schedules.CosineDecay(rate, steps))


def _outputs(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]


def _stored(path: Path, recipe: Recipe) -> StoredNetwork | None:
    if not path.exists():
        return None
    try:
        return network_file.read(path, name=recipe.name)
    except BadRequest as error:
        log.warning("%s The training begins anew.", error)
        return None


def _epoch(values: dict[str, Any]) -> Epoch:
    def metrics(of: str) -> Metrics | None:
        return None if values[of] is None else Metrics(**values[of])

    training = Metrics(**values["training"])
    return Epoch(training, metrics("validation"), metrics("testing"), values["seconds"])
