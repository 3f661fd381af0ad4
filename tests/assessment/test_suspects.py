"""Images whose label is probably wrong."""

from __future__ import annotations

import numpy as np

from retraining.assessment import suspects
from retraining.assessment.cross_validation import cross_validate
from retraining.assessment.scored import Scored
from retraining.settings.training import TrainingSettings
from tests.assessment import blobs

SETTINGS = TrainingSettings(how_many_training_steps=1000)


def _scored(*rows: tuple[int, list[float]]) -> Scored:
    """Return images with these labels and probabilities."""
    with np.errstate(divide="ignore"):
        logarithms = np.log(np.array([scores for _, scores in rows], np.float32))
    return Scored(np.arange(len(rows)), np.array([label for label, _ in rows]), logarithms)


def test_flipped_labels_are_found_with_the_class_that_they_had() -> None:
    images = blobs.blobs([40, 40, 40, 40])
    wrong, flipped = blobs.flipped(images, 8)
    found = suspects.find(wrong, cross_validate(wrong, SETTINGS).judges)
    assert {suspect.image.file for suspect in found} == {f"{number}.jpg" for number in flipped}
    for suspect in found:
        number = int(suspect.image.file.removesuffix(".jpg"))
        assert suspect.suggested == images.dataset.images[number].label
        assert suspect.digest == images.digests[number]
        assert suspect.suggested_score > suspects.ODDS * suspect.own_score


def test_nothing_is_listed_where_all_labels_are_right() -> None:
    images = blobs.blobs([40, 40, 40])
    assert suspects.find(images, cross_validate(images, SETTINGS).judges) == ()


def test_layers_that_have_learnt_nothing_list_nothing() -> None:
    images = blobs.blobs([30, 30, 30], spread=2.0)
    judged = cross_validate(images, TrainingSettings(how_many_training_steps=1, learning_rate=1e-5)).judges
    assert suspects.find(images, judged) == ()


def test_the_surest_mistakes_come_first() -> None:
    images = blobs.blobs([2, 2, 2], held_out=(0, 0))
    judged = _scored(
        (0, [0.1, 0.8, 0.1]),  # 8 times
        (0, [0.15, 0.7, 0.15]),  # less than 5 times
        (1, [0.9, 0.02, 0.08]),  # 45 times
        (1, [0.0, 1.0, 0.0]),  # right
        (2, [0.99, 0.01, 0.0]),  # its own is impossible
        (2, [0.3, 0.4, 0.3]),
    )
    found = suspects.find(images, judged)
    assert [(suspect.image.file, suspect.suggested) for suspect in found] == [
        ("4.jpg", 0),
        ("2.jpg", 0),
        ("0.jpg", 1),
    ]
    assert suspects.doubts(judged).ranked.tolist() == [4, 2, 0, 1, 5, 3]


def test_no_image_is_no_suspect() -> None:
    images = blobs.blobs([2, 2])
    assert suspects.find(images, Scored(*(np.empty(0, np.int64),) * 2, np.empty((0, 2), np.float32))) == ()


def test_the_only_image_of_a_class_is_no_suspect() -> None:
    images = blobs.blobs([1, 1, 30, 30])
    assert suspects.find(images, cross_validate(images, SETTINGS).judges) == ()


def test_images_are_judged_in_blocks_as_they_are_at_once() -> None:
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((2500, 5)).astype(np.float32)
    labels = rng.integers(5, size=2500)
    found = suspects.doubts(Scored(np.arange(2500), labels, scores))
    others = np.where(np.arange(5) == labels[:, np.newaxis], -np.inf, scores)
    assert found.others.tolist() == others.argmax(1).tolist()
    assert np.allclose(found.log_odds, others.max(1) - scores[np.arange(2500), labels])
