"""TensorFlow, which computes every graph as it is: what other engines are checked against."""

from __future__ import annotations

from retraining.graphs import frozen_graph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.runtimes.batches import BATCH_SIZE, Extract, padded


def load(graph: FrozenGraph, precision: str) -> Extract:
    """Return the function that runs a graph in TensorFlow; `precision` is one of PRECISIONS."""
    # Weights in half precision or in bytes need no care here: TensorFlow turns them into float32 once, when
    # the session starts, and folding them first made it no faster.
    # TensorFlow computes the last few numbers of a batch in another way, since they do not fill a register:
    # an image in the last place would have another vector, in its last digits, than anywhere else.
    return padded(frozen_graph.forward(graph, precision), BATCH_SIZE, spare=1)
