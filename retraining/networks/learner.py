"""A network, its optimizer, and the step that trains it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels, Pixels
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks.checkpoint import Arrays
from retraining.settings.compare import LEARNING_RATES

AUXILIARY_SHARE = 0.3  # of an auxiliary head's loss: GoogLeNet's paper, section 5
MOMENTUM = 0.9  # of sgd: likewise

OPTIMIZERS = {
    "adagrad": tf.keras.optimizers.Adagrad,
    "adam": tf.keras.optimizers.Adam,
    "rmsprop": tf.keras.optimizers.RMSprop,
    "sgd": functools.partial(tf.keras.optimizers.SGD, momentum=MOMENTUM),
}


class Learner:
    """Trains a keras.Model of `networks.build` by the cross entropy of its outputs.

    The learning rate falls to 0 over `steps` along half a cosine (Loshchilov and Hutter, ICLR 2017),
    so that the last steps settle; it begins at `learning_rate`, or the optimizer's of LEARNING_RATES.
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
        """Take a step on float32 [n, height, width, 3] in [0, 1] and int64 [n].

        Return the mean cross entropy of the network's own output, before the step, in nats, and how
        many of the images it had right.
        """
        loss, hits = self._step(pixels, labels)
        return float(loss), int(hits)

    def predict(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the class probabilities float32 [n, classes] of float32 [n, height, width, 3]."""
        probabilities: NDArray[np.float32] = self._predict(pixels).numpy()
        return probabilities

    def state(self) -> Arrays:
        """Return everything besides the weights that a training continues from."""
        return {name: variable.numpy() for name, variable in self._state().items()}

    def load_state(self, arrays: Arrays) -> None:
        """Continue from what `state` returned; further arrays are ignored."""
        for name, variable in self._state().items():
            variable.assign(arrays[name])

    def _gradient_step(self, pixels: tf.Tensor, labels: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        cross_entropy = tf.keras.losses.SparseCategoricalCrossentropy()
        with tf.GradientTape() as tape:
            own, *auxiliary = _outputs(self.network(pixels, training=True))
            loss = cross_entropy(labels, own)
            total = loss + AUXILIARY_SHARE * sum(cross_entropy(labels, head) for head in auxiliary)
        variables = self.network.trainable_variables
        self._optimizer.apply(tape.gradient(total, variables), variables)
        hits = tf.equal(tf.argmax(own, axis=1), labels)
        return loss, tf.reduce_sum(tf.cast(hits, tf.int32))

    def _probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        return _outputs(self.network(pixels, training=False))[0]

    def _state(self) -> dict[str, Any]:
        """Return the variables beside the weights: the optimizer's, and the dropouts' generators."""
        weights = {id(weight) for weight in self.network.weights}
        generators = [variable for variable in self.network.variables if id(variable) not in weights]
        # By number: their paths are numbered through everything that a process builds.
        named = {f"optimizer/{number}": each for number, each in enumerate(self._optimizer.variables)}
        return named | {f"generator/{number}": each for number, each in enumerate(generators)}


def _outputs(given: Any) -> list[Any]:
    return given if isinstance(given, list) else [given]
