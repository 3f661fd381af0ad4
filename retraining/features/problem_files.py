"""Reports files that cannot be used and duplicate images, as warnings and as CSV files."""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from retraining.data.dataset import Dataset, LabelledImage
from retraining.errors import WorkFailed
from retraining.features.bottleneck_sets import Bottlenecks, SkippedImage
from retraining.printable import printable
from retraining.storage.csv_file import write_csv

SKIPPED_FILE = "skipped_images.csv"
DUPLICATES_FILE = "duplicate_images.csv"

NAMED_GROUPS = 20  # most groups of duplicates in warnings; the CSV file lists all

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Groups of two or more images whose files are identical.

    A group that is in several classes is a conflict. Any other group that is in several sets is a leak. All
    other groups are copies.
    """

    conflicts: tuple[tuple[LabelledImage, ...], ...]
    leaks: tuple[tuple[LabelledImage, ...], ...]
    copies: tuple[tuple[LabelledImage, ...], ...]


def duplicates(dataset: Dataset, digests: tuple[bytes, ...]) -> Duplicates:
    """Return the images that appear more than once; `digests` are the SHA-256 of their files."""
    by_digest: dict[bytes, list[LabelledImage]] = collections.defaultdict(list)
    for image, digest in zip(dataset.images, digests, strict=True):
        by_digest[digest].append(image)
    conflicts, leaks, copies = [], [], []
    for group in by_digest.values():
        if len({image.label for image in group}) > 1:
            conflicts.append(tuple(group))
        elif len({image.split for image in group}) > 1:
            leaks.append(tuple(group))
        elif len(group) > 1:
            copies.append(tuple(group))
    return Duplicates(tuple(conflicts), tuple(leaks), tuple(copies))


def report(bottlenecks: Bottlenecks, folder: Path, *, strict: bool) -> None:
    """Warn about skipped files and duplicate images, and list them in two CSV files in `folder`.

    Both files are always written, so that no older list is left. Raises WorkFailed if `strict` is on and a
    file cannot be used.
    """
    found = duplicates(bottlenecks.dataset, bottlenecks.digests)
    write_csv(folder / SKIPPED_FILE, ("path", "reason"), _skipped_rows(bottlenecks.skipped))
    write_csv(
        folder / DUPLICATES_FILE,
        ("group", "kind", "class", "set", "path"),
        _duplicate_rows(found, bottlenecks.dataset.labels),
    )
    warn_of_skipped(bottlenecks.skipped)
    _warn_of_duplicates(found, f"see '{folder / DUPLICATES_FILE}'")
    check_strict(bottlenecks.skipped, strict=strict, listed=f"above and in '{folder / SKIPPED_FILE}'")


def warn_of_skipped(skipped: Iterable[SkippedImage]) -> None:
    """Log a warning for each file that cannot be used, with the reason."""
    for image in skipped:
        log.warning("skipped %s: it %s.", image.path, image.reason)


def check_strict(skipped: Sequence[SkippedImage], *, strict: bool, listed: str = "above") -> None:
    """Raise WorkFailed if `strict` is on and a file cannot be used; `listed` says where to find the list."""
    if strict and skipped:
        raise WorkFailed(
            "{files} cannot be used, listed {listed}, and {strict} is on. Fix or remove what is listed, or "
            "turn {strict} off.",
            files=number_of_files(skipped),
            listed=listed,
        )


def number_of_files(skipped: Sequence[SkippedImage]) -> str:
    """Return '1 file' or '1,234 files'."""
    return f"{len(skipped):,} file{'' if len(skipped) == 1 else 's'}"


def warn_of_duplicates(bottlenecks: Bottlenecks) -> None:
    """Log warnings about images that appear more than once."""
    _warn_of_duplicates(duplicates(bottlenecks.dataset, bottlenecks.digests), "not listed here")


def _warn_of_duplicates(found: Duplicates, rest: str) -> None:
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


def _named(group: tuple[LabelledImage, ...]) -> str:
    names = " and ".join(f"'{image.file}'" for image in group[:3])
    return names if len(group) <= 3 else f"{names} and {len(group) - 3} more"


def _skipped_rows(skipped: tuple[SkippedImage, ...]) -> list[tuple[str, ...]]:
    return [(printable(image.path), image.reason) for image in skipped]


def _duplicate_rows(found: Duplicates, labels: tuple[str, ...]) -> list[tuple[str, ...]]:
    kinds = [("conflict", found.conflicts), ("leak", found.leaks), ("copy", found.copies)]
    groups = [(kind, group) for kind, groups in kinds for group in groups]
    return [
        (str(number), kind, printable(labels[image.label]), image.split.value, printable(image.file))
        for number, (kind, group) in enumerate(groups, start=1)
        for image in group
    ]
