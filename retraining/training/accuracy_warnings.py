"""Warnings about a data set whose accuracy, taken alone, would mislead."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from retraining.data.class_checks import NAMED_CLASSES
from retraining.data.dataset import Dataset, image_counts
from retraining.data.split import Split
from retraining.errors import Message
from retraining.training.evaluation import Evaluation

HIGHEST_IMBALANCE = 5  # images of the largest class for each image of the smallest
ADVISED_TEST_IMAGES = 10  # in each class; with fewer, one image changes the recall by more than 10 points

log = logging.getLogger(__name__)


def warn(dataset: Dataset, evaluation: Evaluation | None) -> None:
    """Log a warning if the classes are unbalanced, and one if some of them have few test images.

    `evaluation` is None if there are no test images at all.
    """
    counts = image_counts(dataset)
    _warn_of_imbalance({label: sum(sets.values()) for label, sets in counts.items()}, evaluation)
    if evaluation is not None:
        tested = {label: sets[Split.TESTING] for label, sets in counts.items()}
        _warn_of_few_test_images(tested, has_given_sets=dataset.has_given_sets)


def _warn_of_imbalance(images: Mapping[str, int], evaluation: Evaluation | None) -> None:
    largest, smallest = max(images, key=images.__getitem__), min(images, key=images.__getitem__)
    if images[largest] <= HIGHEST_IMBALANCE * images[smallest]:
        return
    log.warning(
        Message(
            "the classes are unbalanced: '{largest}' has {most:,} images, but '{smallest}' only {fewest:,}."
            "{advice} Add images of the small classes.",
            largest=largest,
            most=images[largest],
            smallest=smallest,
            fewest=images[smallest],
            advice="" if evaluation is None else _advice(largest, list(images).index(largest), evaluation),
        )
    )


def _advice(largest: str, number: int, evaluation: Evaluation) -> Message:
    share = evaluation.confusion[number].sum() / evaluation.count
    always = Message(
        " Always answering '{largest}' would reach an accuracy of {share:.1%}.", largest=largest, share=share
    )
    return Message(
        "{always} Judge by the mean recall of the classes, {balanced:.1%}, and by the recall of each class.",
        always=always if share > 1 / 2 else "",  # less impresses nobody
        balanced=evaluation.balanced_accuracy,
    )


def _warn_of_few_test_images(images: Mapping[str, int], *, has_given_sets: bool) -> None:
    """Warn if a class has few test images; `images` is their number by class, and not 0 for all."""
    few = {label: count for label, count in images.items() if count < ADVISED_TEST_IMAGES}
    if not few:
        return
    log.warning(
        Message(
            "fewer than {advised} test images in {few:,} of {classes:,} classes ({named}): {meaning}. "
            "{remedy}",
            advised=ADVISED_TEST_IMAGES,
            few=len(few),
            classes=len(images),
            named=_named(few),
            meaning=_meaning(few),
            remedy="Add test images."
            if has_given_sets
            else Message("Add images, or raise {testing_percentage}."),
        )
    )


def _named(few: Mapping[str, int]) -> str:
    fewest_first = sorted(few, key=lambda label: (few[label], label))
    named = ", ".join(f"{label}: {few[label]}" for label in fewest_first[:NAMED_CLASSES])
    return named if len(few) <= NAMED_CLASSES else f"{named} and {len(few) - NAMED_CLASSES:,} more"


def _meaning(few: Mapping[str, int]) -> Message:
    tested = sorted((count, label) for label, count in few.items() if count)
    if not tested:
        return Message("nothing is known about their recall")
    count, label = tested[0]
    return Message(
        "one image more or less changes the recall of '{label}' by {points:.0f} points",
        label=label,
        points=100 / count,
    )
