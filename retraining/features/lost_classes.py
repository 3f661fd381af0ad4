"""Classes of which no file can be used: what their files are instead."""

from __future__ import annotations

import collections
import re
from collections.abc import Sequence

from retraining.data import dataset
from retraining.data.dataset import Dataset
from retraining.features.bottleneck_sets import SkippedImage

NAMED_PROBLEMS = 4  # kinds of files that are named, at most

# Behind these, a reason says what differs from file to file, and the remedy.
_DETAILS = re.compile(r"[,;:] | \(")
_NOUN = re.compile("is an? (.+)")
_PLURAL_VERBS = {"is": "are", "has": "have", "makes": "make"}


def check(scanned: Dataset, usable: Dataset, skipped: Sequence[SkippedImage]) -> None:
    """Check the classes of a dataset again once it is known which files cannot be used.

    `usable` is what is left, perhaps in other sets. Warns as `dataset.check` does. Raises BadRequest if a
    class cannot be trained any more, and says what its files are if none can be used.
    """
    if usable.images != scanned.images:
        dataset.check(usable, _files_of_lost_classes(scanned, usable, skipped))


def _files_of_lost_classes(
    scanned: Dataset, usable: Dataset, skipped: Sequence[SkippedImage]
) -> dict[str, str]:
    """Return what the files are of each class that has lost all its images."""
    left = {image.label for image in usable.images}
    reasons = {image.file: image.reason for image in skipped}
    lost: dict[str, list[str]] = collections.defaultdict(list)
    for image in scanned.images:
        if image.label not in left:
            lost[scanned.labels[image.label]].append(reasons[image.file])
    return {label: described(reasons) for label, reasons in lost.items()}


def described(reasons: Sequence[str]) -> str:
    """Return what files are that cannot be used, such as '10 MP4 videos and 2 files that are empty'."""
    counts = collections.Counter(_DETAILS.split(reason)[0] for reason in reasons).most_common()
    parts = [_counted(problem, count) for problem, count in counts[:NAMED_PROBLEMS]]
    if len(counts) > NAMED_PROBLEMS:
        parts.append(f"{sum(count for _, count in counts[NAMED_PROBLEMS:]):,} more")
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def _counted(problem: str, count: int) -> str:
    """Return '1 MP4 video' or '2 files that are empty' for what a reason says of each."""
    noun = _NOUN.fullmatch(problem)
    if noun:
        return f"{count:,} {noun[1]}{'s' if count > 1 else ''}"
    if count == 1:
        return f"1 file that {problem}"
    verb, _, rest = problem.replace("not an image", "not images").partition(" ")
    return f"{count:,} files that {_PLURAL_VERBS.get(verb, verb)} {rest}"
