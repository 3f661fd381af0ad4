"""Groups of images that are there more than once, by what is wrong with them: warnings and a table's rows."""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Iterable, Sequence

from retraining.data.dataset import Dataset, LabelledImage
from retraining.errors import Message
from retraining.features.near_duplicates import Groups
from retraining.storage.spreadsheet import cell

NAMED_GROUPS = 20  # most groups of identical files in warnings; the CSV file lists all
EXAMPLES = 3  # groups of near-duplicates named in a warning

HEADER = ("group", "kind", "class", "set", "path")

log = logging.getLogger(__name__)

Group = tuple[LabelledImage, ...]


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Groups of two or more images that are the same.

    A group that is in several classes is a conflict. Any other group that is in several sets is a leak. All
    other groups are copies.
    """

    conflicts: tuple[Group, ...]
    leaks: tuple[Group, ...]
    copies: tuple[Group, ...]


def identical(dataset: Dataset, digests: Sequence[bytes]) -> Duplicates:
    """Return the images whose files are identical; `digests` are the SHA-256 of their files."""
    # A list for each of a million digests takes hundreds of megabytes, and nearly all are there once.
    repeated = _repeated(digests)
    by_digest: dict[bytes, list[LabelledImage]] = collections.defaultdict(list)
    for image, digest in zip(dataset.images, digests, strict=True) if repeated else ():
        if digest in repeated:
            by_digest[digest].append(image)
    return _by_kind(by_digest.values())


def _repeated(digests: Sequence[bytes]) -> set[bytes]:
    """Return those that are there more than once."""
    seen, found = set[bytes](), set[bytes]()
    for digest in digests:
        if digest in seen:
            found.add(digest)
        seen.add(digest)
    return found


def nearly(dataset: Dataset, groups: Groups) -> Duplicates:
    """Return the images of a dataset that show nearly the same, group by group."""
    group_of = {file: number for number, group in enumerate(groups) for file in group}
    found: dict[int, list[LabelledImage]] = collections.defaultdict(list)
    for image in dataset.images:
        if image.file in group_of:
            found[group_of[image.file]].append(image)
    return _by_kind(found.values())


def _by_kind(groups: Iterable[Sequence[LabelledImage]]) -> Duplicates:
    conflicts, leaks, copies = [], [], []
    for group in groups:
        if len({image.label for image in group}) > 1:
            conflicts.append(tuple(group))
        elif len({image.split for image in group}) > 1:
            leaks.append(tuple(group))
        elif len(group) > 1:
            copies.append(tuple(group))
    return Duplicates(tuple(conflicts), tuple(leaks), tuple(copies))


def rows(same: Duplicates, near: Duplicates, labels: Sequence[str]) -> list[tuple[str, ...]]:
    """Return a row under HEADER for each image of each group."""
    kinds = [
        (f"{prefix}{kind}", groups)
        for prefix, found in (("", same), ("near ", near))
        for kind, groups in (("conflict", found.conflicts), ("leak", found.leaks), ("copy", found.copies))
    ]
    groups = [(kind, group) for kind, groups in kinds for group in groups]
    return [
        (str(number), kind, cell(labels[image.label]), image.split.value, cell(image.file))
        for number, (kind, group) in enumerate(groups, start=1)
        for image in group
    ]


def warn_of_identical(found: Duplicates, rest: str) -> None:
    """Log warnings about identical files; `rest` says where those are that are not named."""
    for group in found.conflicts[:NAMED_GROUPS]:
        log.warning("conflict: the same image is in several classes: %s. Keep it in one.", _named(group))
    for group in found.leaks[:NAMED_GROUPS]:
        sets = " and ".join(sorted({image.split.value for image in group}))
        log.warning(
            "leak: the same image is in several sets, %s: %s. Keep one, or the test accuracy will be too "
            "optimistic.",
            sets,
            _named(group),
        )
    unnamed = len(found.conflicts[NAMED_GROUPS:]) + len(found.leaks[NAMED_GROUPS:])
    if unnamed:
        log.warning("%s more conflicts and leaks: %s.", f"{unnamed:,}", rest)
    if found.copies:
        copied = "1 image appears" if len(found.copies) == 1 else f"{len(found.copies):,} images appear"
        log.warning("%s more than once in the same class: %s.", copied, rest)


def warn_of_near(found: Duplicates, rest: str, *, has_given_sets: bool) -> None:
    """Log warnings about images that show nearly the same: one for each kind, with a few examples."""
    if found.conflicts:
        log.warning(
            "conflict: %s in several classes, such as %s: %s. Keep each group in one class.",
            _counted(found.conflicts),
            "; ".join(_named(_one_of_each_class(group)) for group in found.conflicts[:EXAMPLES]),
            rest,
        )
    if found.leaks:
        remedy = Message("Turn {group_near_duplicates} on to keep each group in one set.")
        if has_given_sets:
            remedy = Message("Keep each group in one set.")
        log.warning(
            Message(
                "leak: {groups} in several sets, such as {examples}: {rest}. The test accuracy will be too "
                "optimistic. {remedy}",
                groups=_counted(found.leaks),
                examples="; ".join(_named_with_sets(group) for group in found.leaks[:EXAMPLES]),
                rest=rest,
                remedy=remedy,
            )
        )
    if found.copies:
        log.warning("%s within one class and set: %s.", _counted(found.copies), rest)


def _counted(groups: Sequence[Group]) -> str:
    if len(groups) == 1:
        return "1 group of images that show nearly the same is"
    return f"{len(groups):,} groups of images that show nearly the same are"


def _named(group: Sequence[LabelledImage]) -> str:
    names = " and ".join(f"'{image.file}'" for image in group[:3])
    return names if len(group) <= 3 else f"{names} and {len(group) - 3} more"


def _one_of_each_class(group: Group) -> list[LabelledImage]:
    return list({image.label: image for image in reversed(group)}.values())[::-1]


def _named_with_sets(group: Group) -> str:
    """Return two names and their sets, which differ: "'a.jpg' (training) and 'b.jpg' (testing)"."""
    one_of_each = list({image.split: image for image in reversed(group)}.values())[::-1]
    return " and ".join(f"'{image.file}' ({image.split.value})" for image in one_of_each[:2])
