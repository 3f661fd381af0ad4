"""Whether classes can be trained, and warnings about those that have few images or look alike."""

from __future__ import annotations

import logging
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from retraining.data.folder_walk import Folder
from retraining.data.split import Split
from retraining.errors import BadRequest, Message, setting_named

ADVISED_IMAGES_PER_CLASS = 20  # fewer, and a class's test accuracy is little more than chance

# At most this many classes are named in the same warning: a thousand lines would hide the rest.
NAMED_CLASSES = 10

Counts: TypeAlias = Mapping[Split, int]

log = logging.getLogger(__name__)


def check_class_count(image_dir: Folder, labels: Sequence[str]) -> None:
    """Raise BadRequest if there are fewer than two classes to tell apart."""
    if len(labels) >= 2:
        return
    found = f"only '{labels[0]}'" if labels else "none"
    raise BadRequest(
        "{image_dir} needs at least two class folders; '{folder}' has {found}. Put the images of each class "
        "into a sub-folder of their own, such as '{roses}' and '{tulips}'.",
        folder=image_dir,
        found=found,
        roses=image_dir / "roses",
        tulips=image_dir / "tulips",
    )


def check_class_sizes(counts: Mapping[str, Counts], *, lost: Mapping[str, str], has_given_sets: bool) -> None:
    """Warn about classes with few images or an empty set; raise BadRequest if one cannot be trained.

    `counts` are the numbers of images in each set, by class. `lost` says what there is instead, such as
    "12 PDF documents", in each class of which no file is a usable image. With `has_given_sets`, no advice
    is given on percentages, which do not decide then which images are in a set.
    """
    for label in counts:
        if label in lost:
            raise BadRequest(
                "class '{label}' has no usable images, only {files}. Add images of it, or remove the class.",
                label=label,
                files=lost[label],
            )
        _check_can_be_trained(label, counts[label], has_given_sets=has_given_sets)
    _warn_about_small_classes(counts)
    for split in (Split.VALIDATION, Split.TESTING):
        _warn_about_classes_without(split, counts, has_given_sets=has_given_sets)


def warn_about_similar_names(labels: Iterable[str]) -> None:
    """Warn about names that only a computer tells apart: Roses and roses, blanks, encodings of an accent."""
    seen: dict[str, str] = {}
    for label in labels:
        folded = " ".join(unicodedata.normalize("NFC", label).casefold().split())
        if folded in seen:
            log.warning(
                "classes '%s' and '%s' differ only in upper and lower case, in blanks or in how a letter is "
                "encoded. If they are one class, give them one name.",
                seen[folded],
                label,
            )
        seen[folded] = label


def _check_can_be_trained(label: str, counts: Counts, *, has_given_sets: bool) -> None:
    if sum(counts.values()) == 0:
        raise BadRequest("class '{label}' has no images. Add some, or remove the class.", label=label)
    if counts[Split.TRAINING] == 0:
        lower = Message("Add images, or lower {validation_percentage} and {testing_percentage}.")
        raise BadRequest(
            "class '{label}' has no training images: {counts}. {remedy}",
            label=label,
            counts=_shown(counts),
            remedy="Add training images." if has_given_sets else lower,
        )


def _warn_about_small_classes(counts: Mapping[str, Counts]) -> None:
    small = [label for label in counts if sum(counts[label].values()) < ADVISED_IMAGES_PER_CLASS]
    for label in small[:NAMED_CLASSES]:
        log.warning(
            "class '%s' has only %d images (%s). Use at least %d images per class; 100 is good.",
            label,
            sum(counts[label].values()),
            _shown(counts[label]),
            ADVISED_IMAGES_PER_CLASS,
        )
    if len(small) > NAMED_CLASSES:
        log.warning(
            "%s more classes have fewer than %d images.",
            f"{len(small) - NAMED_CLASSES:,}",
            ADVISED_IMAGES_PER_CLASS,
        )


def _warn_about_classes_without(split: Split, counts: Mapping[str, Counts], *, has_given_sets: bool) -> None:
    percentage = setting_named(f"{split.value}_percentage")
    raised = Message("Add images, or raise {percentage}.", percentage=percentage)
    without = [label for label in counts if counts[label][split] == 0]
    for label in without[:NAMED_CLASSES]:
        log.warning(
            Message(
                "class '{label}' has no {split} images ({counts}), so {split} accuracy says nothing about "
                "it. {remedy}",
                label=label,
                split=split.value,
                counts=_shown(counts[label]),
                remedy="Add images." if has_given_sets else raised,
            )
        )
    if len(without) > NAMED_CLASSES:
        log.warning("%s more classes have no %s images.", f"{len(without) - NAMED_CLASSES:,}", split.value)


def _shown(counts: Counts) -> str:
    return ", ".join(f"{counts[split]} {split.value}" for split in Split)


def check_same(found: Sequence[str], known: Sequence[str], *, remedy: str = "") -> None:
    """Raise BadRequest unless the classes of images are those of a graph; `remedy` is another way out."""
    if tuple(found) != tuple(known):
        raise BadRequest(
            "the images have the classes {found}, and the graph {known}; give those that the graph was "
            "trained on{remedy}.",
            found=", ".join(found[:NAMED_CLASSES]),
            known=", ".join(known[:NAMED_CLASSES]),
            remedy=remedy,
        )
