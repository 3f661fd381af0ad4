"""What became of a run: its lists are joined from their parts, and its warnings read."""

from __future__ import annotations

import csv
import io
import logging
from typing import IO

from retraining.distribution import places, results
from retraining.distribution.shard_files import ShardFiles
from retraining.errors import WorkFailed
from retraining.features.problem_files import SKIPPED_FILE
from retraining.storage.spreadsheet import cell

NAMED_FILES = 20  # skipped files that are named in warnings; the list has all

log = logging.getLogger(__name__)


def write_lists(notes: str, output_dir: str, *, images: int) -> int:
    """Write the list of usable images and that of skipped files. Return how many are skipped.

    Some of these are warned of. Raises WorkFailed, and leaves earlier lists as they are, unless the two have
    all of so many `images`: workers that do not share the folder with this computer write elsewhere.
    """
    listed = places.join(output_dir, SKIPPED_FILE)
    with places.writing(places.join(output_dir, results.IMAGE_LIST)) as file, places.writing(listed) as rows:
        usable = _write_usable(file, notes)
        skipped = _write_skipped(rows, notes)
        if usable + skipped != images:
            raise WorkFailed(
                "workers have told what became of {told:,} of {images:,} images in '{folder}'. "
                "{output_dir} must be a folder that they share with this computer, or one in a store.",
                told=usable + skipped,
                images=images,
                folder=output_dir,
            )
    if skipped > NAMED_FILES:
        log.warning("%s more files skipped; see %s.", f"{skipped - NAMED_FILES:,}", listed)
    return skipped


def _write_usable(file: IO[bytes], notes: str) -> int:
    count = 0
    for part in results.parts(results.IMAGES, notes):
        file.write(part)
        count += part.count(b"\n")
    return count


def _write_skipped(file: IO[bytes], notes: str) -> int:
    count = 0
    file.write(_row("path", "reason"))
    for count, (path, reason) in enumerate(results.failures(notes), start=1):
        file.write(_row(cell(path), reason))
        if count <= NAMED_FILES:
            log.warning("skipped %s: it %s.", path, reason)
    return count


def _row(*cells: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def warn_of_shards(shards: ShardFiles) -> None:
    """Warn of the shards that workers found damaged."""
    for found in shards.warnings():
        log.warning("%s; its vectors were computed again.", found)
