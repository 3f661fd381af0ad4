"""The lines that a run prints. Scripts have parsed some of them for years: their wording is an interface."""

from __future__ import annotations

import itertools
import logging
import math
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.assessment.findings import Findings
from retraining.cli import class_table, commands, format_table
from retraining.comparison import table
from retraining.comparison.selection import Selection
from retraining.comparison.table import Row
from retraining.data.dataset import Dataset
from retraining.data.list_format import is_elsewhere
from retraining.data.split import Split
from retraining.errors import WorkFailed
from retraining.export.judgement import Judgement
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.features.problem_files import SKIPPED_FILE, number_of_files
from retraining.fine_tuning.tuner import FineTuned, Tuner
from retraining.modules import handles, shipped
from retraining.report.making import Made
from retraining.settings.formats import Format
from retraining.settings.module import FLOAT32, ModuleSettings
from retraining.settings.output import OutputSettings
from retraining.training import accuracy_warnings
from retraining.training.class_results import CLASS_RESULTS_FILE
from retraining.training.confidence import Interval
from retraining.training.evaluation import Evaluation
from retraining.training.learning_curve import Epoch
from retraining.training.model import TrainedModel
from retraining.training.trainer import TrainingStep

if TYPE_CHECKING:  # which would load the networks that are trained from scratch, and so TensorFlow
    from retraining.comparison.candidate import Candidate
    from retraining.comparison.comparison import Comparison, Written

_LOOKED_FOR = 10  # files of a set

log = logging.getLogger(__name__)


def found(dataset: Dataset) -> None:
    """Print how many images and classes were found."""
    counts = dict.fromkeys(Split, 0)
    for image in dataset.images:
        counts[image.split] += 1
    shares = ", ".join(f"{count} {split.value}" for split, count in counts.items())
    log.info("Found %d images in %d classes (%s).", len(dataset.images), len(dataset.labels), shares)


def loaded(extractor: FeatureExtractor, settings: ModuleSettings) -> None:
    """Print which module was loaded, whether it is built in, its image and feature size, what computes it."""
    origin = " (built in)" if handles.resolve(settings) in shipped.NETWORKS else ""
    features = f"{extractor.image_size} pixels to {extractor.feature_size} features"
    precision = "" if extractor.precision == FLOAT32 else f" in {extractor.precision}"
    log.info(
        "Module %s%s: %s, computed by %s%s.", extractor.name, origin, features, extractor.engine, precision
    )


def training_step(current: TrainingStep) -> None:
    """Print the metrics after a step."""
    step, training, validation = current.step, current.training, current.validation
    log.info("Step %d: Train accuracy = %.1f%%", step, training.accuracy * 100)
    log.info("Step %d: Cross entropy = %f", step, training.cross_entropy)
    if validation is not None:
        log.info(
            "Step %d: Validation accuracy = %.1f%% (N=%d)", step, validation.accuracy * 100, validation.count
        )


def fine_tuning(tuner: Tuner[Any]) -> None:
    """Print what will be fine-tuned."""
    log.info(
        "Fine-tuning the last %d of %d blocks of %s: at most %d epochs of %d images.",
        tuner.trained_blocks,
        tuner.blocks,
        tuner.extractor.name,
        tuner.epochs,
        tuner.images,
    )


def fine_tuned(result: FineTuned[Any]) -> None:
    """Print what fine-tuning came to, and which network is used."""
    log.info(
        "Best of %d epochs: %d, taken %.0f%% of the way from the frozen weights.",
        result.epochs,
        result.best_epoch + 1,
        result.share * 100,
    )
    if result.are_bytes:
        log.info(
            "Validation accuracy of the fine-tuned network: %.1f%% with float32 weights, %.1f%% with weights "
            "rounded to bytes, as they are exported.",
            result.float32.accuracy * 100,
            result.tuned.accuracy * 100,
        )
    log.info(
        "Validation loss and accuracy: %.4f and %.1f%% frozen, %.4f and %.1f%% fine-tuned (N=%d); the %s "
        "network is used.",
        result.frozen.cross_entropy,
        result.frozen.accuracy * 100,
        result.tuned.cross_entropy,
        result.tuned.accuracy * 100,
        result.tuned.count,
        "fine-tuned" if result.is_used else "frozen",
    )


def evaluated(model: TrainedModel, settings: OutputSettings) -> None:
    """Print the final test accuracy, the results of each class, and the misclassified images if asked for."""
    evaluation = model.evaluation
    if evaluation is None:
        log.warning("no class has a test image, so there is no test accuracy. Add images.")
    else:
        log.info("Final test accuracy = %.1f%% (N=%d)", evaluation.accuracy * 100, evaluation.count)
        log.info("95%% confidence interval: %s", _shown(evaluation.interval))
        _class_table(model, settings.summaries_dir / CLASS_RESULTS_FILE)
        if settings.print_misclassified_test_images:
            _misclassified(evaluation)
    accuracy_warnings.warn(model.bottlenecks.dataset, evaluation)


def _shown(interval: Interval) -> str:
    return f"{interval.low:.1%} to {interval.high:.1%}"


def _class_table(model: TrainedModel, listed: Path) -> None:
    log.info("")
    for line in class_table.lines(model.class_results, listed):
        log.info("%s", line)


def _misclassified(evaluation: Evaluation) -> None:
    log.info("=== MISCLASSIFIED TEST IMAGES ===")
    for image in evaluation.misclassified:
        log.info("%70s  %s", image.file, image.predicted)


