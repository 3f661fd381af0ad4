"""The beginning of a report: how well the model does, beside one that only knows the largest class."""

from __future__ import annotations

import dataclasses

from retraining.assessment.findings import Findings
from retraining.data.split import Split
from retraining.report import figures
from retraining.training.confidence import Interval


@dataclasses.dataclass(frozen=True)
class Headline:
    """The test accuracy in [0, 1] on `tested` images, `right` of which were given the label of their class.

    `largest` is the class with the most training images; `guessed` is the share in [0, 1] of all images that
    are of it, which is about what answering nothing else would get right.
    `among_best` is the share of images whose label is among the BEST, or NaN. `balanced` is the mean recall.
    """

    accuracy: float
    interval: Interval
    tested: int
    right: int
    largest: str
    guessed: float
    among_best: float
    balanced: float


def headline(findings: Findings) -> Headline | None:
    """Return the headline, or None if nothing was tested."""
    evaluation = findings.evaluation
    if evaluation is None:
        return None
    dataset = findings.dataset
    largest = int(dataset.in_set(Split.TRAINING).argmax())
    return Headline(
        accuracy=evaluation.accuracy,
        interval=evaluation.interval,
        tested=evaluation.count,
        right=evaluation.count - len(evaluation.misclassified),
        largest=dataset.labels[largest],
        guessed=int(dataset.counts[largest].sum()) / len(dataset),
        among_best=figures.among_best(findings.testing, len(dataset.labels)),
        balanced=evaluation.balanced_accuracy,
    )
