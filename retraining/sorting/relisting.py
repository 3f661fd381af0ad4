"""Labels corrected in a copy of a list of images, as a person has marked them; the list itself stays."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO, NamedTuple

from retraining.data import list_format
from retraining.data.image_list import BadLine, ListedImage
from retraining.data.list_format import LineFormat
from retraining.errors import BadRequest, WorkFailed
from retraining.sorting import placing
from retraining.sorting.free_names import FreeNames
from retraining.sorting.relabelling import Refusal
from retraining.sorting.suspected_labels import marked_label, place_in
from retraining.storage import spreadsheet
from retraining.storage.atomic_files import scratch_folder
from retraining.storage.spreadsheet import text_of

_COLUMNS = ("image", "label", "action", "list")


class NewLabel(NamedTuple):
    """An image of a list, by its path there, the label that it has and the one that it gets."""

    image: str
    label: str
    new: str


@dataclasses.dataclass(frozen=True)
class Relisting:
    """The labels to correct in a list of images, what is refused, and how many images were marked or not."""

    image_list: Path
    changes: tuple[NewLabel, ...]
    refused: tuple[Refusal, ...]
    count: int


def plan(csv: Path) -> Relisting | None:
    """Return what is marked in a list of suspected labels; None if these images are in folders.

    Raises BadRequest if the images' own list cannot be read.
    """
    try:
        table = spreadsheet.read(csv, _COLUMNS)
    except BadRequest:  # what else it may be, its reader will tell
        return None
    if not table.rows:
        return None
    image_list = Path(text_of(table.rows[0]["list"]))
    labels = _labels_in(image_list)
    known = sorted(set(labels.values()))
    changes: list[NewLabel] = []
    refused: list[Refusal] = []
    for row in table.rows:
        image = place_in(image_list, text_of(row["image"]))
        try:
            new = _new_label(row, known)
            if new is not None:
                changes += _change(image, labels.get(image), new, text_of(row["label"]))
        except WorkFailed as error:
            refused.append(Refusal(image, error))
    return Relisting(image_list, tuple(changes), tuple(refused), len(table.rows))


def write(relisting: Relisting) -> Path:
    """Write the corrected copy beside the list, under a name that is free; return its path.

    All but the labels is as it was. Raises WorkFailed.
    """
    source = relisting.image_list
    new = {change.image: change.new for change in relisting.changes}
    copy = source.with_name(f"{source.stem}_relabelled{source.suffix}")
    with scratch_folder(copy) as folder:
        written = folder / source.name
        with _opened(source) as lines, written.open("wb") as output:
            format_ = _format_of(lines, source)
            output.write(lines.read(format_.beginning.bytes))
            for line, image in _images(lines, format_):
                label = None if image is None else new.get(place_in(source, image.file))
                output.write(line if label is None else format_.relabelled(line, label))
        place = next(FreeNames().places(written, copy))
        if not place.has_same:
            placing.copy(written, place.path)
        return place.path


def _labels_in(image_list: Path) -> dict[str, str]:
    """Return the label of each image, by its path in the list."""
    with _opened(image_list) as lines:
        format_ = _format_of(lines, image_list)
        lines.seek(format_.beginning.bytes)
        images = (image for _, image in _images(lines, format_) if image is not None)
        return {place_in(image_list, image.file): image.label for image in images}


def _opened(image_list: Path) -> BinaryIO:
    try:
        return image_list.open("rb")
    except OSError as error:
        raise BadRequest(
            "the list of images '{path}' cannot be read: {reason}.", path=image_list, reason=error.strerror
        ) from error


def _format_of(lines: BinaryIO, image_list: Path) -> LineFormat:
    """Return the format of a list that has just been opened, and go back to its beginning."""
    head = lines.read(list_format.HEAD_BYTES)
    lines.seek(0)
    return list_format.recognized(head, list_name=str(image_list), folder=str(image_list.parent))


def _images(lines: BinaryIO, format_: LineFormat) -> Iterator[tuple[bytes, ListedImage | None]]:
    """Yield each line with its image; None for one that is empty or bad, and stays as it is."""
    for number, line in enumerate(lines, start=format_.beginning.lines + 1):
        try:
            yield line, format_.image(line, number)
        except BadLine:
            yield line, None


def _new_label(row: Mapping[str, str], known: list[str]) -> str | None:
    """Return the label that a row is marked with; None if it is not marked. Raises WorkFailed."""
    if not row["action"].strip():
        return None
    return marked_label(row, known, refusal="no image of the list has the label")


def _change(image: str, label: str | None, new: str, judged: str) -> list[NewLabel]:
    """Return the change, if there is one. Raises WorkFailed if the list has changed since it was judged."""
    if label is None:
        raise WorkFailed("it is no longer in the list")
    if label not in (judged, new):
        raise WorkFailed("its label has changed since the list was written")
    return [] if label == new else [NewLabel(image, label, new)]
