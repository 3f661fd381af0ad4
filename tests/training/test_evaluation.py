from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retraining.arrays import Batch, ImageSize
from retraining.data.dataset import LabelledImage
from retraining.data.split import Split
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef
from retraining.settings.formats import SAVED_MODEL
from retraining.settings.training import TrainingSettings
from retraining.training import evaluation, metrics, softmax_layer
from retraining.training.evaluation import Misclassified
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer
from tests.training.test_softmax_layer import sets

FIRST_THREE = SoftmaxLayer(np.eye(4, 3, dtype=np.float32), np.zeros(3, np.float32))
ALWAYS_B = SoftmaxLayer(np.zeros((4, 3), np.float32), np.array([0, 1, 0], np.float32))


def test_accuracy_is_the_share_of_test_images_that_are_right() -> None:
    bottlenecks = sets([0, 1, 2], [], [0, 1, 1, 2])
    perfect = evaluation.evaluate(FIRST_THREE, bottlenecks, TrainingSettings())
    assert perfect is not None
    assert (perfect.accuracy, perfect.count, perfect.misclassified) == (1.0, 4, ())
    assert perfect.confusion.tolist() == [[1, 0, 0], [0, 2, 0], [0, 0, 1]]
    half = evaluation.evaluate(ALWAYS_B, bottlenecks, TrainingSettings())
    assert half is not None
    assert (half.accuracy, half.count) == (0.5, 4)
    assert half.confusion.tolist() == [[0, 1, 0], [0, 2, 0], [0, 1, 0]]
    assert half.misclassified == (
        Misclassified("0.jpg", "a", "b"),
        Misclassified("3.jpg", "c", "b"),
    )


def test_test_batch_size_is_the_number_of_images_drawn() -> None:
    bottlenecks = sets([0, 1, 2], [], [0, 1, 2] * 5)
    result = evaluation.evaluate(FIRST_THREE, bottlenecks, TrainingSettings(test_batch_size=40))
    assert result is not None
    assert result.count == result.confusion.sum() == 40


def test_interval_is_that_of_the_accuracy() -> None:
    result = evaluation.evaluate(ALWAYS_B, sets([0, 1, 2], [], [1] * 26 + [0] * 3), TrainingSettings())
    assert result is not None
    assert result.interval == pytest.approx((0.736, 0.964), abs=5e-4)


def test_drawing_the_same_images_again_does_not_narrow_the_interval() -> None:
    bottlenecks = sets([0, 1, 2], [], [0, 1, 2] * 5)
    whole = evaluation.evaluate(FIRST_THREE, bottlenecks, TrainingSettings())
    drawn = evaluation.evaluate(FIRST_THREE, bottlenecks, TrainingSettings(test_batch_size=100_000))
    assert whole is not None
    assert drawn is not None
    assert drawn.interval == pytest.approx(whole.interval, abs=0.01)


def test_interval_is_wide_if_half_of_the_draws_are_of_one_image() -> None:
    bottlenecks = sets([0, 1, 2], [], [0] * 100 + [1])  # each class is drawn equally often
    drawn = evaluation.evaluate(FIRST_THREE, bottlenecks, TrainingSettings(test_batch_size=100_000))
    assert drawn is not None
    assert drawn.interval.low < 0.6


def test_empty_test_set_has_no_evaluation() -> None:
    assert evaluation.evaluate(FIRST_THREE, sets([0, 1, 2], [], []), TrainingSettings()) is None


def test_images_are_judged_the_same_in_blocks_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    bottlenecks = sets([0, 1, 2], [], [0, 1, 1, 2, 0, 1, 2])
    testing = Batch(bottlenecks.testing.vectors, bottlenecks.testing.labels)
    at_once = evaluation.evaluate(ALWAYS_B, bottlenecks, TrainingSettings())
    metrics_at_once = metrics.measure(FIRST_THREE, testing)
    monkeypatch.setattr(softmax_layer, "_ROWS_AT_ONCE", 3)
    in_blocks = evaluation.evaluate(ALWAYS_B, bottlenecks, TrainingSettings())
    assert in_blocks == at_once
    assert metrics.measure(FIRST_THREE, testing) == metrics_at_once


def test_export_gets_few_vectors_and_the_images_only_for_other_formats() -> None:
    bottlenecks = sets([0, 1, 2], [0, 1], [0, 1, 2] * 20)
    images = tuple(LabelledImage(f"{number}.jpg", 0, Split.TESTING) for number in range(60))
    bottlenecks = dataclasses.replace(
        bottlenecks, dataset=dataclasses.replace(bottlenecks.dataset, images=images), digests=(b"",) * 60
    )
    network = FeatureExtractor("none", ImageSize(1, 1), 4, "", FrozenGraph(GraphDef(), "", ""))
    model = TrainedModel.of_layer(FIRST_THREE, bottlenecks, network, TrainingSettings())
    for formats, kept in ((), ()), ((SAVED_MODEL,), images):
        sent = model.for_export(formats).bottlenecks
        assert (len(sent.training), len(sent.validation), len(sent.testing)) == (0, 0, 32)
        assert (sent.dataset.images, sent.digests) == (kept, ())
        assert {path.name for path in sent.testing.paths} & {"0.jpg", "59.jpg"}  # from all over the set


def test_export_gets_images_that_can_be_opened_wherever_they_are_in_the_set(tmp_path: Path) -> None:
    whole = sets([0], [], [0, 1, 2] * 20)
    paths = [tmp_path / path.name for path in whole.testing.paths]
    for path in paths[:4] + paths[50:]:
        path.touch()
    testing = dataclasses.replace(whole.testing, files=[str(path) for path in paths])
    sent = dataclasses.replace(whole, testing=testing).only_held_out(12).testing
    rows = [int(path.stem) for path in sent.paths]
    assert rows == sorted(rows)
    assert set(rows) < {*range(4), *range(50, 60)}
    assert [len(set(rows) & set(part)) > 0 for part in (range(4), range(50, 60))] == [True, True]
    np.testing.assert_array_equal(sent.vectors, testing.vectors[rows])
    np.testing.assert_array_equal(sent.labels, testing.labels[rows])
    assert sent.keys == [testing.keys[row] for row in rows]
