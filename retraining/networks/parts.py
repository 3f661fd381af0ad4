"""A network trained from scratch, split into an extractor and a last layer, like a retrained model."""

from __future__ import annotations

import hashlib
from typing import Any

from retraining.arrays import ImageSize
from retraining.data.images import PREPROCESSING
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks import keras_freezing
from retraining.training.softmax_layer import SoftmaxLayer


def extractor_of(network: Any, *, name: str, image_size: int) -> FeatureExtractor:
    """Return all but the last layer of a keras.Model that `construction.build` made, as an extractor."""
    last = network.get_layer(network.output_names[0])
    graph = keras_freezing.freeze_network(tf.keras.Model(network.input, last.input, name=network.name))
    digest = hashlib.sha256(graph.graph_def.SerializeToString(deterministic=True))
    digest.update(PREPROCESSING.encode())
    return FeatureExtractor(
        name=name,
        image_size=ImageSize(image_size, image_size),
        feature_size=int(last.input.shape[1]),
        fingerprint=digest.hexdigest(),
        graph=graph,
    )


def last_layer_of(network: Any) -> SoftmaxLayer:
    """Return a copy of the last layer of a keras.Model that `construction.build` made."""
    last = network.get_layer(network.output_names[0])
    return SoftmaxLayer(weights=last.kernel.numpy(), biases=last.bias.numpy())
