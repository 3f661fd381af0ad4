"""Scores and novelty of images, found in one run of the network, with the detector in a classifier's file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Probabilities, Vectors
from retraining.errors import BadRequest
from retraining.inference.novelty import NoveltyDetector


@dataclasses.dataclass(frozen=True)
class NoveltyRun:
    """A network that also gives what a detector of images unlike any class needs.

    `run` takes what that of an ImageClassifier takes, n images, and returns their scores with their feature
    vectors behind them, float32 [n, classes + feature_size].
    """

    run: Callable[[Any], NDArray[np.float32]]
    detector: NoveltyDetector

    def __call__(self, taken: Any, classes: int) -> tuple[Probabilities, NDArray[np.float32]]:
        """Return scores float32 [n, classes], and how unlike any class images are: float32 [n] in [0, 1]."""
        rows = self.run(taken)
        return rows[:, :classes], self.detector.novelty(rows[:, classes:])

    def scores(self, classes: int) -> Callable[[Any], Probabilities]:
        """Return the function that gives the scores alone, float32 [n, classes]."""
        return lambda taken: self.run(taken)[:, :classes]

    def vectors(self, taken: Any, classes: int) -> Vectors:
        """Return the feature vectors, float32 [n, feature_size]."""
        return self.run(taken)[:, classes:]


def checked(content: bytes, path: Path, feature_size: int) -> NoveltyDetector:
    """Return the detector that a classifier's file records, which is to be given vectors of this length.

    Raises BadRequest if it is damaged, or for vectors of another length.
    """
    try:
        detector = NoveltyDetector.decode(content)
        detector.distances(np.zeros((1, feature_size), np.float32))
    except ValueError as error:
        raise damaged(path, "it is no detector for these vectors") from error
    return detector


def missing(path: Path) -> BadRequest:
    """Return the error for a classifier that does not record what its classes look like."""
    return BadRequest(
        "{unknown} needs a {graph} that records what its classes look like, which '{path}' does not. Retrain "
        "with this version, on more images if there were only a few dozen, or leave {unknown} out.",
        path=path,
    )


def damaged(path: Path, reason: object) -> BadRequest:
    """Return the error for a record that cannot be used."""
    return BadRequest(
        "what graph '{path}' records for {unknown} is damaged: {reason}. Export it again, or leave {unknown} "
        "out.",
        path=path,
        reason=reason,
    )
