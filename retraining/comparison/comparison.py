"""A comparison of models: each is trained and measured in turn, and the best one is exported."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from retraining.arrays import ImageSize
from retraining.comparison import candidate, curves, selection, table
from retraining.comparison.candidate import Candidate, OnEpoch
from retraining.comparison.selection import Selection
from retraining.comparison.table import Row
from retraining.data.dataset import Dataset
from retraining.export import classifier_graph, writer
from retraining.features import extractor
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.graphs.frozen_graph import FrozenGraph, count_parameters, forward
from retraining.graphs.simplification import with_float32_weights
from retraining.networks.image_batches import UsableImages
from retraining.report import making
from retraining.report.subject import Run, Subject
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.compare import CompareSettings
from retraining.settings.output import OutputSettings
from retraining.storage import atomic_files
from retraining.training import class_results
from retraining.training.learning_curve import LearningCurve

TIMED_BATCHES = 10  # only the fastest counts: other programs can slow a batch down, but never speed it up


@dataclasses.dataclass(frozen=True)
class Comparison:
    """The results of all models, and the whole of the best one.

    `curves` and `weights` are by the models' titles; only networks trained from scratch have weights.
    `graph` is the winner's, ready to be written. `subjects` are the models of the report: all of
    which something was found out.
    """

    rows: tuple[Row, ...]
    curves: dict[str, LearningCurve]
    weights: dict[str, Path]
    selection: Selection
    winner: Candidate
    graph: FrozenGraph
    subjects: tuple[Subject, ...]

    def report_on(self, run: Run) -> list[Subject]:
        """Return the subjects of the report, the winner first; `run` says how the comparison was made.

        Raises WorkFailed if nothing was found out about the winner.
        """
        by_title = {subject.title: subject for subject in self.subjects}
        first = by_title.pop(self.winner.title, None)
        if first is None:
            raise making.failed("nothing was found out about the best model, see above")
        made = dataclasses.replace(run, curve=first.run.curve, curve_unit=first.run.curve_unit)
        return [dataclasses.replace(first, run=made), *by_title.values()]


@dataclasses.dataclass(frozen=True)
class Written:
    """The files of a comparison.

    `class_results` lists how well each class does with the winner; `checked_images` is the number of images
    on which the winner's graph agreed with the classifier.
    """

    pictures: list[Path]
    tables: list[Path]
    class_results: Path
    outputs: OutputSettings
    checked_images: int


def load_modules(settings: CompareSettings, photos: Dataset) -> dict[str, FeatureExtractor]:
    """Return the modules among the models, by handle; they are for `photos`. Raises BadModule."""
    comparison = settings.comparison
    # One that does not exist is reported before any of them is converted for an engine.
    loaded = {handle: extractor.load_extractor(comparison.module(handle)) for handle in comparison.modules}
    return {handle: extractor.settled(module, photos) for handle, module in loaded.items()}


def compare_models(
    images: UsableImages,
    settings: CompareSettings,
    modules: dict[str, FeatureExtractor],
    near: NearDuplicates,
    *,
    on_epoch: OnEpoch,
    on_row: Callable[[Row, int], None],
) -> Comparison:
    """Train and measure every model that the settings name. Raises WorkFailed.

    `modules` are the loaded modules, by handle, and `near` the images that show nearly the same.
    `on_row` is called after each model with its row of the table and the number of test images.
    """
    rows: list[Row] = []
    learning_curves: dict[str, LearningCurve] = {}
    weights: dict[str, Path] = {}
    subjects: list[Subject] = []
    for untested in _trained(images, settings, modules, on_epoch):
        trained, found = untested.assessed(near)
        if found is not None:
            subjects.append(Subject(trained.title, found, trained.run()))
        model = trained.model
        graph = classifier_graph.of_model(model)
        rows.append(_row(trained, graph))
        learning_curves[trained.title] = trained.curve
        if trained.weights is not None:
            weights[trained.title] = trained.weights
        on_row(rows[-1], len(model.bottlenecks.testing))
        selected = selection.select(rows, validation_images=len(model.bottlenecks.validation))
        if selected.winner is rows[-1]:  # only the best model has to stay in memory
            winner, winning_graph = trained, graph
    return Comparison(tuple(rows), learning_curves, weights, selected, winner, winning_graph, tuple(subjects))


def write(result: Comparison, folder: Path) -> Written:
    """Write the curves, the table and the winner to `folder`. Raises WorkFailed."""
    pictures = curves.write(result.curves, folder)
    tables = {
        folder / "table.md": table.markdown(result.rows),
        folder / "table.csv": table.csv_text(result.rows),
    }
    for path, text in tables.items():
        atomic_files.write_bytes(path, text.encode())
    outputs = OutputSettings(
        output_graph=folder / "output_graph.pb",
        output_labels=folder / "output_labels.txt",
        checkpoint_path=folder / "checkpoint",
        summaries_dir=folder / "logs",
    )
    return Written(
        pictures=pictures,
        tables=list(tables),
        class_results=class_results.write(result.winner.model.class_results, folder),
        outputs=outputs,
        checked_images=writer.write_all(result.graph, result.winner.model, outputs),
    )


def _trained(
    images: UsableImages,
    settings: CompareSettings,
    modules: dict[str, FeatureExtractor],
    on_epoch: OnEpoch,
) -> Iterator[Candidate]:
    """Yield every model that the settings name, each network once with each optimizer."""
    for name in settings.comparison.models:
        if name in modules:
            yield candidate.retrain(name, modules[name], images, settings)
            continue
        for optimizer in settings.comparison.optimizer:
            yield candidate.train(name, optimizer, images, settings, on_epoch=on_epoch)


def _row(trained: Candidate, graph: FrozenGraph) -> Row:
    evaluation = trained.model.evaluation
    return Row(
        model=trained.title,
        kind=trained.kind,
        test_accuracy=float("nan") if evaluation is None else evaluation.accuracy,
        mean_test_accuracy=trained.curve.mean_of_last(lambda epoch: epoch.testing),
        validation_accuracy=trained.curve.values(lambda epoch: epoch.validation)[-1],
        parameters=count_parameters(with_float32_weights(graph)),
        file_bytes=graph.graph_def.ByteSize(),
        training_seconds=trained.seconds,
        images_per_second=images_per_second(graph, trained.model.extractor.image_size),
    )


def images_per_second(graph: FrozenGraph, size: ImageSize) -> float:
    """Return how many decoded images a graph classifies per second, in batches of BATCH_SIZE."""
    classify = forward(graph)
    pixels = np.random.default_rng(0).random((BATCH_SIZE, size.height, size.width, 3), np.float32)
    classify(pixels)  # to warm up
    seconds = []
    for _ in range(TIMED_BATCHES):
        started = time.monotonic()
        classify(pixels)
        seconds.append(time.monotonic() - started)
    return BATCH_SIZE / min(seconds)
