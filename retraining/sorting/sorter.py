"""Where an image goes that was labelled: into the folder of its class, under a name that is free there."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from retraining.errors import BadRequest, WorkFailed
from retraining.sorting import placing
from retraining.sorting.free_names import FreeNames
from retraining.sorting.outcome import Outcome, Sorted
from retraining.storage.atomic_files import reason

_LONGEST_NAME = 255  # bytes, on all file systems that are in use


class Sorter:
    """Sorts images into the class folders of a folder. Nothing there is ever overwritten.

    An image is moved, or copied if `is_copied`. A dry run says what would happen, and changes nothing.
    """

    def __init__(
        self, folder: Path, labels: Sequence[str], *, is_copied: bool = False, is_dry_run: bool = False
    ) -> None:
        """Raise BadRequest if a label cannot be the name of a folder."""
        for label in labels:
            _check_is_name(label)
        self.folder = folder
        self._labels = frozenset(labels)
        self._is_copied = is_copied
        self._is_dry_run = is_dry_run
        self._names = FreeNames()

    def is_sorted(self, image: Path) -> bool:
        """Return whether an image is in one of the class folders already, so that it has to stay there."""
        path, folder = Path(os.path.realpath(image.parent)), Path(os.path.realpath(self.folder))
        return path.is_relative_to(folder) and bool(
            self._labels.intersection(path.relative_to(folder).parts[:1])
        )

    def sort(self, image: Path, label: str) -> Sorted:
        """Put an image into the folder of a class. Raises WorkFailed if it stays for any other reason than
        that a file with the same content is there.
        """
        try:
            if not stat.S_ISREG(image.lstat().st_mode):
                raise WorkFailed("is a link, and links are not sorted")
            folder = self.folder / label
            _check_is_folder(folder)
            if not self._is_dry_run:
                folder.mkdir(parents=True, exist_ok=True)
            return self._put(image, folder)
        except OSError as error:
            raise WorkFailed("cannot be sorted ({reason})", reason=reason(error)) from error

    def _put(self, image: Path, folder: Path) -> Sorted:
        for place in self._names.places(image, folder / image.name):
            if place.has_same:
                return Sorted(Outcome.ALREADY_THERE, place.path)
            if self._is_put(image, place.path):
                return Sorted(Outcome.COPIED if self._is_copied else Outcome.MOVED, place.path)
        raise AssertionError("names never end")

    def _is_put(self, image: Path, target: Path) -> bool:
        """Put an image to a place; return False if another program was faster."""
        if self._is_dry_run:
            self._names.plan(image, target)
            return True
        try:
            (placing.copy if self._is_copied else placing.move)(image, target)
        except FileExistsError:
            return False
        return True


def _check_is_name(label: str) -> None:
    is_hidden_or_way = label.startswith(".") or not label.strip()
    is_path = any(character in label for character in "/\\\0")
    if is_hidden_or_way or is_path or len(os.fsencode(label)) > _LONGEST_NAME:
        raise BadRequest(
            "images cannot be sorted into a folder named '{label}', as one of the labels is. Give others "
            "with {labels}.",
            label=label,
        )


def _check_is_folder(folder: Path) -> None:
    """Raise WorkFailed if the folder of a class is something else, such as a link to a folder elsewhere."""
    if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
        raise WorkFailed("cannot be sorted: '{folder}' is a link or a file", folder=folder)
