from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retraining.training import accuracy_warnings
from tests.training.test_class_results import evaluation_of, images_of


def test_unbalanced_classes_are_named_with_what_a_constant_answer_would_reach(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = images_of(common=(1120, 80), rare=(20, 10))
    accuracy_warnings.warn(dataset, evaluation_of([80, 0], [9, 1]))
    assert caplog.messages == [
        "the classes are unbalanced: 'common' has 1,200 images, but 'rare' only 30. Always answering 'common' would "
        "reach an accuracy of 88.9%. Judge by the mean recall of the classes, 55.0%, and by the recall of each "
        "class. Add images of the small classes.",
    ]


def test_what_a_constant_answer_would_reach_is_not_told_if_it_is_less_than_half(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = images_of(rose=(10, 10), tulip=(90, 20), daisy=(90, 10))
    accuracy_warnings.warn(dataset, evaluation_of([10, 0, 0], [10, 10, 0], [0, 0, 10]))
    assert caplog.messages == [
        "the classes are unbalanced: 'tulip' has 110 images, but 'rose' only 20. Judge by the mean recall of the classes, "
        "83.3%, and by the recall of each class. Add images of the small classes.",
    ]


@pytest.mark.parametrize(("largest", "warnings"), [(99, 0), (100, 0), (101, 1)])
def test_five_to_one_is_not_yet_unbalanced(
    largest: int, warnings: int, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = images_of(small=(10, 10), large=(largest - 10, 10), middle=(30, 10))
    accuracy_warnings.warn(dataset, evaluation_of([10, 0, 0], [0, 10, 0], [0, 0, 10]))
    assert len(caplog.messages) == warnings


def test_unbalanced_classes_are_warned_of_without_test_images_too(caplog: pytest.LogCaptureFixture) -> None:
    accuracy_warnings.warn(images_of(large=(66, 0), small=(3, 0)), None)
    assert caplog.messages == [
        "the classes are unbalanced: 'large' has 66 images, but 'small' only 3. Add images of the small classes."
    ]


def test_classes_with_few_test_images_are_counted_and_named_in_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = images_of(daisy=(40, 9), poppy=(40, 0), rose=(40, 10), tulip=(40, 3))
    accuracy_warnings.warn(dataset, evaluation_of(*([1, 0, 0, 0],) * 4))
    assert caplog.messages == [
        "fewer than 10 test images in 3 of 4 classes (poppy: 0, tulip: 3, daisy: 9): one image more or less "
        "changes the recall of 'tulip' by 33 points. Add images, or raise testing_percentage."
    ]


def test_no_percentage_is_advised_where_the_test_images_have_a_folder_of_their_own(
    caplog: pytest.LogCaptureFixture,
) -> None:
    dataset = dataclasses.replace(images_of(rose=(40, 5), tulip=(40, 10)), has_given_sets=True)
    accuracy_warnings.warn(dataset, evaluation_of([5, 0], [0, 10]))
    assert caplog.messages == [
        "fewer than 10 test images in 1 of 2 classes (rose: 5): one image more or less changes the recall of "
        "'rose' by 20 points. Add test images."
    ]


def test_class_without_a_test_image_has_no_recall_that_could_change(caplog: pytest.LogCaptureFixture) -> None:
    accuracy_warnings.warn(images_of(rose=(40, 10), tulip=(40, 0)), evaluation_of([10, 0], [0, 0]))
    assert caplog.messages == [
        "fewer than 10 test images in 1 of 2 classes (tulip: 0): nothing is known about their recall. Add "
        "images, or raise testing_percentage."
    ]


def test_ten_test_images_in_each_class_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    accuracy_warnings.warn(images_of(a=(40, 10), b=(40, 10)), evaluation_of([10, 0], [0, 10]))
    assert caplog.messages == []


def test_only_the_ten_smallest_classes_are_named(caplog: pytest.LogCaptureFixture) -> None:
    counts = {f"class {number:02}": (20, 9 - number // 4) for number in range(30)}
    accuracy_warnings.warn(images_of(**counts), evaluation_of(*np.eye(30, dtype=int).tolist()))
    (message,) = caplog.messages
    assert message.startswith(
        "fewer than 10 test images in 30 of 30 classes (class 28: 2, class 29: 2, class 24: 3, "
    )
    assert ", class 20: 4, class 21: 4, class 22: 4, class 23: 4 and 20 more): one image" in message
    assert "the recall of 'class 28' by 50 points" in message
