"""The list of images whose label is probably wrong, in which a person marks what is to be done with each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from retraining.errors import WorkFailed
from retraining.settings.data import DataSettings
from retraining.storage import spreadsheet
from retraining.storage.spreadsheet import cell, text_of
from retraining.suggestions import closest

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


def write(suspected: Sequence[SuspectedLabel], source: DataSettings, path: Path) -> None:
    """Write the list in the order given, with nothing marked. Raises WorkFailed.

    The files are those of the list of images in `source`; or they are in the class folders of its folder, or
    in those of the set folders there.
    """
    if source.image_list is None:
        _write_of_folders(suspected, source.source, path)
    else:
        _write_of_list(suspected, source.image_list, path)


def place_in(image_list: Path, file: str) -> str:
    """Return the path of an image by the folder of its list, if it is there, or else as it is.

    It is the same wherever the list is read from: by the name alone in its folder, or by the full path.
    """
    return file.removeprefix(f"{image_list.parent}/")


def _write_of_list(suspected: Sequence[SuspectedLabel], image_list: Path, path: Path) -> None:
    source = image_list.absolute()
    rows = [_row(one, source, place_in(image_list, one.file)) for one in suspected]
    spreadsheet.write(path, COLUMNS_OF_LIST, rows)


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


def marked_label(row: Mapping[str, str], known: Sequence[str], *, refusal: str) -> str:
    """Return the label that a row is marked with: the suggested one, or the name in its column `action`.

    Raises WorkFailed if it is not among the `known` ones; the `refusal` reads on with the label.
    """
    action = row["action"].strip()
    label = text_of(row.get("suggested", "") if action.lower() == MOVE else action)
    if label not in known:
        meant = closest(label, known)
        raise WorkFailed(
            "{refusal} '{label}'{remedy}",
            refusal=refusal,
            label=label,
            remedy=f" (did you mean '{meant}'?)" if meant else "",
        )
    return label
