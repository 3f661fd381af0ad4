"""What became of a run: its lists are joined from their parts, and its warnings read."""

from __future__ import annotations

import csv
import io
import logging

from retraining.distribution import places, results
from retraining.distribution.shard_files import ShardFiles
from retraining.features.problem_files import SKIPPED_FILE
from retraining.storage.spreadsheet import cell

NAMED_FILES = 20  # skipped files that are named in warnings; the list has all

log = logging.getLogger(__name__)


def write_lists(notes: str, output_dir: str) -> int:
    """Write the list of usable images and that of skipped files. Return how many are skipped.

    Some of these are warned of. Raises WorkFailed.
    """
    with places.writing(places.join(output_dir, results.IMAGE_LIST)) as file:
        for part in results.parts(results.IMAGES, notes):
            file.write(part)
    skipped = 0
    with places.writing(places.join(output_dir, SKIPPED_FILE)) as file:
        file.write(_row("path", "reason"))
        for skipped, (path, reason) in enumerate(results.failures(notes), start=1):
            file.write(_row(cell(path), reason))
            if skipped <= NAMED_FILES:
                log.warning("skipped %s: it %s.", path, reason)
    if skipped > NAMED_FILES:
        listed = places.join(output_dir, SKIPPED_FILE)
        log.warning("%s more files skipped; see %s.", f"{skipped - NAMED_FILES:,}", listed)
    return skipped


def _row(*cells: str) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def warn_of_shards(shards: ShardFiles) -> None:
    """Warn of the shards that workers found damaged."""
    for found in shards.warnings():
        log.warning("%s; its vectors were computed again.", found)
