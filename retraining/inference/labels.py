"""The labels of a classifier: those in its file, or in a file of their own."""

from __future__ import annotations

from pathlib import Path

from retraining.settings.label_image import GraphSettings
from retraining.settings.output import OutputSettings
from retraining.storage import labels_file


def find(settings: GraphSettings, inside: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Return the labels of a classifier: of the settings, or else those `inside` its file, or beside it.

    Raises BadRequest if they are nowhere.
    """
    if settings.labels is None and inside:
        return inside
    return labels_file.read(settings.labels or _beside(settings.graph))


def _beside(graph: Path) -> Path:
    """Return where the labels were put: beside the graph, or where retrain.py puts them."""
    beside = labels_file.default_path(graph)
    return beside if beside.is_file() else OutputSettings.output_labels
