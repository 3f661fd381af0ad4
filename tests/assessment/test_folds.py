"""Images dealt into folds."""

from __future__ import annotations

import numpy as np

from retraining.assessment import folds
from retraining.data.dataset import LabelledImage
from retraining.data.split import Split

NAMES = [f"{number}.jpg" for number in range(60)]
DIGESTS = [bytes([number]) * 32 for number in range(60)]
LABELS = [number % 3 for number in range(60)]


def _images(names: list[str], labels: list[int]) -> list[LabelledImage]:
    return [LabelledImage(name, label, Split.TRAINING) for name, label in zip(names, labels, strict=True)]


def test_each_class_is_dealt_evenly() -> None:
    found = folds.deal(LABELS, DIGESTS)
    for label in range(3):
        assert np.bincount(found[np.array(LABELS) == label]).tolist() == [4, 4, 4, 4, 4]


def test_a_class_with_fewer_images_than_folds_has_each_in_a_fold_of_its_own() -> None:
    assert sorted(folds.deal([0, 0, 0], DIGESTS[:3])) == [0, 1, 2]


def test_near_duplicates_and_copies_are_in_one_fold() -> None:
    digests = [*DIGESTS[:40], *DIGESTS[:20]]  # the last 20 files are copies of the first
    near = tuple(tuple(f"{number + more}.jpg" for more in (0, 1, 40, 41)) for number in range(0, 10, 2))
    found = folds.deal(LABELS, folds.groups(_images(NAMES, LABELS), digests, near))
    assert all(len(set(found[[number + more for more in (0, 1, 40, 41)]])) == 1 for number in range(0, 10, 2))
    assert all(found[number] == found[number + 40] for number in range(20))
    assert np.bincount(found).min() >= 9


def test_copies_with_different_labels_are_in_one_fold() -> None:
    assert len(set(folds.deal([0, 1, 2, 0], [DIGESTS[0]] * 4))) == 1


def test_the_same_images_in_another_order_and_under_other_names_are_dealt_the_same() -> None:
    order = np.random.default_rng(0).permutation(60).tolist()
    near = ((NAMES[3], NAMES[7]), (NAMES[11], NAMES[30], NAMES[31]))
    moved = {name: f"moved/{name}" for name in NAMES}
    there = tuple(tuple(moved[name] for name in group) for group in near)
    found = folds.deal(LABELS, folds.groups(_images(NAMES, LABELS), DIGESTS, near))
    names, labels = [moved[NAMES[number]] for number in order], [LABELS[number] for number in order]
    again = folds.deal(
        labels, folds.groups(_images(names, labels), [DIGESTS[number] for number in order], there)
    )
    assert found[order].tolist() == again.tolist()
