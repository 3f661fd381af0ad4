"""The list of images whose label is probably wrong, in which a person marks what is to be done with each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from retraining.storage import spreadsheet
from retraining.storage.spreadsheet import cell

FILE = "suspected_labels.csv"
MOVE = "move"  # in the column `action`: into the folder of the suggested class

# `image` is a path in `folder`, which has the folders of the classes; or it is one in a list of images, and
# then the column `list` takes the place of `folder`.
COLUMNS = ("image", "label", "suggested", "score", "suggested_score", "action", "folder", "sha256")
COLUMNS_OF_LIST = tuple("list" if name == "folder" else name for name in COLUMNS)


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


def write(suspected: Sequence[SuspectedLabel], source: Path, path: Path) -> None:
    """Write the list in the order given, with nothing marked. Raises WorkFailed.

    The files are those of the list of images at `source`; or they are in the class folders of the folder
    there, or in those of the set folders in it.
    """
    if source.is_file():
        inside = f"{source.parent}/"
        rows = [_row(one, source.absolute(), one.file.removeprefix(inside)) for one in suspected]
        spreadsheet.write(path, COLUMNS_OF_LIST, rows)
    else:
        _write_of_folders(suspected, source, path)


def _write_of_folders(suspected: Sequence[SuspectedLabel], image_dir: Path, path: Path) -> None:
    found = [(Path(one.file).relative_to(image_dir), one) for one in suspected]
    has_sets = any(place.parts[0] != one.label for place, one in found)
    rows = []
    for place, one in found:
        above = place.parts[: int(has_sets)]
        image = Path(*place.parts[len(above) :]).as_posix()
        rows.append(_row(one, image_dir.absolute().joinpath(*above), image))
    spreadsheet.write(path, COLUMNS, rows)


def _row(one: SuspectedLabel, source: Path, image: str) -> tuple[str, ...]:
    scores = (f"{one.score:.3f}", f"{one.suggested_score:.3f}")
    names = (cell(image), cell(one.label), cell(one.suggested))
    return (*names, *scores, "", cell(source.as_posix()), one.sha256.hex())
