"""Fitting the detector of unknown images, on made-up vectors: false alarms, what is caught, odd classes."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from retraining.arrays import Vectors
from retraining.assessment import novelty_fit
from retraining.features.image_vectors import ImageVectors
from retraining.inference.novelty import NoveltyDetector

WIDTH = 32


def _images(vectors: Vectors, labels: NDArray[np.int64]) -> ImageVectors:
    return ImageVectors(np.arange(len(labels)), labels, (vectors,))


def _drawn(count: int, classes: int, seed: int) -> ImageVectors:
    """Return images of classes around an axis each, all of them evenly."""
    labels = np.arange(count) % classes
    noise = np.random.default_rng(seed).standard_normal((count, WIDTH), np.float32)
    return _images(np.eye(classes, WIDTH, dtype=np.float32)[labels] * 6 + noise, labels)


def _folds(images: ImageVectors) -> NDArray[np.int64]:
    return np.arange(len(images)) // (int(images.labels.max()) + 1) % 5


def _fit(images: ImageVectors, classes: int | None = None) -> NoveltyDetector:
    detector = novelty_fit.fit(images, _folds(images), classes or int(images.labels.max()) + 1)
    assert detector is not None
    return detector


def _none() -> ImageVectors:
    return _images(np.zeros((0, WIDTH), np.float32), np.zeros(0, np.int64))


@pytest.mark.parametrize(("count", "draws"), [(40, 40), (400, 10)])
def test_one_in_twenty_new_images_is_a_false_alarm(count: int, draws: int) -> None:
    rates = []
    for seed in range(draws):
        detector = _fit(_drawn(count, 2, seed))
        testing = _drawn(200, 2, 1000 + seed)
        rates.append(novelty_fit.check(detector, _none(), testing, 2).false_alarms)
    assert 0.03 < np.mean(rates) < 0.06


def test_novelty_of_new_images_is_even() -> None:
    novelty = _fit(_drawn(2000, 2, 0)).novelty(_drawn(2000, 2, 1).parts[0])
    assert np.quantile(novelty, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.04)


def test_other_images_are_caught() -> None:
    others = np.random.default_rng(9).standard_normal((100, WIDTH), np.float32)
    assert (_fit(_drawn(200, 4, 0)).novelty(others) > 0.95).mean() > 0.9


@pytest.mark.parametrize("count", [0, 39])
def test_nothing_is_fitted_to_few_images(count: int) -> None:
    images = _drawn(count, 2, 0)
    assert novelty_fit.fit(images, np.arange(count) % 5, 2) is None


def test_images_of_a_class_in_one_fold_only_are_not_counted() -> None:
    images = _drawn(40, 2, 0)
    assert novelty_fit.fit(images, images.labels, 2) is None


def test_detector_is_the_same_after_it_was_written() -> None:
    detector = _fit(_drawn(200, 3, 0))
    again = NoveltyDetector.decode(detector.encode())
    assert (again.centres == detector.centres).all()
    assert (again.quantiles == detector.quantiles).all()


def test_class_that_looks_two_ways_has_a_centre_for_each() -> None:
    ways = np.eye(4, WIDTH, dtype=np.float32)
    labels = np.arange(240) % 2
    noise = 0.02 * np.random.default_rng(0).standard_normal((240, WIDTH), np.float32)
    detector = _fit(_images(ways[np.arange(240) % 4] + noise, labels))
    assert detector.centres.shape == (6, WIDTH)
    to_the_mean = 1 - 0.5**0.5
    assert (detector.distances(ways) < to_the_mean / 3).all()


def test_class_left_out_is_caught_by_all_its_images() -> None:
    images = _drawn(300, 3, 0)
    check = novelty_fit.check(_fit(images), images, _drawn(30, 3, 1), 3)
    assert [each.label for each in check.left_out] == [0, 1, 2]
    assert all(each.caught > 0.9 for each in check.left_out)
    assert check.test_novelty.shape == (30,)


def test_nothing_is_known_of_a_test_without_images() -> None:
    images = _drawn(60, 2, 0)
    check = novelty_fit.check(_fit(images), images, _none(), 2)
    assert np.isnan(check.false_alarms)
    assert [each.label for each in check.left_out] == [0, 1]


def test_only_class_cannot_be_left_out() -> None:
    images = _drawn(60, 1, 0)
    assert novelty_fit.check(_fit(images), images, images, 1).left_out == ()


def test_class_without_images_changes_nothing() -> None:
    images = _drawn(60, 2, 0)
    detector, wider = _fit(images), _fit(images, 3)
    assert wider.novelty(images.parts[0]).tolist() == detector.novelty(images.parts[0]).tolist()


@pytest.mark.parametrize("size", [0, 1e-45, 1e30])
def test_images_that_are_all_the_same_are_known(size: float) -> None:
    images = _images(np.full((60, WIDTH), size, np.float32), np.arange(60) % 2)
    detector = _fit(images)
    assert detector.novelty(images.parts[0]).max() <= 0.5
    assert novelty_fit.check(detector, images, images, 2).false_alarms == 0


def test_few_images_far_apart_give_finite_answers() -> None:
    vectors = _drawn(45, 3, 0).parts[0] * np.logspace(-40, 30, 45)[:, np.newaxis].astype(np.float32)
    images = _images(vectors, np.arange(45) % 3)
    detector = _fit(images)
    assert np.isfinite(detector.novelty(vectors)).all()
    assert (np.diff(detector.quantiles) > 0).all()


def test_a_thousand_classes_have_one_centre_each() -> None:
    labels = np.arange(3000) % 1000
    vectors = np.random.default_rng(0).random((3000, 8), np.float32)
    assert _fit(_images(vectors, labels)).centres.shape == (1000, 8)
