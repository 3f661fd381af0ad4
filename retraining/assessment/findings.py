"""All that is found out about a trained model: what the report shows."""

from __future__ import annotations

import dataclasses
import logging

import numpy as np

from retraining.assessment import answers, mistakes, novelty_fit, suspects, trend
from retraining.assessment import assessment as assessments
from retraining.assessment.answers import Answers, Examples
from retraining.assessment.assessment import Assessment
from retraining.assessment.calibration import Calibration
from retraining.assessment.judges import Judges
from retraining.assessment.mistakes import Mistake
from retraining.assessment.novelty_fit import NoveltyCheck
from retraining.assessment.scored import MOST_IMAGES
from retraining.assessment.suspects import Suspect
from retraining.assessment.trend import Trend
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split
from retraining.errors import in_one_line
from retraining.features import duplicates
from retraining.features.bottleneck_sets import SkippedImage
from retraining.features.duplicates import Duplicates
from retraining.features.image_vectors import ImageVectors
from retraining.features.near_duplicates import Search
from retraining.training.evaluation import Evaluation
from retraining.training.model import TrainedModel

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is known about a model, without its vectors and without those images that no report shows.

    `evaluation` is None, and `testing` is empty, if there are no test images. `testing` are all test images
    with the answers of the model itself, as it is exported, and `examples` the first of each pair of classes.
    `judged` is the number of images that were looked at for wrong labels. `trend` and `novelty` are None if
    there is nothing to tell. `known` is the number of images that scores and vectors can be judged by without
    the test images, and `near_search` says how near-duplicates were searched for, if that is known.
    """

    network: str
    dataset: DatasetSummary
    evaluation: Evaluation | None
    testing: Answers
    examples: tuple[Examples, ...]
    mistakes: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...]
    judged: int
    same: Duplicates
    near: Duplicates
    skipped: tuple[SkippedImage, ...]
    trend: Trend | None
    calibration: Calibration
    novelty: NoveltyCheck | None
    is_fine_tuned: bool = False
    known: int = 0
    near_search: Search | None = None


def find(model: TrainedModel, assessment: Assessment) -> Findings:
    """Return the findings about a model, to which the temperature of the assessment was applied."""
    vectors = model.bottlenecks
    dataset = vectors.dataset
    testing = ImageVectors.of_sets(vectors, Split.TESTING)
    training = ImageVectors.of_sets(vectors, Split.TRAINING)
    tested = Answers.of_layer(model.layer, testing)
    judged = _judged(model, assessment)
    return Findings(
        network=model.extractor.name,
        dataset=DatasetSummary.of(dataset),
        evaluation=model.evaluation,
        testing=tested,
        examples=answers.examples(tested, dataset),
        mistakes=mistakes.find(dataset, tested, testing, training),
        suspects=suspects.find(vectors, judged),
        judged=len(judged),
        same=duplicates.identical(dataset, vectors.digests),
        near=duplicates.nearly(dataset, assessment.near.groups),
        known=len(assessments.known(model, assessment.frozen)),
        near_search=assessment.near.search,
        skipped=vectors.skipped,
        trend=None if assessment.frozen is None else trend.find(assessment.frozen, assessment.settings),
        calibration=assessment.calibration,
        novelty=_novelty_check(model, assessment, testing),
        is_fine_tuned=model.is_fine_tuned,
    )


def try_to_find(model: TrainedModel, assessment: Assessment | None) -> Findings | None:
    """Return what `find` returns; None without an assessment, or with a warning if it fails.

    A run must not lose its classifier by a failure in what is said about it.
    """
    if assessment is None:
        return None
    try:
        return find(model, assessment)
    except Exception as error:
        log.debug("the findings: %r", error, exc_info=True)
        log.warning(
            "nothing could be found out about %s for the report: %s. Please report this.",
            model.extractor.name,
            in_one_line(error),
        )
        return None


def _judged(model: TrainedModel, assessment: Assessment) -> Judges:
    """Return all images that a layer can judge which has not seen them."""
    if assessment.crossed is not None:
        return assessment.crossed.judges
    held_out = ImageVectors.of_sets(model.bottlenecks, Split.VALIDATION, Split.TESTING)
    return Judges((model.layer,), held_out, np.ones((len(held_out), 1), bool))


def _novelty_check(model: TrainedModel, assessment: Assessment, testing: ImageVectors) -> NoveltyCheck | None:
    if assessment.novelty is None:
        return None
    digests = model.bottlenecks.digests
    known, unseen = (
        images.only(images.sample(digests, MOST_IMAGES))
        for images in (assessments.known(model, assessment.frozen), testing)
    )
    return novelty_fit.check(assessment.novelty, known, unseen, len(model.labels))
