"""A network, its optimizer, and its training step."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels, Pixels
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.compare import LEARNING_RATES
from retraining.storage.array_file import Arrays

# Both from section 5 of GoogLeNet's paper.
AUXILIARY_WEIGHT = 0.3  # of an auxiliary head's loss in the total loss
SGD_MOMENTUM = 0.9

OPTIMIZERS = {
    "adagrad": tf.keras.optimizers.Adagrad,
    "adam": tf.keras.optimizers.Adam,
    "rmsprop": tf.keras.optimizers.RMSprop,
    "sgd": functools.partial(tf.keras.optimizers.SGD, momentum=SGD_MOMENTUM),
}


class Learner:
    """Trains a keras.Model that `construction.build` made, on the cross entropy of its outputs.

    The learning rate starts at `learning_rate`, by default the optimizer's in LEARNING_RATES, and falls to 0
    over `steps` along half a cosine (Loshchilov and Hutter, ICLR 2017).
    """

    def __init__(self, network: Any, *, optimizer: str, learning_rate: float | None, steps: int) -> None:
        self.network = network
        rate = learning_rate or LEARNING_RATES[optimizer]
        self._optimizer = OPTIMIZERS[optimizer](tf.keras.optimizers.schedules.CosineDecay(rate, steps))
        self._optimizer.build(network.trainable_variables)
        _, *shape = network.inputs[0].shape
        pixels, labels = tf.TensorSpec([None, *shape], tf.float32), tf.TensorSpec([None], tf.int64)
        self._step = tf.function(self._gradient_step, input_signature=[pixels, labels])
        self._predict = tf.function(self._probabilities, input_signature=[pixels])

    def step(self, pixels: Pixels, labels: Labels) -> tuple[float, int]:
        """Take a training step on float32 [n, height, width, 3] in [0, 1] with int64 [n] labels.

        Return the mean cross entropy in nats and the number of correctly classified images, both before the
        step and without the auxiliary heads.
        """
        loss, hits = self._step(pixels, labels)
        return float(loss), int(hits)

    def predict(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return class probabilities float32 [n, classes] for float32 [n, height, width, 3] in [0, 1]."""
        probabilities: NDArray[np.float32] = self._predict(pixels).numpy()
        return probabilities

    def state(self) -> Arrays:
        """Return what is needed to continue the training, apart from the network's weights."""
        return {name: variable.numpy() for name, variable in self._variables().items()}

    def load_state(self, arrays: Arrays) -> None:
        """Restore what `state` returned; other arrays are ignored."""
        for name, variable in self._variables().items():
            variable.assign(arrays[name])

    def _gradient_step(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy()
        with tf.GradientTape() as tape:
            own, *auxiliary = _outputs(self.network(pixels, training=True))
            loss = cross_entropy(labels, own)
            total = loss + AUXILIARY_WEIGHT * sum(cross_entropy(labels, head) for head in auxiliary)
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(total, variables), variables)
        hits = tf.equal(tf.argmax(own, axis=1), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.int32))

    def _probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        return _outputs(self.network(pixels, training=False))[0]

    def _variables(self) -> dict[str, Any]:
        """Return the variables of the optimizer and of the dropouts' random generators."""
        weights = {id(weight) for weight in self.network.weights}
        generators = [variable for variable in self.network.variables if id(variable) not in weights]
        # By number, since their paths depend on what else the process has built.
        named = {f"optimizer/{number}": each for number, each in enumerate(self._optimizer.variables)}
        return named | {f"generator/{number}": each for number, each in enumerate(generators)}


def _outputs(result: Any) -> list[Any]:
    return result if isinstance(result, list) else [result]
