"""The list of images whose label is probably wrong, in which a person marks what is to be done with each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from retraining.storage import spreadsheet
from retraining.storage.spreadsheet import cell

FILE = "suspected_labels.csv"
MOVE = "move"  # in the column `action`: into the folder of the suggested class

# `image` is a path in `folder`, which has the folders of the classes.
COLUMNS = ("image", "label", "suggested", "score", "suggested_score", "action", "folder", "sha256")


@dataclasses.dataclass(frozen=True)
class SuspectedLabel:
    """An image as it was judged: the class of its folder, a better one, and the scores of both in [0, 1].

    `sha256` is that of the file's bytes.
    """

    file: str
    label: str
    suggested: str
    score: float
    suggested_score: float
    sha256: bytes


def write(suspected: Sequence[SuspectedLabel], image_dir: Path, path: Path) -> None:
    """Write the list in the order given, with nothing marked. Raises WorkFailed.

    The files are in the class folders of `image_dir`, or in those of the set folders there.
    """
    found = [(Path(one.file).relative_to(image_dir), one) for one in suspected]
    has_sets = any(place.parts[0] != one.label for place, one in found)
    rows = []
    for place, one in found:
        above = place.parts[: int(has_sets)]
        rows.append(_row(one, image_dir.absolute().joinpath(*above), Path(*place.parts[len(above) :])))
    spreadsheet.write(path, COLUMNS, rows)


def _row(one: SuspectedLabel, folder: Path, image: Path) -> tuple[str, ...]:
    scores = (f"{one.score:.3f}", f"{one.suggested_score:.3f}")
    names = (cell(image.as_posix()), cell(one.label), cell(one.suggested))
    return (*names, *scores, "", cell(folder.as_posix()), one.sha256.hex())
