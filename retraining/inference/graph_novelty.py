"""Images unlike any class, as a frozen graph tells them, run by TensorFlow."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Pixels
from retraining.errors import WorkFailed
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import FrozenGraph, imported, joined_forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import novelty_run
from retraining.inference.novelty import NoveltyDetector
from retraining.inference.novelty_run import NoveltyRun
from retraining.modules import finished_classifier
from retraining.storage.atomic_files import reason


@dataclasses.dataclass(frozen=True)
class Found:
    """A detector, and the name of the tensor with the vectors that it is given."""

    vectors: str
    detector: NoveltyDetector


def find(graph: tf.Graph, content: bytes, path: Path) -> Found:
    """Return the detector that a graph read from `path` records as `content`. Raises BadRequest."""
    vectors = finished_classifier.feature_vectors(graph)
    if not content or vectors is None or vectors.shape.rank != 2 or vectors.shape[1] is None:
        raise novelty_run.missing(path)
    return Found(vectors.name, novelty_run.checked(content, path, vectors.shape[1]))


def load(frozen: FrozenGraph, path: Path) -> NoveltyRun:
    """Return how a graph that was read from `path` is run. Raises BadRequest if it records no detector."""
    graph = imported(frozen.graph_def)
    found = find(graph, recorded.novelty(frozen.graph_def), path)
    session = tf.compat.v1.Session(graph=graph)
    run = joined_forward(session, frozen.input_name, [frozen.output_name, found.vectors])

    def reporting_failures(pixels: Pixels) -> NDArray[np.float32]:
        try:
            return run(pixels)
        except tf.errors.OpError as error:
            raise WorkFailed("the graph cannot be run: {reason}.", reason=reason(error)) from error

    return NoveltyRun(reporting_failures, found.detector)