def finished(settings: OutputSettings, bottlenecks: Bottlenecks, *, checked_images: int) -> None:
    """Print where the results are and how to use them."""
    if bottlenecks.skipped:
        log.warning(
            "%s skipped; the reasons are above and in %s.",
            number_of_files(len(bottlenecks.skipped)),
            settings.summaries_dir / SKIPPED_FILE,
        )
    log.info("")
    if checked_images:
        log.info("The graph was read back and agrees with the classifier on %d images.", checked_images)
    else:
        log.info("The graph was read back and agrees on made-up images: no test image could be opened.")
    log.info("Graph:  %s", settings.output_graph)
    log.info("Labels: %s", settings.output_labels)
    if settings.saved_model_dir is not None:
        log.info("SavedModel: %s", settings.saved_model_dir)
    log.info("Classify an image:")
    start, image = commands.this_start(), _held_out_image(bottlenecks.dataset)
    graph, labels = settings.output_graph, settings.output_labels
    log.info("  %s", commands.classify(start, graph=graph, labels=labels, image=image))
    log.info("Look at the training:")
    log.info("  %s", commands.show_training(start, settings.summaries_dir))


def exported(judgements: Sequence[Judgement]) -> None:
    """Print how exported files do."""
    if judgements:
        kind = "made-up" if judgements[0].accuracy is None else "held-out"
        log.info("")
        log.info("Each file was read back and run on %d %s images:", judgements[0].images, kind)
        for line in format_table.judged(judgements):
            log.info("%s", line)
        log.info("They are in %s", judgements[0].path.parent)


def check_exported(judgements: Sequence[Judgement], formats: Sequence[Format]) -> None:
    """Raise WorkFailed if one of the `formats` could not be exported."""
    if len(judgements) < len(formats):
        raise WorkFailed(
            "{failed} of {count} formats could not be exported, see above.",
            failed=len(formats) - len(judgements),
            count=len(formats),
        )


def reported(found: Findings, made: Made) -> None:
    """Print where the report is, and what in it a person should look at."""
    log.info("")
    if found.suspects:
        log.info(
            "%d of %d images may have a wrong label; see the report and %s",
            len(found.suspects),
            found.judged,
            made.suspects,
        )
        log.info("Mark there which to move, and see what would be done:")
        log.info("  %s", commands.relabel(commands.this_start(), made.suspects, apply=False))
    log.info("Report: %s", made.page.path)


def _held_out_image(dataset: Dataset) -> Path:
    """Return an image that is here, if possible one that the model was not trained on; or else a name."""
    for split in (Split.TESTING, Split.VALIDATION, Split.TRAINING):
        files = (image.file for image in dataset.images if image.split is split)
        first = itertools.islice(itertools.filterfalse(is_elsewhere, files), _LOOKED_FOR)
        found = next(filter(os.path.isfile, first), None)  # also of names that no file can have
        if found is not None:
            return Path(found)
    return Path("photo.jpg")


def epoch_done(title: str, number: int, epoch: Epoch, *, epochs: int) -> None:
    """Print the metrics of an epoch of a network trained from scratch; `number` counts from 0."""
    sets = {"validation": epoch.validation, "test": epoch.testing}
    held_out = [
        f", {name} accuracy {metrics.accuracy:.1%}" for name, metrics in sets.items() if metrics is not None
    ]
    training = epoch.training
    log.info(
        "%s: epoch %d of %d: loss %.4f, training accuracy %.1f%%%s",
        title,
        number + 1,
        epochs,
        training.cross_entropy,
        training.accuracy * 100,
        "".join(held_out),
    )


def compared(row: Row, count: int) -> None:
    """Print the test accuracy of one of several models; `count` is the number of test images."""
    if not math.isnan(row.test_accuracy):
        log.info("%s: final test accuracy = %.1f%% (N=%d)", row.model, row.test_accuracy * 100, count)


def compared_all(result: Comparison, written: Written) -> None:
    """Print the table of all models, which one to use, and where the results are."""
    log.info("")
    for line in table.markdown(result.rows).splitlines():
        log.info("%s", line)
    log.info("")
    selected(result.selection)
    _winner_tested(result.winner, written.class_results)
    for title, path in result.weights.items():
        log.info("Weights: %s (%s)", path, title)
    log.info("Curves: %s", " ".join(map(str, written.pictures)))
    log.info("Table:  %s", " ".join(map(str, written.tables)))
    log.info("Classes: %s", written.class_results)
    finished(written.outputs, result.winner.model.bottlenecks, checked_images=written.checked_images)


def _winner_tested(winner: Candidate, listed: Path) -> None:
    model, evaluation = winner.model, winner.model.evaluation
    if evaluation is not None:
        log.info(
            "95%% confidence interval of %s's test accuracy: %s (N=%d)",
            winner.title,
            _shown(evaluation.interval),
            evaluation.count,
        )
        _class_table(model, listed)
    accuracy_warnings.warn(model.bottlenecks.dataset, evaluation)
    log.info("")


def selected(selection: Selection) -> None:
    """Print which model to use, and which others may be just as good."""
    log.info("Use %s: %s.", selection.winner.model, _reason(selection.winner))
    for row in selection.close:
        times = row.images_per_second / selection.winner.images_per_second
        log.info(
            "With %d validation images, %s may be as good: %s; %.2g times as many images per second.",
            selection.validation_images,
            row.model,
            _reason(row),
            times,
        )


def _reason(row: Row) -> str:
    shares = {"validation": row.validation_accuracy, "test": row.test_accuracy}
    shown = (f"{share:.1%} on the {name} images" for name, share in shares.items() if not math.isnan(share))
    return ", ".join(shown)
