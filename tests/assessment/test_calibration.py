"""Temperatures and reliability, on made-up scores."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from retraining.assessment import calibration
from retraining.assessment.calibration import COLDEST, HOTTEST, TRUSTED
from retraining.assessment.scored import Scored
from retraining.training import metrics
from retraining.training.softmax_layer import SoftmaxLayer


def _scored(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> Scored:
    return Scored(np.arange(len(labels)), labels, calibration.tempered(logits, 1))


def _calibrated(count: int, *, classes: int = 4, seed: int = 0) -> Scored:
    """Return images whose labels are drawn by their scores."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(scale=2, size=(count, classes)).astype(np.float32)
    drawn = logits + rng.gumbel(size=logits.shape)
    return _scored(logits, drawn.argmax(axis=1))


def _sharpened(scored: Scored, factor: float) -> Scored:
    return _scored(scored.log_probabilities * np.float32(factor), scored.labels)


def _of_scores(*rows: tuple[float, bool]) -> Scored:
    """Return images of two classes, by the score of the best label and whether it is right."""
    scores = np.array([[score, 1 - score] for score, _ in rows])
    labels = np.array([0 if is_right else 1 for _, is_right in rows])
    return Scored(np.arange(len(rows)), labels, np.log(scores).astype(np.float32))


def loss(scored: Scored, temperature: float) -> float:
    scaled = calibration.tempered(scored.log_probabilities, temperature)
    return metrics.of_log_probabilities(scaled, scored.labels).cross_entropy


@pytest.mark.parametrize("factor", [0.2, 1, 5])
def test_factor_that_logits_were_multiplied_by_is_found(factor: float) -> None:
    assert calibration.fit(_sharpened(_calibrated(5000), factor)) == pytest.approx(factor, rel=0.06)


def test_no_other_temperature_makes_the_labels_likelier() -> None:
    scored = _sharpened(_calibrated(5000, seed=1), 3)
    found = calibration.fit(scored)
    best = loss(scored, found)
    for factor in (0.9, 1.1):
        assert best < loss(scored, factor * found)
    assert best < loss(scored, 1)


@pytest.mark.parametrize("size", [1, 10, 1e5])
def test_images_that_are_all_right_make_scores_surer_only_as_far_as_their_number_allows(size: float) -> None:
    labels = np.arange(100) % 3
    found = calibration.fit(_scored(size * np.eye(3, dtype=np.float32)[labels], labels))
    assert COLDEST < found <= 1
    if size == 1:
        scores = np.exp(calibration.tempered(np.eye(3, dtype=np.float32)[:1], found))
        wrong = 2 * math.exp(0) / (math.e + 2)
        assert 1 - scores[0, 0] == pytest.approx(wrong * TRUSTED / (TRUSTED + 100), rel=0.01)


@pytest.mark.parametrize("is_right", [True, False])
def test_one_image_hardly_moves_the_temperature(is_right: bool) -> None:
    assert 0.9 < calibration.fit(_of_scores((0.9, is_right))) < 1.3


def test_temperature_of_images_that_are_all_wrong_is_bounded() -> None:
    labels = np.arange(1000) % 2
    found = calibration.fit(_scored(1e5 * np.eye(2, dtype=np.float32)[1 - labels], labels))
    assert 1 < found <= HOTTEST


def test_nothing_is_fitted_to_no_images_or_to_scores_that_are_no_numbers() -> None:
    none = Scored(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert calibration.fit(none) == 1
    scores = np.array([[0, -np.inf], [np.nan, 0]], np.float32)
    assert calibration.fit(Scored(np.arange(2), np.zeros(2, np.int64), scores)) == 1


def test_scores_that_are_all_equal_are_left() -> None:
    labels = np.arange(60) % 3
    assert calibration.fit(_scored(np.zeros((60, 3), np.float32), labels)) == pytest.approx(1)


def test_answers_stay_the_same() -> None:
    rng = np.random.default_rng(0)
    layer = SoftmaxLayer(rng.normal(size=(50, 10)).astype(np.float32), rng.normal(size=10).astype(np.float32))
    layer.weights[:, 3] = layer.weights[:, 7]  # so that some are equal
    layer.biases[3] = layer.biases[7]
    vectors = rng.normal(size=(2000, 50)).astype(np.float32)
    plain = layer.log_probabilities(vectors)
    for temperature in (0.05, 0.7, 1 / 3, 1.1, 20):
        tempered = calibration.divided(layer, temperature).log_probabilities(vectors)
        (changed,) = np.nonzero(tempered.argmax(axis=1) != plain.argmax(axis=1))
        first, second = np.sort(plain[changed], axis=1)[:, -1:-3:-1].T
        assert second == pytest.approx(first, abs=1e-5)
        assert len(changed) <= 5 or (first == second).all()
        assert np.abs(tempered - calibration.tempered(plain, temperature)).max() < 1e-3


def test_layer_that_was_divided_and_multiplied_again_is_the_same_but_for_rounding() -> None:
    layer = SoftmaxLayer(np.ones((3, 2), np.float32), np.ones(2, np.float32))
    again = calibration.divided(calibration.divided(layer, 1.7), 1 / 1.7)
    assert again.weights == pytest.approx(layer.weights, rel=1e-6)


def test_error_of_an_example_is_the_one_computed_by_hand() -> None:
    found = calibration.reliability(
        _of_scores((0.92, True), (0.94, True), (0.96, False), (0.66, True), (0.64, False), (0.99, True))
    )
    assert found.counts.tolist() == [0, 0, 0, 0, 0, 0, 2, 0, 0, 4]
    assert found.scores[[6, 9]] == pytest.approx([0.65, 0.9525])
    assert found.accuracies[[6, 9]] == pytest.approx([0.5, 0.75])
    assert found.error == pytest.approx((2 * 0.15 + 4 * 0.2025) / 6, abs=1e-6)
    assert np.isnan(found.scores[:6]).all()
    assert np.isnan(found.accuracies[:6]).all()


def test_error_of_calibrated_scores_is_near_zero_and_that_of_sharpened_ones_is_not() -> None:
    scored = _calibrated(10_000)
    assert calibration.reliability(scored).error < 0.015
    sharp = _sharpened(scored, 3)
    assert calibration.reliability(sharp).error > 0.1
    assert calibration.reliability(sharp, 3).error < 0.015


def test_reliability_of_no_images_is_not_known() -> None:
    none = Scored(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 3), np.float32))
    assert math.isnan(calibration.reliability(none).error)


@pytest.mark.parametrize("is_applied", [True, False])
def test_assessment_compares_scores_before_and_after(is_applied: bool) -> None:
    known, testing = (_sharpened(_calibrated(5000, seed=seed), 3) for seed in (1, 2))
    found = calibration.assess(known, testing, is_applied=is_applied)
    assert found.fitted == pytest.approx(3, rel=0.06)
    assert found.temperature == (found.fitted if is_applied else 1)
    assert found.is_applied is is_applied
    assert found.after.error < 0.03 < 0.1 < found.before.error
    assert (found.known.error < 0.03) is is_applied
