"""A comparison of models: each trained and measured in its turn, the best one kept to be exported."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from retraining.cli import log_lines
from retraining.comparison import candidate, curves, selection, table
from retraining.comparison.candidate import Contender
from retraining.comparison.selection import Verdict
from retraining.comparison.table import Row
from retraining.data.images import ImageSize
from retraining.export import writer
from retraining.features import extractor
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.graphs.frozen_graph import FrozenGraph, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks.image_batches import TrainingImages
from retraining.settings import architectures
from retraining.settings.options import CompareOptions, OutputOptions, TrainingOptions
from retraining.storage import atomic_files
from retraining.training import evaluation
from retraining.training.learning_curve import LearningCurve

TIMED_BATCHES = 10  # of which the quickest counts: other programs only ever slow one down

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The figures and curves of all models, by title, and the best one whole."""

    rows: tuple[Row, ...]
    curves: dict[str, LearningCurve]
    weights: dict[str, Path]
    verdict: Verdict
    winner: Contender
    graph: FrozenGraph


def load_modules(options: CompareOptions) -> dict[str, FeatureExtractor]:
    """Return the modules among the models, by handle. Raises BadModule."""
    handles = [model for model in options.comparison.models if model not in architectures.NAMES]
    return {handle: extractor.load(options.comparison.module(handle)) for handle in handles}


def run(images: TrainingImages, options: CompareOptions, modules: dict[str, FeatureExtractor]) -> Comparison:
    """Train and measure every model that the options name, each module being in `modules`.

    Raises WorkFailed.
    """
    rows: list[Row] = []
    found: dict[str, LearningCurve] = {}
    weights: dict[str, Path] = {}
    for model in _trained(images, options, modules):
        graph = writer.build(model.extractor, model.layer, OutputOptions.final_tensor_name)
        rows.append(_row(model, graph))
        found[model.title] = model.curve
        if model.weights is not None:
            weights[model.title] = model.weights
        log_lines.compared(rows[-1], len(model.bottlenecks.testing))
        decision = selection.of(rows, validation_images=len(model.bottlenecks.validation))
        if decision.winner is rows[-1]:  # the others need not stay in memory
            winner, winning_graph = model, graph
    return Comparison(tuple(rows), found, weights, decision, winner, winning_graph)


def write(result: Comparison, folder: Path) -> None:
    """Write curves, table and winner below `folder`, and say where they are. Raises WorkFailed."""
    pictures = curves.write(result.curves, folder)
    markdown = table.markdown(result.rows)
    tables = {folder / "table.md": markdown, folder / "table.csv": table.csv_text(result.rows)}
    for path, text in tables.items():
        atomic_files.write_bytes(path, text.encode())
    log_lines.compared_all(result.verdict, markdown)
    for title, path in result.weights.items():
        log.info("Weights: %s (%s)", path, title)
    log.info("Curves: %s", " ".join(map(str, pictures)))
    log.info("Table:  %s", " ".join(map(str, tables)))
    _export(result, folder)


def _export(result: Comparison, folder: Path) -> None:
    options = OutputOptions(
        output_graph=folder / "output_graph.pb",
        output_labels=folder / "output_labels.txt",
        checkpoint_path=folder / "checkpoint",
        summaries_dir=folder / "logs",
    )
    winner = result.winner
    agreed = writer.write_all(
        result.graph,
        options,
        layer=winner.layer,
        bottlenecks=winner.bottlenecks,
        extractor=winner.extractor,
    )
    log_lines.finished(options, winner.bottlenecks, checked_images=agreed)


def _trained(
    images: TrainingImages, options: CompareOptions, modules: dict[str, FeatureExtractor]
) -> Iterator[Contender]:
    for model in options.comparison.models:
        if model in modules:
            yield candidate.retrain(model, modules[model], images, options)
            continue
        for optimizer in options.comparison.optimizer:
            yield candidate.train(model, optimizer, images, options)


def _row(model: Contender, graph: FrozenGraph) -> Row:
    result = evaluation.evaluate(model.layer, model.bottlenecks, TrainingOptions())
    return Row(
        model=model.title,
        kind=model.kind,
        test_accuracy=float("nan") if result is None else result.accuracy,
        mean_test_accuracy=model.curve.mean_of_last(lambda epoch: epoch.testing),
        validation_accuracy=model.curve.values(lambda epoch: epoch.validation)[-1],
        parameters=parameters(graph),
        file_bytes=graph.graph_def.ByteSize(),
        training_seconds=model.seconds,
        images_per_second=images_per_second(graph, model.extractor.image_size),
    )


def parameters(graph: FrozenGraph) -> int:
    """Return how many weights a frozen graph holds: all fractions in its constants but lone ones."""
    tensors = (node.attr["value"].tensor for node in graph.graph_def.node if node.op == "Const")
    fractions = (tensor for tensor in tensors if tf.as_dtype(tensor.dtype).is_floating)
    shapes = [tf.TensorShape(tensor.tensor_shape) for tensor in fractions]
    return sum(shape.num_elements() for shape in shapes if shape.rank)


def images_per_second(graph: FrozenGraph, size: ImageSize) -> float:
    """Return how many decoded images a graph classifies a second, in batches of BATCH_SIZE."""
    classify = forward(graph)
    pixels = np.random.default_rng(0).random((BATCH_SIZE, size.height, size.width, 3), np.float32)
    classify(pixels)  # to warm up
    seconds = []
    for _ in range(TIMED_BATCHES):
        started = time.monotonic()
        classify(pixels)
        seconds.append(time.monotonic() - started)
    return BATCH_SIZE / min(seconds)
