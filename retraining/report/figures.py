"""Figures of each class and pair of classes, by scikit-learn, which is imported when it is first needed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.scored import Scored
from retraining.data.dataset import Dataset, image_counts
from retraining.data.split import Split

BEST = 3  # labels that are looked at for the right one


@dataclasses.dataclass(frozen=True)
class ClassFigures:
    """How many photographs a class has in each set, and how well its test photographs do.

    `precision`, `recall` and `f1` are in [0, 1], or NaN where there are no photographs to tell it from.
    """

    number: int
    label: str
    training: int
    validation: int
    testing: int
    precision: float
    recall: float
    f1: float


def of_classes(dataset: Dataset, testing: Scored) -> tuple[ClassFigures, ...]:
    """Return the figures of each class, those with the most trouble first and untested ones last."""
    counts = image_counts(dataset)
    precision, recall, f1 = _precision_recall_f1(testing, len(dataset.labels))
    found = [
        ClassFigures(
            number,
            label,
            counts[label][Split.TRAINING],
            counts[label][Split.VALIDATION],
            counts[label][Split.TESTING],
            float(precision[number]),
            float(recall[number]),
            float(f1[number]),
        )
        for number, label in enumerate(dataset.labels)
    ]
    return tuple(sorted(found, key=_trouble))


def confusion(testing: Scored, classes: int) -> NDArray[np.int64]:
    """Return int64 [classes, classes]: row i, column j counts photographs of class i taken for class j."""
    if not len(testing):
        return np.zeros((classes, classes), np.int64)
    from sklearn.metrics import confusion_matrix

    counted: NDArray[np.int64] = confusion_matrix(
        testing.labels, _predicted(testing), labels=np.arange(classes)
    )
    return counted


def among_best(testing: Scored) -> float:
    """Return the share in [0, 1] of photographs whose label is among the BEST, NaN if that says nothing."""
    classes = testing.log_probabilities.shape[1]
    if not len(testing) or classes <= BEST:
        return math.nan
    from sklearn.metrics import top_k_accuracy_score

    return float(
        top_k_accuracy_score(testing.labels, testing.log_probabilities, k=BEST, labels=np.arange(classes))
    )


def _precision_recall_f1(
    testing: Scored, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return float64 [classes] three times, NaN where there is nothing to divide by."""
    if not len(testing):
        nothing = np.full(classes, math.nan)
        return nothing, nothing, nothing
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        testing.labels, _predicted(testing), labels=np.arange(classes), zero_division=math.nan
    )
    return precision, recall, f1


def _predicted(testing: Scored) -> NDArray[np.int64]:
    predicted: NDArray[np.int64] = testing.log_probabilities.argmax(axis=1)
    return predicted


def _trouble(figures: ClassFigures) -> tuple[bool, float, str]:
    # Without a right answer there is no F1 where nothing was taken for the class either.
    return math.isnan(figures.recall), 0.0 if math.isnan(figures.f1) else figures.f1, figures.label
