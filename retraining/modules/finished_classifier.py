"""Tells a classifier that retrain.py has written from a module, which it could be made from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.errors import BadModule
from retraining.graphs.frozen_graph import GraphDef, tensor_of
from retraining.graphs.quiet_tensorflow import tf

INPUT_OP = "Placeholder"  # the name that existing label_image samples expect
LAYER_SCOPE = "final_layer"
PRODUCT_OP = "matmul"  # in that scope: of the feature vectors with the weights

# TensorFlow's own retrain.py named the same layer so, from its first module of TensorFlow Hub on.
_LAYER_SCOPES = (LAYER_SCOPE, "final_retrain_ops")


def is_finished(graph_def: GraphDef) -> bool:
    """Return whether a graph takes images at INPUT_OP and has the layer that a retraining adds."""
    names = [node.name for node in graph_def.node]
    return INPUT_OP in names and any(name.split("/")[0] in _LAYER_SCOPES for name in names)


@dataclasses.dataclass(frozen=True)
class FinishedLayer:
    """The layer that a retraining has added: weights float32 [feature_size, classes], biases [classes].

    `features` is the name of the tensor with the feature vectors that it is given.
    """

    features: str
    weights: NDArray[np.float32]
    biases: NDArray[np.float32]


def layer(graph_def: GraphDef) -> FinishedLayer | None:
    """Return the layer that this program has added to a graph, or None."""
    nodes = {node.name: node for node in graph_def.node}
    product = nodes.get(f"{LAYER_SCOPE}/{PRODUCT_OP}")
    weights, biases = (nodes.get(f"{LAYER_SCOPE}/{name}") for name in ("weights", "biases"))
    if product is None or weights is None or biases is None:
        return None
    return FinishedLayer(
        tensor_of(product.input[0]),
        tf.make_ndarray(weights.attr["value"].tensor),
        tf.make_ndarray(biases.attr["value"].tensor),
    )


def feature_vectors(graph: Any) -> Any:
    """Return the tensor, float32 [n, features], that the layer of such a classifier is given, or None.

    `graph` is a tf.Graph, in which the classifier may be in a scope of its own.
    """
    product = f"/{LAYER_SCOPE}/{PRODUCT_OP}"
    found = (op.inputs[0] for op in graph.get_operations() if f"/{op.name}".endswith(product) and op.inputs)
    return next(found, None)


def refusal(path: Path | str) -> BadModule:
    """Return the error for such a classifier that was given as a module."""
    return BadModule(
        "'{path}' is a finished classifier, which retrain.py wrote. To label images, give it to "
        "label_image.py with {graph}; to retrain, name the module that it was made from.",
        path=path,
    )
