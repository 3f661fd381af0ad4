"""The lines a run prints. Scripts of ten years parse some of them: their wording is an interface."""

from __future__ import annotations

import logging
import shlex

from retraining.bottlenecks import Bottlenecks
from retraining.classifier import Report
from retraining.dataset import Dataset, Split
from retraining.evaluation import Evaluation
from retraining.extractor import FeatureExtractor
from retraining.image_problems import SKIPPED_FILE
from retraining.options import OutputOptions
from retraining.precision import FLOAT32

log = logging.getLogger(__name__)


def found(dataset: Dataset) -> None:
    """Say what lies in the image folder."""
    counts = dict.fromkeys(Split, 0)
    for image in dataset.images:
        counts[image.split] += 1
    shares = ", ".join(f"{count} {split.value}" for split, count in counts.items())
    log.info("Found %d images in %d classes (%s).", len(dataset.images), len(dataset.labels), shares)


def loaded(network: FeatureExtractor) -> None:
    """Say what the module makes of an image."""
    features = f"{network.image_size} pixels to {network.feature_size} features"
    computed = "" if network.precision == FLOAT32 else f", computed in {network.precision}"
    log.info("Module %s: %s%s.", network.name, features, computed)


def report(current: Report) -> None:
    """Print the lines of one report."""
    step, training, validation = current.step, current.training, current.validation
    log.info("Step %d: Train accuracy = %.1f%%", step, training.accuracy * 100)
    log.info("Step %d: Cross entropy = %f", step, training.cross_entropy)
    if validation is not None:
        log.info(
            "Step %d: Validation accuracy = %.1f%% (N=%d)", step, validation.accuracy * 100, validation.count
        )


def evaluated(evaluation: Evaluation | None, *, list_misclassified: bool) -> None:
    """Print the final test accuracy, and the images that were wrong if asked for."""
    if evaluation is None:
        log.warning("no class has a test image, so there is no test accuracy. Add images.")
        return
    log.info("Final test accuracy = %.1f%% (N=%d)", evaluation.accuracy * 100, evaluation.count)
    if list_misclassified:
        log.info("=== MISCLASSIFIED TEST IMAGES ===")
        for image in evaluation.misclassified:
            log.info("%70s  %s", image.path, image.predicted)


def finished(options: OutputOptions, bottlenecks: Bottlenecks, *, checked_images: int) -> None:
    """Say where the results are and what can be done with them."""
    if bottlenecks.skipped:
        log.warning(
            "%s files were skipped; the reasons are above and in %s.",
            f"{len(bottlenecks.skipped):,}",
            options.summaries_dir / SKIPPED_FILE,
        )
    log.info("")
    log.info("The graph was read back and agrees with the classifier on %d images.", checked_images)
    log.info("Graph:  %s", options.output_graph)
    log.info("Labels: %s", options.output_labels)
    if options.saved_model_dir is not None:
        log.info("SavedModel: %s", options.saved_model_dir)
    log.info("Classify a photograph:")
    graph, labels = shlex.quote(str(options.output_graph)), shlex.quote(str(options.output_labels))
    log.info("  python label_image.py --graph %s --labels %s --image photo.jpg", graph, labels)
    log.info("Look at the training:")
    log.info("  tensorboard --logdir %s", shlex.quote(str(options.summaries_dir)))
