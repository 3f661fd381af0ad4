"""What is found out about a model before it is exported, since the export holds some of it."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from retraining.assessment import calibration, cross_validation, novelty_fit
from retraining.assessment.calibration import Calibration
from retraining.assessment.cross_validation import CrossValidation
from retraining.assessment.folds import FOLDS
from retraining.assessment.scored import MOST_IMAGES, Scored, most_images
from retraining.data.split import Split
from retraining.errors import in_one_line
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import NearDuplicates
from retraining.inference.novelty import NoveltyDetector
from retraining.settings.training import TrainingSettings
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Assessment:
    """The temperature and the detector for a model, and the scores that they come from.

    `frozen` are the vectors of a network that has learnt nothing from the images; `crossed` are the scores of
    layers trained on those. Both are None for a network trained from scratch. `near` are images that show
    nearly the same, and `settings` those of the training.
    """

    calibration: Calibration
    novelty: NoveltyDetector | None
    crossed: CrossValidation | None
    frozen: Bottlenecks | None = dataclasses.field(repr=False)
    near: NearDuplicates = dataclasses.field(repr=False)
    settings: TrainingSettings


def assess(
    model: TrainedModel,
    settings: TrainingSettings,
    near: NearDuplicates,
    *,
    frozen: Bottlenecks | None,
    temperature: float | None = None,
) -> Assessment:
    """Return the assessment of a model that is not calibrated yet.

    `frozen` are the vectors before fine-tuning, which only a fine-tuned model needs; None for a network
    trained from scratch. `temperature` is that of a graph that is there already; by default it is fitted.
    """
    if frozen is not None and not model.is_fine_tuned:
        frozen = model.bottlenecks
    crossed = None if frozen is None else cross_validation.cross_validate(frozen, settings, near.groups)
    images = known(model, frozen)
    if crossed is not None and frozen is model.bottlenecks:
        # The folds keep the detector's quantiles from being those of images that it was made of.
        fitted_on, folds = crossed.held_in, crossed.folds
    else:
        fitted_on = scored(model.layer, model.bottlenecks, Split.VALIDATION)
        folds = np.arange(len(images)) % FOLDS
    testing = scored(model.layer, model.bottlenecks, Split.TESTING)
    if len(fitted_on) < len(images):
        log.info(
            "Scores are calibrated on a sample of %s of %s images, chosen by the hash of their content.",
            f"{len(fitted_on):,}",
            f"{len(images):,}",
        )
    asked = images.sample(model.bottlenecks.digests, MOST_IMAGES)
    return Assessment(
        calibration=calibration.assess(
            fitted_on, testing, is_applied=settings.calibrate, temperature=temperature
        ),
        novelty=novelty_fit.fit(images, folds, len(model.labels), asked=asked) if len(images) else None,
        crossed=crossed,
        frozen=frozen,
        near=near,
        settings=settings,
    )


def try_to_assess(
    model: TrainedModel, settings: TrainingSettings, near: NearDuplicates, *, frozen: Bottlenecks | None
) -> Assessment | None:
    """Return what `assess` returns; None, with a warning, if it fails: that must not lose a model."""
    try:
        return assess(model, settings, near, frozen=frozen)
    except Exception as error:
        log.debug("the assessment: %r", error, exc_info=True)
        log.warning(
            "the scores could not be calibrated, and nothing is unknown to the graph: %s. Please report "
            "this.",
            in_one_line(error),
        )
        return None


def known(model: TrainedModel, frozen: Bottlenecks | None) -> ImageVectors:
    """Return the images by which scores and vectors can be judged, without the test images.

    They are the training and validation images, or only the latter if the network has learnt from the others.
    """
    if frozen is model.bottlenecks:
        return ImageVectors.of_sets(model.bottlenecks, Split.TRAINING, Split.VALIDATION)
    return ImageVectors.of_sets(model.bottlenecks, Split.VALIDATION)


def scored(layer: SoftmaxLayer, bottlenecks: Bottlenecks, split: Split) -> Scored:
    """Return the images of a set, or a sample if they are many, with the scores that a layer gives them."""
    images = ImageVectors.of_sets(bottlenecks, split)
    images = images.only(images.sample(bottlenecks.digests, most_images(len(layer.biases))))
    scores = np.empty((len(images), len(layer.biases)), np.float32)
    for rows, vectors in images.blocks():
        scores[rows] = layer.log_probabilities(vectors)
    return Scored(images.numbers, images.labels, scores)
