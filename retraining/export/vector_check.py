"""Checks that an exported file, read back, gives the feature vectors that tell images unlike any class."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retraining.arrays import Pixels, Vectors
from retraining.export.classifier_graph import ClassifierGraph
from retraining.inference import graph_novelty
from retraining.inference.image_classifier import ImageClassifier
from retraining.inference.novelty_run import NoveltyRun
from retraining.settings.formats import Format

_CHECKED_IMAGES = 8

# Largest length of the difference of two vectors, as a share of a vector's length: 0.03 was found where the
# file itself decodes photos, and 0.17 where all is computed in bytes. Other vectors differ by 1 or more.
_TOLERANCE, _TOLERANCE_IN_BYTES = 0.1, 0.5


class VectorCheck:
    """The vectors of some images as the classifier's graph gives them, and whether a file gives the same."""

    def __init__(self, classifier: ClassifierGraph, images: Sequence[Path | Pixels]) -> None:
        """Prepare it; of the `images`, the first few are used."""
        self._classifier = classifier
        self._images = images[:_CHECKED_IMAGES]

    def agrees(self, read: ImageClassifier, format: Format) -> bool:
        """Return whether a file of this format, read so that it tells novelty, gives the vectors."""
        assert read.novelty is not None
        if not len(self._images):
            return True
        found = self._vectors(read, read.novelty)
        if found.shape != self._exact.shape:
            return False
        differences = np.linalg.norm(found - self._exact, axis=1)
        lengths = np.linalg.norm(self._exact, axis=1)
        tolerance = _TOLERANCE_IN_BYTES if format.tolerance is None else _TOLERANCE
        return bool((differences <= tolerance * lengths).all())  # written so that NaN does not agree

    @functools.cached_property
    def _exact(self) -> Vectors:
        classifier = self._classifier
        return self._vectors(classifier.classifier(), graph_novelty.load(classifier.frozen, Path()))

    def _vectors(self, classifier: ImageClassifier, novelty: NoveltyRun) -> Vectors:
        """Return float32 [n, feature_size], computed one by one, since a graph may take no more."""
        found = [
            novelty.vectors(classifier.prepared(image), len(classifier.labels)) for image in self._images
        ]
        return np.concatenate(found)
