"""The training of the new layer, by plain gradient descent on the cross entropy."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from retraining.arrays import Batch
from retraining.errors import WorkFailed
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.settings.training import TrainingSettings
from retraining.training.metrics import Metrics, measure
from retraining.training.sampler import Sampler
from retraining.training.softmax_layer import SoftmaxLayer, gradient_step, initial_layer, logit_distance

# In float32, logits that are further apart than this have lost every digit below a hundredth. A layer that
# learns never comes near; a learning rate that is far too high gets there in one step.
MAX_LOGIT_DISTANCE = 1e5


@dataclasses.dataclass(frozen=True)
class TrainingStep:
    """The state of training after a step; `validation` is None if no class has a validation image."""

    step: int
    layer: SoftmaxLayer
    training: Metrics
    validation: Metrics | None


class Store(Protocol):
    """Keeps the layer after some of the steps."""

    def is_due(self, step: int) -> bool:
        """Return whether the layer is to be kept after this step."""

    def __call__(self, step: int, layer: SoftmaxLayer) -> None:
        """Keep the layer."""


def train(
    bottlenecks: Bottlenecks,
    settings: TrainingSettings,
    *,
    batches: Iterable[Batch] | None = None,
    store: Store | None = None,
    on_report: Callable[[TrainingStep], None] | None = None,
) -> SoftmaxLayer:
    """Return the layer after `settings.how_many_training_steps` steps.

    `batches` has one batch for each step; by default they are drawn from the training set. `on_report` is
    called every `settings.eval_step_interval` steps and after the last one. Raises WorkFailed with the step
    at which the training diverges; a layer that has diverged is neither stored nor reported.
    """
    # One random stream for each purpose: more reports must not change the training.
    initial, training, held_out = np.random.default_rng(settings.seed).spawn(3)
    layer = initial_layer(bottlenecks.training.vectors.shape[1], len(bottlenecks.dataset.labels), initial)
    validation = Sampler(bottlenecks.validation, held_out)
    if batches is None:
        batches = Sampler(bottlenecks.training, training).batches(
            steps=settings.how_many_training_steps, count=settings.train_batch_size
        )
    # The matrices are too small to be shared by threads, which would spend more time waiting for one another.
    # errstate: _check_converges reports it.
    with threadpool_limits(1), np.errstate(over="ignore", invalid="ignore"):
        for step, batch in enumerate(batches):
            taken = gradient_step(layer, batch, settings.learning_rate)
            # The logits are from before this step, so the step before caused them.
            _check_converges(taken.logit_distance, max(step - 1, 0), settings)
            layer = taken.layer
            is_reported, is_stored = _is_reported(step, settings), store is not None and store.is_due(step)
            if is_reported or is_stored:
                _check_converges(logit_distance(layer.log_probabilities(batch.vectors)), step, settings)
            if store is not None and is_stored:
                store(step, layer)
            if on_report is not None and is_reported:
                validated = _validate(validation, layer, settings.validation_batch_size)
                on_report(TrainingStep(step, layer, measure(layer, batch), validated))
    return layer


def _is_reported(step: int, settings: TrainingSettings) -> bool:
    return step % settings.eval_step_interval == 0 or step == settings.how_many_training_steps - 1


def _validate(validation: Sampler, layer: SoftmaxLayer, count: int) -> Metrics | None:
    """Return the metrics on a draw of validation images, or None if the set is empty."""
    return measure(layer, validation.batch(count)) if len(validation.images) else None


def _check_converges(distance: float, step: int, settings: TrainingSettings) -> None:
    if not distance <= MAX_LOGIT_DISTANCE:  # written so that NaN also fails
        raise WorkFailed(
            "training diverged at step {step}: the logits are {distance:.3g} apart, far above the {limit:g} "
            "that a layer that learns never reaches. No graph was written. Lower {learning_rate}, received "
            "{rate:g}.",
            step=step,
            distance=distance,
            limit=MAX_LOGIT_DISTANCE,
            rate=settings.learning_rate,
        )
