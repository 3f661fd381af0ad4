"""Images moved into the folders of other classes, as a person has marked them in a list; and back again.

Everything is checked and planned before the first move, and what undoes the plan is on the disk by then.
"""

from __future__ import annotations

import dataclasses
import itertools
import os
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from retraining.data import images
from retraining.errors import BadRequest, WorkFailed
from retraining.sorting import placing
from retraining.sorting.free_names import FreeNames
from retraining.sorting.suspected_labels import marked_label
from retraining.storage import spreadsheet
from retraining.storage.atomic_files import reason, scratch_folder
from retraining.storage.spreadsheet import cell, text_of

_FILE = ("image", "folder", "sha256")  # which every list has
_UNDO = ("image", "back_to", "folder", "sha256")


class Move(NamedTuple):
    """A file, the place that it is moved to, both by their paths in a folder, and its SHA-256."""

    folder: Path
    image: Path
    target: Path
    digest: bytes


class Refusal(NamedTuple):
    """An image that cannot be moved, by its path in the list; the reason completes "it is not moved: "."""

    image: str
    reason: WorkFailed


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is moved of the images in a list, what is refused, and how many there are in all."""

    moves: tuple[Move, ...]
    refused: tuple[Refusal, ...]
    count: int
    is_undo: bool


def plan(csv: Path) -> Plan:
    """Return what a list asks for. Raises BadRequest if it is none; nothing is changed."""
    table = spreadsheet.read(csv, _FILE)
    planner = _Planner()
    is_undo = "back_to" in table.header
    planned = planner.back if is_undo else planner.to_class
    if not is_undo and "action" not in table.header:
        raise BadRequest(
            "{csv} '{path}' must have the column 'action', in which you mark what is to be moved.", path=csv
        )
    moves: list[Move] = []
    refused: list[Refusal] = []
    for row in table.rows:
        try:
            move = _without_errors_of_the_system(planned, row)
        except WorkFailed as error:
            refused.append(Refusal(text_of(row["image"]), error))
        else:
            moves += [] if move is None else [move]
    return Plan(tuple(moves), tuple(refused), len(table.rows), is_undo)


def write_undo(plan: Plan, csv: Path) -> Path:
    """Write the list that undoes a plan beside the list that it is made from; return its path.

    It is on the disk when this returns, and no earlier one is overwritten. Raises WorkFailed.
    """
    rows = [
        (
            cell(move.target.as_posix()),
            cell(move.image.as_posix()),
            cell(move.folder.as_posix()),
            move.digest.hex(),
        )
        for move in plan.moves
    ]
    with scratch_folder(csv) as folder:
        written = folder / csv.name
        spreadsheet.write(written, _UNDO, rows)
        for number in itertools.count(1):
            path = csv.with_name(f"{csv.stem}_undo{'' if number == 1 else f'_{number}'}.csv")
            try:
                placing.copy(written, path)
            except FileExistsError:
                continue
            return path
    raise AssertionError("numbers never end")


def carry_out(move: Move) -> None:
    """Move a file. Raises WorkFailed if it stays."""
    _without_errors_of_the_system(_carry_out, move)


def _carry_out(move: Move) -> None:
    _check_no_link(move.folder, move.image)
    place = move.folder / move.target
    _check_folders(move.folder, move.target.parent)
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        placing.move(move.folder / move.image, place)
    except FileExistsError as error:
        raise WorkFailed("'{place}' has been taken by another file meanwhile", place=move.target) from error


class _Planner:
    """Checks the rows of a list one after the other, so that no two images are given the same place."""

    def __init__(self) -> None:
        self._names = FreeNames()
        self._classes: dict[Path, list[str]] = {}
        self._seen: set[Path] = set()

    def to_class(self, row: Mapping[str, str]) -> Move | None:
        """Return the move into the folder of the class that a row is marked with; None if it is not marked.

        Folders below that of a class are kept.
        """
        if not row["action"].strip():
            return None
        folder, image = _paths(row, "image")
        label = self._class(folder, row)
        if label == image.parts[0]:
            return None
        digest = self._checked(folder, image, row)
        target = Path(label, *image.parts[1:])
        _check_folders(folder, target.parent)
        place = next(self._names.places(folder / image, folder / target))
        if place.has_same:
            raise WorkFailed("'{place}' has the same content", place=place.path.relative_to(folder))
        self._names.plan(folder / image, place.path)
        return Move(folder, image, place.path.relative_to(folder), digest)

    def back(self, row: Mapping[str, str]) -> Move | None:
        """Return the move to the very place where an image was; None if it is there."""
        folder, image = _paths(row, "image")
        target = _paths(row, "back_to")[1]
        if _is_there(folder, target, row["sha256"]):
            return None
        digest = self._checked(folder, image, row)
        _check_folders(folder, target.parent)
        if os.path.lexists(folder / target):
            raise WorkFailed("another file is at '{place}' now", place=target)
        return Move(folder, image, target, digest)

    def _class(self, folder: Path, row: Mapping[str, str]) -> str:
        """Return the class into whose folder an image is to be moved."""
        if folder not in self._classes:
            self._classes[folder] = _class_names(folder)
        return marked_label(row, self._classes[folder], refusal="there is no folder of a class")

    def _checked(self, folder: Path, image: Path, row: Mapping[str, str]) -> bytes:
        """Return the SHA-256 of a file that is as it was when the list was written."""
        if folder / image in self._seen:
            raise WorkFailed("it is in the list twice")
        self._seen.add(folder / image)
        _check_no_link(folder, image)
        digest = _digest(folder / image)
        if digest.hex() != row["sha256"].strip().lower():
            raise WorkFailed("it has changed since the list was written")
        return digest


def _paths(row: Mapping[str, str], column: str) -> tuple[Path, Path]:
    """Return the folder of a row and the path of a file in it, which has a class folder in front."""
    folder, image = Path(text_of(row["folder"])), Path(text_of(row[column]))
    if not folder.is_absolute() or "\0" in f"{folder}{image}":
        raise WorkFailed("'{folder}' is not the full path of a folder", folder=folder)
    leads_out = image.anchor != "" or any(part.startswith(".") for part in image.parts)
    if leads_out or len(image.parts) < 2:
        raise WorkFailed("its path does not lead to an image of a class in '{folder}'", folder=folder)
    return folder, image


def _class_names(folder: Path) -> list[str]:
    with os.scandir(folder) as entries:
        return [
            entry.name for entry in entries if entry.is_dir(follow_symlinks=False) and entry.name[0] != "."
        ]


def _check_no_link(folder: Path, image: Path) -> None:
    """Raise WorkFailed unless a file is there, and neither it nor a folder on its path is a link."""
    _check_folders(folder, image.parent)
    try:
        mode = (folder / image).lstat().st_mode
    except FileNotFoundError as error:
        raise WorkFailed("it is no longer there") from error
    if not stat.S_ISREG(mode):
        raise WorkFailed("it is a link, or no file")


def _check_folders(folder: Path, inner: Path) -> None:
    """Raise WorkFailed if something between `folder` and one in it is no folder, such as a link to one."""
    for parent in (*reversed(inner.parents[:-1]), inner):
        there = folder / parent
        if os.path.lexists(there) and not stat.S_ISDIR(there.lstat().st_mode):
            raise WorkFailed("'{folder}' is a link or a file", folder=parent)


def _is_there(folder: Path, image: Path, sha256: str) -> bool:
    """Return whether a file is where it was, with the content that it had."""
    try:
        _check_no_link(folder, image)
        return _digest(folder / image).hex() == sha256.strip().lower()
    except WorkFailed:
        return False


def _digest(path: Path) -> bytes:
    return images.digest(images.read(path))


def _without_errors_of_the_system(work: Callable[..., Move | None], *arguments: object) -> Move | None:
    """Return the result of `work`. Raises WorkFailed if the file system reports an error."""
    try:
        return work(*arguments)
    except OSError as error:
        raise WorkFailed("{reason}", reason=reason(error)) from error
