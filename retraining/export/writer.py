"""Writes the files of a run, all or none: graph, labels, checkpoint, SavedModel."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

from retraining.export import agreement, checkpoint, classifier_graph, saved_model
from retraining.export.classifier_graph import ClassifierGraph
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import FrozenGraph, forward
from retraining.settings.output import OutputSettings
from retraining.storage import labels_file
from retraining.storage.atomic_files import replacing, replacing_folder, write_bytes
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer

log = logging.getLogger(__name__)


class IntermediateGraphs:
    """Stores the checkpoint and the graph every so many training steps."""

    def __init__(
        self, extractor: FeatureExtractor, settings: OutputSettings, significant_bits: int | None = None
    ) -> None:
        self._extractor = extractor
        self._settings = settings
        self._significant_bits = significant_bits

    def is_due(self, step: int) -> bool:
        """Return whether to store after this step."""
        frequency = self._settings.intermediate_store_frequency
        return frequency > 0 and step > 0 and step % frequency == 0

    def __call__(self, step: int, layer: SoftmaxLayer) -> None:
        """Store the layer. Raises WorkFailed."""
        path = self._settings.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
        graph = classifier_graph.build(
            self._extractor,
            layer,
            self._settings.final_tensor_name,
            float32_weights=self._settings.float32_weights,
            significant_bits=self._significant_bits,
        )
        checkpoint.write(layer, self._settings.checkpoint_path)
        write_bytes(path, graph_file.encode(graph))
        log.info("Intermediate graph: %s", path)


def write_all(graph: FrozenGraph, model: TrainedModel, settings: OutputSettings) -> int:
    """Write every output in `settings`; return the number of images that the graph was checked with.

    All are first written next to their places and checked, and only then moved there, so that a full disk
    leaves an earlier graph together with its own labels. Raises WorkFailed.
    """
    with contextlib.ExitStack() as places:
        if settings.saved_model_dir is not None:
            _stage_saved_model(graph, model, settings.saved_model_dir, places)
        checkpoint.stage(model.layer, settings.checkpoint_path, places)
        _stage_labels(model, settings.output_labels, places)
        return _stage_graph(graph, model, settings.output_graph, places)


def _stage_graph(graph: FrozenGraph, model: TrainedModel, path: Path, places: contextlib.ExitStack) -> int:
    """Write the graph next to its place and check it; moved there when `places` closes without an error."""
    beside = places.enter_context(replacing(path))
    beside.write_bytes(graph_file.encode(graph))
    read = FrozenGraph(graph_file.read(beside), graph.input_name, graph.output_name)
    return agreement.check(forward(read), model, path)


def _stage_saved_model(
    graph: FrozenGraph, model: TrainedModel, folder: Path, places: contextlib.ExitStack
) -> None:
    """Write a SavedModel next to its place and check it, as `_stage_graph` does with the graph."""
    beside = places.enter_context(replacing_folder(folder))
    saved_model.write_classifier(ClassifierGraph.of_model(model, graph), beside)
    agreement.check(saved_model.read(beside), model, folder)


def _stage_labels(model: TrainedModel, path: Path, places: contextlib.ExitStack) -> None:
    places.enter_context(replacing(path)).write_bytes(labels_file.encode(model.labels))
