"""Images unlike any class, as a .tflite file tells them: its network run so that it gives vectors too."""

from __future__ import annotations

import math
from pathlib import Path

from retraining.inference import novelty_run
from retraining.inference.novelty import NoveltyDetector
from retraining.inference.novelty_run import NoveltyRun
from retraining.runtimes import flat_tables, tflite_model
from retraining.runtimes.litert import Network
from retraining.runtimes.tflite_model import Novelty

_NUMBERS = ("float32", "uint8", "int8")


def recorded(content: bytes, path: Path) -> Novelty:
    """Return what a file records. Raises BadRequest if it has nothing, or if that is damaged."""
    try:
        found = tflite_model.novelty(content)
    except flat_tables.DAMAGE as error:
        raise novelty_run.damaged(path, "it is cut short") from error
    if found is None:
        raise novelty_run.missing(path)
    return found


def with_vectors(content: bytes, novelty: Novelty, path: Path) -> bytes:
    """Return a file whose network also gives the feature vectors, as its last output. Raises BadRequest."""
    try:
        return tflite_model.with_output(content, novelty.tensor)
    except flat_tables.DAMAGE as error:
        raise novelty_run.damaged(path, f"the network has no tensor {novelty.tensor}") from error


def detector(novelty: Novelty, network: Network, path: Path) -> NoveltyDetector:
    """Return the detector, for the last output of a network. Raises BadRequest if it is for other vectors."""
    vectors = network.outputs[-1]
    count, *sides = vectors.shape or (0,)
    if vectors.dtype.name not in _NUMBERS or count not in (1, -1) or min(sides, default=0) < 1:
        raise novelty_run.damaged(path, f"tensor {novelty.tensor} is no vector of an image")
    return novelty_run.checked(novelty.detector, path, math.prod(sides))


def load(content: bytes, path: Path) -> NoveltyRun:
    """Return how a file with one input and output is run. Raises BadRequest, ValueError or RuntimeError."""
    novelty = recorded(content, path)
    network = Network(with_vectors(content, novelty, path))
    return NoveltyRun(network.run, detector(novelty, network, path))
