from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retraining.arrays import Batch
from retraining.data.dataset import Dataset
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.training import TrainingSettings
from retraining.training import metrics, softmax_layer, trainer
from retraining.training.sampler import Sampler
from retraining.training.softmax_layer import SoftmaxLayer
from retraining.training.trainer import TrainingStep


def image_set(labels: list[int], features: int = 4, seed: int = 0) -> BottleneckSet:
    """Return vectors that reveal the class in their first components."""
    rng = np.random.default_rng(seed)
    vectors = rng.normal(scale=0.1, size=(len(labels), features)).astype(np.float32)
    vectors[np.arange(len(labels)), labels] += 2
    files = tuple(f"{index}.jpg" for index in range(len(labels)))
    return BottleneckSet(vectors, np.array(labels, np.int64), files, (b"",) * len(labels))


def sets(training: list[int], validation: list[int], testing: list[int]) -> Bottlenecks:
    return Bottlenecks(
        training=image_set(training),
        validation=image_set(validation, seed=1),
        testing=image_set(testing, seed=2),
        dataset=Dataset(("a", "b", "c"), ()),
        digests=(),
        skipped=(),
    )


LEARNABLE = sets([0, 1, 2] * 20, [0, 1, 2] * 5, [0, 1, 2] * 5)


def settings(**changes: float) -> TrainingSettings:
    return dataclasses.replace(TrainingSettings(how_many_training_steps=300, learning_rate=0.1), **changes)  # type: ignore[arg-type]


def test_learnable_labels_are_learnt() -> None:
    layer = trainer.train(LEARNABLE, settings())
    testing = LEARNABLE.testing
    assert metrics.measure(layer, Batch(testing.vectors, testing.labels)).accuracy == 1
    assert layer.weights.dtype == layer.biases.dtype == np.float32


def test_random_labels_are_not_learnt() -> None:
    rng = np.random.default_rng(5)
    shuffled = dataclasses.replace(
        LEARNABLE, training=dataclasses.replace(LEARNABLE.training, labels=rng.integers(0, 3, 60))
    )
    layer = trainer.train(shuffled, settings())
    testing = LEARNABLE.testing
    assert metrics.measure(layer, Batch(testing.vectors, testing.labels)).accuracy < 0.8


def test_a_step_is_tensorflows_gradient_descent() -> None:
    rng = np.random.default_rng(0)
    layer = SoftmaxLayer(rng.normal(size=(4, 3)).astype(np.float32), rng.normal(size=3).astype(np.float32))
    batch = Batch(rng.normal(size=(7, 4)).astype(np.float32), rng.integers(0, 3, 7))
    weights, biases = tf.Variable(layer.weights), tf.Variable(layer.biases)
    with tf.GradientTape() as tape:
        logits = tf.matmul(batch.vectors, weights) + biases
        loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(batch.labels, logits))
    gradients = tape.gradient(loss, [weights, biases])
    assert metrics.measure(layer, batch).cross_entropy == pytest.approx(float(loss), rel=1e-5)
    expected = [weights - 0.5 * gradients[0], biases - 0.5 * gradients[1]]
    before = layer.weights.copy(), layer.biases.copy()
    stepped = softmax_layer.gradient_step(layer, batch, 0.5).layer
    np.testing.assert_allclose(stepped.weights, expected[0], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(stepped.biases, expected[1], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(layer.weights, before[0])
    np.testing.assert_array_equal(layer.biases, before[1])


def test_probabilities_of_huge_logits_do_not_overflow() -> None:
    layer = SoftmaxLayer(np.array([[1000.0, -1000.0]], np.float32), np.zeros(2, np.float32))
    np.testing.assert_array_equal(layer.probabilities(np.array([[1.0]], np.float32)), [[1, 0]])


def test_draws_are_uniform_over_classes_and_then_over_images() -> None:
    images = image_set([0] * 90 + [1] * 9 + [2])
    rows = Sampler(images, np.random.default_rng(0)).draw(30_000)
    shares = np.bincount(images.labels[rows]) / len(rows)
    np.testing.assert_allclose(shares, 1 / 3, atol=0.02)
    of_second = np.bincount(rows[images.labels[rows] == 1] - 90, minlength=9)
    np.testing.assert_allclose(of_second / of_second.sum(), 1 / 9, atol=0.02)


def test_classes_without_images_in_a_set_are_not_drawn() -> None:
    images = image_set([2, 2, 0])
    rows = Sampler(images, np.random.default_rng(0)).draw(100)
    assert set(images.labels[rows]) == {0, 2}


def test_minus_one_takes_every_image_once() -> None:
    assert sorted(Sampler(LEARNABLE.training, np.random.default_rng(0)).draw(-1)) == list(range(60))
    reports: list[TrainingStep] = []
    trainer.train(
        LEARNABLE, settings(train_batch_size=-1, validation_batch_size=-1), on_report=reports.append
    )
    assert reports[0].training.count == 60
    assert reports[0].validation is not None
    assert reports[0].validation.count == 15


def test_reports_come_at_every_interval_and_after_the_last_step() -> None:
    steps: list[int] = []
    trainer.train(
        LEARNABLE,
        settings(how_many_training_steps=25, eval_step_interval=10),
        on_report=lambda report: steps.append(report.step),
    )
    assert steps == [0, 10, 20, 24]


def test_set_without_validation_images_has_no_validation() -> None:
    reports: list[TrainingStep] = []
    trainer.train(sets([0, 1, 2], [], []), settings(), on_report=reports.append)
    assert {report.validation for report in reports} == {None}


def test_same_seed_gives_the_same_layer_however_often_it_is_reported() -> None:
    silent = trainer.train(LEARNABLE, settings())
    reported = trainer.train(LEARNABLE, settings(eval_step_interval=1), on_report=list[TrainingStep]().append)
    np.testing.assert_array_equal(silent.weights, reported.weights)
    another = trainer.train(LEARNABLE, settings(seed=1))
    assert not np.array_equal(silent.weights, another.weights)
