"""A SavedModel that retrain.py wrote, with its labels inside -> an ImageClassifier."""

from __future__ import annotations

import dataclasses

from retraining.graphs import saved_model_folder
from retraining.inference import bytes_classifier, graph_classifier, saved_model_assets
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier, whose signature takes pixels or the bytes of files. Raises BadRequest."""
    if saved_model_folder.takes_bytes(settings.graph):
        return bytes_classifier.load(settings)
    return graph_classifier.load(_with_assets(settings)).classifier


def _with_assets(settings: GraphSettings) -> GraphSettings:
    """Return the settings, with what the folder records in place of what was not given."""
    assets = saved_model_assets.read(settings.graph)
    path = settings.graph / saved_model_assets.FOLDER / saved_model_assets.LABELS
    return dataclasses.replace(
        settings,
        labels=settings.labels or path,
        input_mean=assets.mean if settings.input_mean is None else settings.input_mean,
        input_std=assets.std if settings.input_std is None else settings.input_std,
        significant_bits=settings.significant_bits or assets.significant_bits,
    )
