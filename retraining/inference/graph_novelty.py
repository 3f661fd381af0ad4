"""Images unlike any class, as a frozen graph tells them, run by TensorFlow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Pixels
from retraining.errors import WorkFailed
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import FrozenGraph, imported, joined_forward_in
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import novelty_run
from retraining.inference.novelty_run import NoveltyRun
from retraining.modules import finished_classifier
from retraining.storage.atomic_files import reason


def load(frozen: FrozenGraph, path: Path) -> NoveltyRun:
    """Return how a graph that was read from `path` is run. Raises BadRequest if it records no detector."""
    content = recorded.novelty(frozen.graph_def)
    if not content:
        raise novelty_run.missing(path)
    return in_graph(imported(frozen.graph_def), content, path, names=(frozen.input_name, frozen.output_name))


def in_graph(graph: tf.Graph, content: bytes, path: Path, names: tuple[str, str]) -> NoveltyRun:
    """Return how a graph is run from its input to its output, both tensors by name. Raises BadRequest."""
    vectors = finished_classifier.feature_vectors(graph)
    if vectors is None or vectors.shape.rank != 2 or vectors.shape[1] is None:
        raise novelty_run.missing(path)
    detector = novelty_run.checked(content, path, vectors.shape[1])
    source, scores = names
    run = joined_forward_in(graph, source, [scores, vectors.name])

    def reporting_failures(given: Pixels) -> NDArray[np.float32]:
        try:
            return run(given)
        except tf.errors.OpError as error:
            raise WorkFailed("the graph cannot be run: {reason}.", reason=reason(error)) from error

    return NoveltyRun(reporting_failures, detector)
