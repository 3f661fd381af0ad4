"""Reports files that cannot be used and duplicate images, as warnings and as CSV files."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from retraining.errors import WorkFailed
from retraining.features import duplicates
from retraining.features.bottleneck_sets import Bottlenecks, SkippedImage
from retraining.features.near_duplicates import NearDuplicates
from retraining.storage.csv_file import write_csv
from retraining.storage.spreadsheet import cell

SKIPPED_FILE = "skipped_images.csv"
DUPLICATES_FILE = "duplicate_images.csv"
NAMED_FILES = 1_000  # most files in warnings; the CSV file lists all

log = logging.getLogger(__name__)


def report(bottlenecks: Bottlenecks, near: NearDuplicates, folder: Path, *, strict: bool) -> None:
    """Warn about skipped files and duplicate images, and list them in two CSV files in `folder`.

    `near` are the groups of near-duplicates. Both files are always written, so that no older list is left.
    Raises WorkFailed if `strict` is on and a file cannot be used.
    """
    write_csv(folder / SKIPPED_FILE, ("path", "reason"), _skipped_rows(bottlenecks.skipped))
    warn_of_skipped(bottlenecks.skipped, rest=f"see '{folder / SKIPPED_FILE}'")
    report_duplicates(bottlenecks, near, folder)
    check_strict(bottlenecks.skipped, strict=strict, listed=f"above and in '{folder / SKIPPED_FILE}'")


def warn_of_skipped(skipped: Sequence[SkippedImage], rest: str = "not listed here") -> None:
    """Log a warning for each file that cannot be used, with the reason.

    `rest` says where those are that are not named, if there are more than NAMED_FILES.
    """
    for image in skipped[:NAMED_FILES]:
        log.warning("skipped %s: it %s.", image.file, image.reason)
    if len(skipped) > NAMED_FILES:
        log.warning("skipped %s: %s.", f"{len(skipped) - NAMED_FILES:,} more files", rest)


def check_strict(skipped: Sequence[SkippedImage], *, strict: bool, listed: str = "above") -> None:
    """Raise WorkFailed if `strict` is on and a file cannot be used; `listed` says where to find the list."""
    check_strict_count(len(skipped), strict=strict, listed=listed)


def check_strict_count(skipped: int, *, strict: bool, listed: str) -> None:
    """Raise WorkFailed if `strict` is on and so many files cannot be used, as `check_strict` does."""
    if strict and skipped:
        raise WorkFailed(
            "{files} cannot be used, listed {listed}, and {strict} is on. Fix or remove what is listed, or "
            "turn {strict} off.",
            files=number_of_files(skipped),
            listed=listed,
        )


def number_of_files(count: int) -> str:
    """Return '1 file' or '1,234 files'."""
    return f"{count:,} file{'' if count == 1 else 's'}"


def report_duplicates(bottlenecks: Bottlenecks, near: NearDuplicates, folder: Path | None = None) -> None:
    """Warn about images that appear more than once, identical or nearly so.

    With a `folder`, they are listed there in a CSV file, which is always written. Raises WorkFailed.
    """
    dataset = bottlenecks.dataset
    same, nearly = duplicates.identical(dataset, bottlenecks.digests), duplicates.nearly(dataset, near.groups)
    rest = "not listed here"
    if folder is not None:
        listing = folder / DUPLICATES_FILE
        write_csv(listing, duplicates.HEADER, duplicates.rows(same, nearly, dataset.labels))
        rest = f"see '{listing}'"
    duplicates.warn_of_identical(same, rest)
    duplicates.warn_of_near(nearly, rest, has_given_sets=dataset.has_given_sets)


def _skipped_rows(skipped: tuple[SkippedImage, ...]) -> list[tuple[str, ...]]:
    return [(cell(image.file), image.reason) for image in skipped]
