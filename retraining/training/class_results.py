"""How well each class does on the test images."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retraining.data.dataset import Dataset, image_counts
from retraining.storage.csv_file import write_csv
from retraining.storage.spreadsheet import cell
from retraining.training.evaluation import Evaluation

CLASS_RESULTS_FILE = "class_results.csv"


@dataclasses.dataclass(frozen=True)
class ClassResult:
    """How well a class does.

    `images` counts those of all three sets, `tested` the test images that were classified, and `right` those
    of them that were predicted to be of their class. `precision` in [0, 1] is the share of right ones among
    all test images that were predicted to be of this class, `recall` in [0, 1] their share among those that
    are of this class. Both are NaN where there are no such images.
    """

    label: str
    images: int
    tested: int
    right: int
    precision: float
    recall: float


def class_results(dataset: Dataset, evaluation: Evaluation | None) -> tuple[ClassResult, ...]:
    """Return a result for each class: the lowest recall first, then by name; untested classes last."""
    classes = len(dataset.labels)
    confusion = np.zeros((classes, classes), np.int64) if evaluation is None else evaluation.confusion
    tested, predicted, right = confusion.sum(axis=1), confusion.sum(axis=0), confusion.diagonal()
    results = [
        ClassResult(
            label=label,
            images=sum(counts.values()),
            tested=int(tested[number]),
            right=int(right[number]),
            precision=_share(right[number], predicted[number]),
            recall=_share(right[number], tested[number]),
        )
        for number, (label, counts) in enumerate(image_counts(dataset).items())
    ]
    return tuple(sorted(results, key=_worst_first))


def write(results: Sequence[ClassResult], folder: Path) -> Path:
    """Write the results to a CSV file in `folder`, and return its path. Raises WorkFailed.

    Shares have all digits; one that is NaN is an empty cell.
    """
    path = folder / CLASS_RESULTS_FILE
    header = ("class", "images", "tested", "right", "precision", "recall")
    write_csv(path, header, [_cells(result) for result in results])
    return path


def _worst_first(result: ClassResult) -> tuple[float, str]:
    return (result.recall if result.tested else math.inf), result.label


def _share(part: np.int64, whole: np.int64) -> float:
    return float(part / whole) if whole else math.nan


def _cells(result: ClassResult) -> tuple[str, ...]:
    label, *figures = dataclasses.astuple(result)
    return cell(label), *("" if math.isnan(figure) else str(figure) for figure in figures)
