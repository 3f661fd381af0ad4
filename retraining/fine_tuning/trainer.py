"""Fine-tuning, epoch by epoch; a run that was killed resumes after its last epoch."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from retraining.errors import WorkFailed
from retraining.fine_tuning import progress_file, recipe
from retraining.fine_tuning.block_inputs import InputBatch, TrainingInputs
from retraining.fine_tuning.learner import Learner, TrainedWeights
from retraining.fine_tuning.progress_file import Saved
from retraining.progress import progress
from retraining.runtimes.batches import BATCH_SIZE
from retraining.storage.array_file import Arrays
from retraining.training import metrics
from retraining.training.learning_curve import Epoch
from retraining.training.metrics import Metrics

OnEpoch = Callable[[int, Epoch, TrainedWeights], None]
"""Called after each epoch with its number, counted from 0, its metrics, and the averaged weights."""

_BEST = "best/"

log = logging.getLogger(__name__)


class Trainer:
    """The training of the last blocks. After each epoch all that is needed to continue is in the file `path`.

    When the training is done, only the weights of its best epoch stay in the file.
    """

    def __init__(
        self, learner: Learner, training: TrainingInputs, validation: InputBatch, *, epochs: int, path: Path
    ) -> None:
        """Restore what an earlier run saved at `path`, if it did."""
        self.epochs: list[Epoch] = []
        self._learner = learner
        self._training = training
        self._validation = validation
        self._most = epochs
        self._path = path
        self._best: Arrays = {}
        self._resume()

    @property
    def is_finished(self) -> bool:
        """Whether no more epochs are to be trained."""
        since_best = len(self.epochs) - 1 - self.best_epoch if self.epochs else 0
        return len(self.epochs) >= self._most or since_best >= recipe.PATIENCE

    @property
    def best_epoch(self) -> int:
        """The number of the epoch with the best result on the validation images, the first of equal ones."""
        ranks = [rank(epoch.validation) for epoch in self.epochs if epoch.validation is not None]
        return ranks.index(max(ranks))

    def run(self, on_epoch: OnEpoch | None = None) -> TrainedWeights:
        """Train for the remaining epochs, and return the weights of the best one. Raises WorkFailed."""
        tally = _Tally()
        for batch, is_last in self._batches():
            taken = self._learner.step(batch.inputs, batch.labels)
            tally.add(taken.cross_entropy, taken.hits, len(batch.labels))
            if is_last:
                self._end_epoch(tally, on_epoch)
                tally = _Tally()
        return TrainedWeights.of_named(
            {name.removeprefix(_BEST): array for name, array in self._best.items()}
        )

    def measure(self, trained: TrainedWeights) -> Metrics:
        """Return the metrics of any weights on the validation images."""
        self._learner.use(trained)
        return self._validate()

    def _batches(self) -> Iterator[_EpochBatch]:
        """Yield the batches of the remaining epochs, under a progress bar."""
        total = 0 if self.is_finished else (self._most - len(self.epochs)) * self._training.steps
        return progress(self._remaining(), total=total, task="Fine-tuning", unit="step")

    def _remaining(self) -> Iterator[_EpochBatch]:
        while not self.is_finished:
            for place, batch in enumerate(self._training.batches(len(self.epochs)), start=1):
                yield _EpochBatch(batch, is_last=place == self._training.steps)

    def _end_epoch(self, tally: _Tally, on_epoch: OnEpoch | None) -> None:
        """Measure the averaged weights, keep them if they are the best, and save everything."""
        number = len(self.epochs)
        epoch = Epoch(tally.metrics(), self._validate(), None, tally.seconds())
        _check_is_finite(epoch, number)
        self.epochs.append(epoch)
        averaged = self._learner.averaged()
        if self.best_epoch == number:
            self._best = {f"{_BEST}{name}": array for name, array in averaged.named().items()}
        arrays = self._best if self.is_finished else {**self._best, **self._learner.state()}
        progress_file.write(self._path, Saved(tuple(self.epochs), arrays))
        if on_epoch is not None:
            on_epoch(number, self.epochs[-1], averaged)

    def _validate(self) -> Metrics:
        inputs, labels = self._validation
        computed = [
            self._learner.log_probabilities(inputs[start : start + BATCH_SIZE])
            for start in range(0, len(labels), BATCH_SIZE)
        ]
        return metrics.of_log_probabilities(np.concatenate(computed), labels)

    def _resume(self) -> None:
        saved = progress_file.read(self._path)
        if saved is None:
            return
        self.epochs = list(saved.epochs)
        self._best = {name: array for name, array in saved.arrays.items() if name.startswith(_BEST)}
        if not self.is_finished:
            self._learner.load_state(saved.arrays)
        log.info("Fine-tuning: %d of %d epochs were already done.", len(self.epochs), self._most)


def rank(measured: Metrics) -> float:
    """Return what is larger for better metrics: by cross entropy.

    The accuracy of a few dozen images is mostly chance, and the best of many epochs the luckiest one.
    """
    return -measured.cross_entropy


class _EpochBatch(NamedTuple):
    """A batch, and whether it is the last one of its epoch."""

    batch: InputBatch
    is_last: bool


class _Tally:
    """The metrics of an epoch while it is trained, and its time."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._cross_entropy, self._hits, self._count = 0.0, 0, 0

    def add(self, cross_entropy: float, hits: int, count: int) -> None:
        """Add a batch with its mean cross entropy."""
        self._cross_entropy += cross_entropy * count
        self._hits += hits
        self._count += count

    def metrics(self) -> Metrics:
        """Return the metrics of all batches."""
        return Metrics(self._hits / self._count, self._cross_entropy / self._count, self._count)

    def seconds(self) -> float:
        """Return the time since the epoch began."""
        return time.monotonic() - self._started


def _check_is_finite(epoch: Epoch, number: int) -> None:
    sets = (measured for measured in (epoch.training, epoch.validation) if measured is not None)
    if not all(math.isfinite(measured.cross_entropy) for measured in sets):
        raise WorkFailed(
            "fine-tuning diverged in epoch {epoch}: its numbers are no longer finite. No graph was written. "
            "Lower {fine_tune_learning_rate}.",
            epoch=number + 1,
        )
