from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.training import class_results
from retraining.training.class_results import ClassResult
from retraining.training.confidence import Interval
from retraining.training.evaluation import Evaluation


def images_of(**counts: tuple[int, int]) -> Dataset:
    """Return a dataset of classes with so many training and test images."""
    images = [
        LabelledImage(f"{label}_{index}.jpg", number, Split.TRAINING if index < training else Split.TESTING)
        for number, (label, (training, testing)) in enumerate(counts.items())
        for index in range(training + testing)
    ]
    return Dataset(tuple(counts), tuple(images))


def evaluation_of(*confusion: list[int]) -> Evaluation:
    matrix = np.array(confusion, np.int64)
    count = int(matrix.sum())
    return Evaluation(
        accuracy=float(matrix.trace() / count),
        interval=Interval(0, 1),
        count=count,
        misclassified=(),
        confusion=matrix,
    )


def results_of(dataset: Dataset, evaluation: Evaluation | None) -> list[ClassResult]:
    return list(class_results.class_results(dataset, evaluation))


def test_precision_and_recall_are_those_of_the_confusion_matrix() -> None:
    dataset = images_of(daisy=(50, 4), rose=(60, 6))
    assert results_of(dataset, evaluation_of([3, 1], [3, 3])) == [
        ClassResult("rose", images=66, tested=6, right=3, precision=0.75, recall=0.5),
        ClassResult("daisy", images=54, tested=4, right=3, precision=0.5, recall=0.75),
    ]


def test_worst_class_is_first_then_by_name_and_untested_ones_are_last() -> None:
    dataset = images_of(a=(9, 0), c=(9, 2), b=(9, 2), e=(9, 2), d=(9, 0))
    confusion = np.diag([0, 2, 2, 1, 0])
    confusion[3, 0] = 1
    labels = [result.label for result in results_of(dataset, evaluation_of(*confusion.tolist()))]
    assert labels == ["e", "b", "c", "a", "d"]


def test_class_that_is_not_tested_has_no_recall_and_one_never_predicted_no_precision() -> None:
    dataset = images_of(a=(9, 1), b=(9, 0), c=(9, 2))
    never_predicted, right, untested = results_of(dataset, evaluation_of([0, 0, 1], [0, 0, 0], [0, 0, 2]))
    assert (never_predicted.label, never_predicted.recall, right.label) == ("a", 0, "c")
    assert math.isnan(never_predicted.precision)
    assert (right.precision, right.recall) == (2 / 3, 1)
    assert (untested.label, untested.images) == ("b", 9)
    assert math.isnan(untested.recall)


def test_class_that_is_not_tested_but_predicted_has_a_precision_of_0() -> None:
    tested, untested = results_of(images_of(a=(9, 0), b=(9, 2)), evaluation_of([0, 0], [1, 1]))
    assert (tested.label, tested.recall, untested.label, untested.precision) == ("b", 0.5, "a", 0)


def test_without_test_images_each_class_has_its_images_and_no_figures() -> None:
    results = results_of(images_of(b=(9, 0), a=(8, 0)), None)
    assert [(result.label, result.images, result.tested, result.right) for result in results] == [
        ("a", 8, 0, 0),
        ("b", 9, 0, 0),
    ]
    assert all(math.isnan(result.precision) and math.isnan(result.recall) for result in results)


def test_all_classes_are_in_the_csv_file(tmp_path: Path) -> None:
    results = [
        ClassResult("rose, red", 1320, 3, 1, 1.0, 1 / 3),
        ClassResult("na\nme", 20, 0, 0, math.nan, math.nan),
    ]
    path = class_results.write(results, tmp_path / "new")
    assert path == tmp_path / "new" / "class_results.csv"
    assert path.read_text() == (
        "class,images,tested,right,precision,recall\n"
        '"rose, red",1320,3,1,1.0,0.3333333333333333\n'
        "na\\x0ame,20,0,0,,\n"
    )


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_were_tested() -> None:
    assert evaluation_of([30, 0, 0], [1, 1, 0], [0, 0, 0]).balanced_accuracy == pytest.approx(0.75)
