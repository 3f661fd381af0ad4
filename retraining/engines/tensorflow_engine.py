"""TensorFlow, which computes every graph as it is: what other engines are checked against."""

from __future__ import annotations

from retraining.engines.batches import padded
from retraining.graphs import frozen_graph, simplification
from retraining.graphs.frozen_graph import Forward, FrozenGraph

# Large enough to keep two cores busy, small enough for a wide network in 4 GB, as benchmarks/ measured.
BATCH_SIZE = 32


def load(graph: FrozenGraph, precision: str) -> Forward:
    """Return the function that runs a graph in TensorFlow; `precision` is one of PRECISIONS."""
    # Weights in half precision or in bytes become float32 once, and not at every run.
    exact = simplification.with_float32_weights(graph)
    return padded(frozen_graph.forward(exact, precision), BATCH_SIZE)
