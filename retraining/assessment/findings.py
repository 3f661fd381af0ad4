"""All that is found out about a trained model: what the report shows."""

from __future__ import annotations

import dataclasses

from retraining.assessment.calibration import Calibration
from retraining.assessment.mistakes import Mistake
from retraining.assessment.novelty_fit import NoveltyCheck
from retraining.assessment.scored import Scored
from retraining.assessment.suspects import Suspect
from retraining.assessment.trend import Trend
from retraining.data.dataset import Dataset
from retraining.features.bottleneck_sets import SkippedImage
from retraining.features.duplicates import Duplicates
from retraining.training.evaluation import Evaluation


@dataclasses.dataclass(frozen=True)
class Findings:
    """What is known about a model, without its vectors.

    `evaluation` is None, and `testing` is empty, if there are no test images. `testing` are all test images
    with the scores of the model itself, as it is exported. `judged` is the number of images that were looked
    at for wrong labels.
    """

    network: str
    dataset: Dataset
    evaluation: Evaluation | None
    testing: Scored
    mistakes: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...]
    judged: int
    same: Duplicates
    near: Duplicates
    skipped: tuple[SkippedImage, ...]
    trend: Trend | None
    calibration: Calibration
    novelty: NoveltyCheck | None
