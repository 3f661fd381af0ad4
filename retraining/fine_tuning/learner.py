"""The trained blocks of a network with the new layer, their optimizer, and the training step."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.errors import BadModule
from retraining.fine_tuning import recipe
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.weights import Values
from retraining.storage.array_file import Arrays
from retraining.training.softmax_layer import SoftmaxLayer

_WEIGHTS, _BIASES = "layer/weights", "layer/biases"


class TrainedWeights(NamedTuple):
    """The weights of the trained blocks by their tensors' names, and the new layer."""

    values: Values
    layer: SoftmaxLayer

    def named(self) -> Arrays:
        """Return all of them as arrays by name."""
        return dict(self.values) | {_WEIGHTS: self.layer.weights, _BIASES: self.layer.biases}

    @classmethod
    def of_named(cls, arrays: Arrays) -> TrainedWeights:
        """Return what `named` gave as arrays."""
        values = {name: array for name, array in arrays.items() if name not in (_WEIGHTS, _BIASES)}
        return cls(values, SoftmaxLayer(arrays[_WEIGHTS], arrays[_BIASES]))


@dataclasses.dataclass(frozen=True)
class StepResult:
    """The mean cross entropy in nats and the number of right predictions of a batch, before a step on it."""

    cross_entropy: float
    hits: int


class Learner:
    """Trains the last blocks of a network and the new layer.

    AdamW on the cross entropy with smoothed labels. The learning rate rises during the first epoch and then
    falls along half a cosine (Loshchilov and Hutter, ICLR 2017). A moving average of the weights is kept:
    that is what is measured and used.
    """

    def __init__(
        self,
        blocks: FrozenGraph,
        initial: TrainedWeights,
        *,
        shape: Sequence[int],
        learning_rate: float,
        steps: int,
        warm_up: int,
    ) -> None:
        """`blocks` is the graph of the trained blocks, whose inputs have `shape` for each image.

        `steps` is the number of training steps in all, `warm_up` that of those with a rising rate.
        """
        self._blocks = blocks
        arrays = initial.named()
        self._variables = {name: tf.Variable(array) for name, array in arrays.items()}
        self._averages = {name: tf.Variable(array) for name, array in arrays.items()}
        self._optimizer = _optimizer(list(self._variables.values()), learning_rate, steps, warm_up)
        inputs, labels = tf.TensorSpec([None, *shape], tf.float32), tf.TensorSpec([None], tf.int64)
        self._run_step = tf.function(self._training_step, [inputs, labels], autograph=False)
        self._run_averaged = tf.function(self._averaged_log_probabilities, [inputs], autograph=False)

    def step(self, inputs: NDArray[np.float32], labels: Labels) -> StepResult:
        """Take a training step on the block inputs float32 [n, ...] and labels int64 [n] of a batch.

        Raises BadModule if the blocks cannot be trained.
        """
        cross_entropy, hits = self._run_step(tf.constant(inputs), tf.constant(labels))
        return StepResult(float(cross_entropy), int(hits))

    def log_probabilities(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return float32 [n, classes] of block inputs, with the averaged weights."""
        computed: NDArray[np.float32] = self._run_averaged(tf.constant(inputs)).numpy()
        return computed

    def averaged(self) -> TrainedWeights:
        """Return the moving average of the weights."""
        return TrainedWeights.of_named({name: each.numpy() for name, each in self._averages.items()})

    def state(self) -> Arrays:
        """Return what is needed to continue the training."""
        return {name: variable.numpy() for name, variable in self._state_variables().items()}

    def load_state(self, arrays: Arrays) -> None:
        """Restore what `state` returned; other arrays are ignored."""
        for name, variable in self._state_variables().items():
            variable.assign(arrays[name])

    def _training_step(self, inputs: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = {name: tf.convert_to_tensor(variable) for name, variable in self._variables.items()}
        logits = self._logits(inputs, values)
        exact = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels, logits))
        loss = tf.reduce_mean(tf.nn.softmax_cross_entropy_with_logits(_smoothed(labels, logits), logits))
        gradients = self._gradients(loss, values)
        trained = [self._variables[name] for name in gradients]
        self._optimizer.apply(list(gradients.values()), trained)
        self._average()
        hits = tf.equal(tf.argmax(logits, axis=1), labels)
        return exact, tf.reduce_sum(tf.cast(hits, tf.int32))

    def _average(self) -> None:
        """Move the averages to the weights; faster at first, as tf.train.ExponentialMovingAverage does."""
        steps = tf.cast(self._optimizer.iterations, tf.float32)
        decay = tf.minimum(recipe.AVERAGE_DECAY, (1 + steps) / (10 + steps))
        for name, average in self._averages.items():
            average.assign_sub((1 - decay) * (average - self._variables[name]))

    def _gradients(self, loss: tf.Tensor, values: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Return the gradients of the weights that the loss depends on. Raises BadModule."""
        try:
            # GradientTape does not see what import_graph_def puts into a graph.
            gradients = tf.gradients(loss, list(values.values()))
        except LookupError as error:
            raise BadModule(
                "this module cannot be trained: {reason}. Leave out {fine_tune}.",
                reason=str(error).splitlines()[0],
            ) from error
        found = zip(values, gradients, strict=True)
        return {name: gradient for name, gradient in found if gradient is not None}

    def _averaged_log_probabilities(self, inputs: tf.Tensor) -> tf.Tensor:
        values = {name: tf.convert_to_tensor(average) for name, average in self._averages.items()}
        return tf.nn.log_softmax(self._logits(inputs, values))

    def _logits(self, inputs: tf.Tensor, values: dict[str, tf.Tensor]) -> tf.Tensor:
        replaced = {name: value for name, value in values.items() if name not in (_WEIGHTS, _BIASES)}
        (vectors,) = tf.graph_util.import_graph_def(
            self._blocks.graph_def,
            input_map={self._blocks.input_name: inputs, **replaced},
            return_elements=[self._blocks.output_name],
        )
        return tf.matmul(vectors, values[_WEIGHTS]) + values[_BIASES]

    def _state_variables(self) -> dict[str, Any]:
        groups = {
            "weight": self._variables.values(),
            "average": self._averages.values(),
            "optimizer": self._optimizer.variables,
        }
        return {
            f"{group}/{number}": each for group, all_ in groups.items() for number, each in enumerate(all_)
        }


def _optimizer(variables: list[Any], learning_rate: float, steps: int, warm_up: int) -> Any:
    schedule = tf.keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - warm_up, 1), warmup_target=learning_rate, warmup_steps=warm_up
    )
    optimizer = tf.keras.optimizers.AdamW(schedule, weight_decay=recipe.WEIGHT_DECAY)
    optimizer.exclude_from_weight_decay(var_list=[each for each in variables if _is_vector(each)])
    optimizer.build(variables)
    return optimizer


def _is_vector(variable: Any) -> bool:
    """Return whether a variable is a bias or a scale, one number for each feature, which does not decay."""
    sizes: list[int] = variable.shape.as_list()
    return sum(size > 1 for size in sizes) <= 1


def _smoothed(labels: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
    """Return the probabilities to learn: almost 1 for the label, and a little for every class."""
    classes = logits.shape[1]
    smoothing = recipe.LABEL_SMOOTHING
    return tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes
