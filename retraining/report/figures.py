"""Figures of each class and pair of classes, by scikit-learn, which is imported when it is first needed."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.answers import BEST, Answers
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split


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


def of_classes(dataset: DatasetSummary, testing: Answers) -> tuple[ClassFigures, ...]:
    """Return the figures of each class, those with the most trouble first and untested ones last."""
    precision, recall, f1 = _precision_recall_f1(testing, len(dataset.labels))
    found = [
        ClassFigures(
            number,
            label,
            int(dataset.in_set(Split.TRAINING)[number]),
            int(dataset.in_set(Split.VALIDATION)[number]),
            int(dataset.in_set(Split.TESTING)[number]),
            float(precision[number]),
            float(recall[number]),
            float(f1[number]),
        )
        for number, label in enumerate(dataset.labels)
    ]
    return tuple(sorted(found, key=_trouble))


def confusion(testing: Answers, classes: int) -> NDArray[np.int64]:
    """Return int64 [classes, classes]: row i, column j counts photographs of class i taken for class j."""
    if not len(testing):
        return np.zeros((classes, classes), np.int64)
    from sklearn.metrics import confusion_matrix

    counted: NDArray[np.int64] = confusion_matrix(
        testing.labels, testing.predicted, labels=np.arange(classes)
    )
    return counted


def among_best(testing: Answers, classes: int) -> float:
    """Return the share in [0, 1] of photographs whose label is among the BEST, NaN if that says nothing."""
    return float(testing.is_among_best.mean()) if len(testing) and classes > BEST else math.nan


def _precision_recall_f1(
    testing: Answers, classes: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return float64 [classes] three times, NaN where there is nothing to divide by."""
    if not len(testing):
        nothing = np.full(classes, math.nan)
        return nothing, nothing, nothing
    from sklearn.metrics import precision_recall_fscore_support

    precision, recall, f1, _ = precision_recall_fscore_support(
        testing.labels, testing.predicted, labels=np.arange(classes), zero_division=math.nan
    )
    return precision, recall, f1


def _trouble(figures: ClassFigures) -> tuple[bool, float, str]:
    # Without a right answer there is no F1 where nothing was taken for the class either.
    return math.isnan(figures.recall), 0.0 if math.isnan(figures.f1) else figures.f1, figures.label
