"""What a picture should excite in a network: the mean activation of a layer, or the logit of a class."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.errors import BadRequest
from retraining.graphs.frozen_graph import op_of, static_shapes, tensor_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import image_classifier
from retraining.visualization.inspected_network import InspectedNetwork, Layer

# Ops that change at most the shape of a classifier's scores.
_SHAPE_OPS = ("Identity", "Reshape", "Squeeze")

LARGEST_BATCH = 8  # views whose gradients are computed at once: limits the memory that wide networks need

Values = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Target:
    """What to raise: the mean of a tensor over all its axes but the first, or of one of its channels.

    If `is_class`, the tensor holds logits and the channel is the number of a class.
    """

    name: str
    tensor_name: str
    channel: int | None = None
    is_class: bool = False


def layer_target(layer: Layer, channel: int | None) -> Target:
    """Return a layer's mean activation, or one of its channels', as a target. Raises BadRequest."""
    if channel is None:
        return Target(layer.name, layer.tensor_name)
    if channel >= layer.channels:
        raise BadRequest(
            "{channel} of {layer} must be from 0 to {last}, received {received}.",
            layer=layer.name,
            last=layer.channels - 1,
            received=channel,
        )
    return Target(f"{layer.name} channel {channel}", layer.tensor_name, channel)


def class_target(network: InspectedNetwork, labels: Sequence[str], label: str) -> Target:
    """Return the logit of the class `label` as a target. Raises BadRequest.

    `labels` are those of all classes, in the order of the network's scores.
    """
    tensor_name = _logits_tensor(network)
    scores = static_shapes(network.graph.graph_def)[tensor_name][-1]
    if len(labels) < 2:
        raise BadRequest("{labels} must name at least two classes, received {count}.", count=len(labels))
    image_classifier.check_width(scores, labels)
    return Target(label, tensor_name, labels.index(label), is_class=True)


class Objective:
    """A target in a network: its values, scores and gradients for images of the network's input size.

    It holds a TensorFlow session, so use it in a `with` block.
    """

    def __init__(self, network: InspectedNetwork, target: Target) -> None:
        self.image_size: ImageSize = network.image_size
        graph = tf.Graph()
        with graph.as_default():
            pixels, result = _imported(network, target.tensor_name)
            value = _value(result, target)
            score = _score(result, value, target)
            (gradient,) = tf.gradients(score, pixels)
        if gradient is None:
            raise BadRequest(
                "{target} of {network} does not depend on the image.",
                target=target.name,
                network=network.name,
            )
        self._session = tf.compat.v1.Session(graph=graph)
        self._value: Callable[[Pixels], Values] = self._session.make_callable(value, [pixels])
        self._score: Callable[[Pixels], Values] = self._session.make_callable(score, [pixels])
        self._gradient: Callable[[Pixels], Values] = self._session.make_callable(gradient, [pixels])

    def values(self, pixels: Pixels) -> Values:
        """Return the target's value, float32 [n], for float32 [n, height, width, 3] in [0, 1]."""
        return np.concatenate([self._value(batch) for batch in _batches(pixels)])

    def scores(self, pixels: Pixels) -> Values:
        """Return what gradient ascent maximizes, float32 [n], for float32 [n, height, width, 3] in [0, 1].

        For a layer this is the target's value; for a class it also counts the lead over the other classes.
        """
        return np.concatenate([self._score(batch) for batch in _batches(pixels)])

    def gradients(self, pixels: Pixels) -> Values:
        """Return the gradient of each image's score with respect to its pixels, in the shape of `pixels`."""
        return np.concatenate([self._gradient(batch) for batch in _batches(pixels)])

    def __enter__(self) -> Objective:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()


def _batches(pixels: Pixels) -> list[Pixels]:
    return [pixels[start : start + LARGEST_BATCH] for start in range(0, len(pixels), LARGEST_BATCH)]


def _imported(network: InspectedNetwork, tensor_name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the network's input and the tensor, in the default graph."""
    needed = tf.compat.v1.graph_util.extract_sub_graph(network.graph.graph_def, [op_of(tensor_name)])
    pixels, result = tf.graph_util.import_graph_def(
        needed, return_elements=[network.graph.input_name, tensor_name], name=""
    )
    return pixels, result


def _value(result: tf.Tensor, target: Target) -> tf.Tensor:
    """Return the target's value, float32 [n]."""
    if target.channel is not None:
        result = result[..., target.channel]
    return tf.reduce_mean(result, range(1, result.shape.rank))


def _score(result: tf.Tensor, value: tf.Tensor, target: Target) -> tf.Tensor:
    """Return what gradient ascent maximizes, float32 [n]; for a class, its logit plus its lead over the rest.

    The logit alone is not enough: what excites one class may excite another one even more.
    """
    chosen = target.channel
    if chosen is None or not target.is_class:
        return value
    others = tf.concat([result[:, :chosen], result[:, chosen + 1 :]], axis=1)
    return value + value - tf.reduce_logsumexp(others, axis=1)


def _logits_tensor(network: InspectedNetwork) -> str:
    """Return the input of the softmax that gives the network's result or, if there is none, the result."""
    nodes = {node.name: node for node in network.graph.graph_def.node}
    node = nodes[op_of(network.graph.output_name)]
    while node.op in _SHAPE_OPS:
        node = nodes[op_of(node.input[0])]
    if node.op != "Softmax":
        return network.graph.output_name
    return tensor_of(node.input[0])
