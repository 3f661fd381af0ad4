"""Folders of images, walked: class folders, and the files at any depth in them.

No file is opened here: what is in a file is found out by `images`, when it is read.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol, TypeAlias

from retraining.data.address import Address
from retraining.data.leftovers import without_leftover_files, without_leftover_folders
from retraining.errors import BadRequest
from retraining.storage import cache_tag

# Only decides which stray files and empty folders are worth a warning.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".hif", ".jp2", ".j2k", ".jpf", ".jpx"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".ico"),
)

log = logging.getLogger(__name__)


Folder: TypeAlias = Path | Address


class FolderFiles(NamedTuple):
    """A folder, the files in it at any depth, and whether anything in it was left out as an output.

    `sub_folders` are the names of its sub-folders if all files are in these, as in a folder that is a set.
    """

    path: Folder
    files: list[str]
    names: list[str]  # the files' base names
    sub_folders: list[str]
    holds_outputs: bool


class Walk(Protocol):
    """A way through folders, wherever they are: what a data set is scanned by."""

    def class_folders(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in the images' folder, sorted; warn about what else is there."""

    def folders_in(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in a folder, sorted."""

    def files_in(self, folder: Folder) -> FolderFiles:
        """Return the files at any depth in a folder, by sub-folder and name."""

    def warn_about_stray_files(self, folder: Folder) -> None:
        """Warn about what is beside the class folders in a folder and looks like images."""


def classes_among(folders: Iterable[Folder], walk: Walk) -> list[FolderFiles]:
    """Return the folders with their files, without those that only hold outputs. Raises BadRequest."""
    classes = []
    for folder in map(walk.files_in, folders):
        if folder.files or not folder.holds_outputs:
            classes.append(folder)
        else:
            log.info("Folder '%s' holds outputs of this program and is not a class.", folder.path)
    return classes


def no_folder(folder: Folder, found: str) -> BadRequest:
    """Return that there is no folder of images; `found` says what there is."""
    return BadRequest(
        "{image_dir} must be a folder with one sub-folder of images per class; '{folder}' {found}.",
        folder=folder,
        found=found,
    )


def warn_about_loose_images(folder: Folder, names: Iterable[str]) -> None:
    """Warn if there are images among the names in a folder that has class folders."""
    loose = sum(name.lower().endswith(IMAGE_SUFFIXES) for name in names)
    if loose:
        log.warning(
            "%s images are in '%s' itself, outside any class folder, and are ignored. Move them into a class "
            "folder.",
            f"{loose:,}",
            folder,
        )


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files among `paths` and, for folders, the visible files at any depth in them."""
    files: list[Path] = []
    for path in paths:
        files += map(Path, FolderWalk().files_in(path).files) if path.is_dir() else [path]
    return files


class FolderWalk:
    """A walk through folders and links to folders, each once, leaving out hidden names and outputs."""

    def __init__(self, outputs: Iterable[Path] = ()) -> None:
        # By identity, not by name, since a path can be written in many ways.
        identities = {path: _identity(path) for path in outputs}
        self._outputs = {identity for identity in identities.values() if identity is not None}
        self._output_names = {path.name for path in identities}
        self._left_out = 0

    def class_folders(self, folder: Folder) -> list[Folder]:
        """Return the visible first-level folders, sorted; warn about other things there.

        Raises BadRequest if `folder` is not a folder or cannot be read.
        """
        image_dir = Path(folder)
        if not image_dir.is_dir():
            raise no_folder(folder, "is a file" if image_dir.exists() else "does not exist")
        try:
            folders, names = _content(str(folder))
        except OSError as error:
            raise BadRequest(
                "{image_dir} '{folder}' cannot be read: {reason}.", folder=folder, reason=error.strerror
            ) from error
        _warn_about_stray_files(folder, names)
        return [folder / name for name in folders]

    def warn_about_stray_files(self, folder: Folder) -> None:
        """Warn about what is beside class folders and looks like images. Raises BadRequest."""
        _warn_about_stray_files(folder, self.names_in(folder))

    def names_in(self, folder: Folder) -> list[str]:
        """Return the visible names in a folder that are no folders. Raises BadRequest."""
        return _readable_content(folder)[1]

    def folders_in(self, folder: Folder) -> list[Folder]:
        """Return the sub-folders of a folder, sorted; none if the folder is an output. Raises BadRequest."""
        folders, names = _readable_content(folder)
        is_output = self._is_output_folder(_identity(folder), names)
        return [] if is_output else [folder / name for name in folders]

    def files_in(self, folder: Folder) -> FolderFiles:
        """Return the files at any depth in a folder, by sub-folder and name. Raises BadRequest."""
        files: list[str] = []
        names: list[str] = []
        sub_folders: dict[str, None] = {}
        left_out = self._left_out
        below = f"{folder}{os.sep}"
        for parent, found in self._folders_in(folder):
            found.sort()
            names += found
            files += map(f"{parent}{os.sep}".__add__, found)
            if found:
                sub_folders[parent[len(below) :].partition(os.sep)[0]] = None
        nested = [] if "" in sub_folders else list(sub_folders)
        return FolderFiles(folder, files, names, nested, self._left_out > left_out)

    def _folders_in(self, folder: Folder) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder, itself first, with the names in it that may be images.

        A folder that cannot be read is given as a name too, so that it is listed among the files that
        cannot be used. Raises BadRequest if `folder` itself cannot be read.
        """
        seen = set()
        waiting = [str(folder)]
        while waiting:
            parent = waiting.pop()
            try:
                folders, names = _content(parent)
            except OSError as error:
                if parent == str(folder):
                    raise _unreadable(folder, error) from error
                yield _as_name(parent)
                continue
            identity = _identity(parent)
            # Seen before: a link back to a parent would be walked for ever.
            if self._is_output_folder(identity, names) or identity in seen:
                continue
            seen.add(identity)
            waiting += [f"{parent}{os.sep}{name}" for name in reversed(folders)]
            yield parent, self._without_outputs(parent, names)
            if not (folders or names) and parent.lower().endswith(IMAGE_SUFFIXES):
                yield _as_name(parent)

    def _is_output_folder(self, identity: tuple[int, int] | None, names: list[str]) -> bool:
        is_output = identity in self._outputs or cache_tag.NAME in names
        self._left_out += is_output
        return is_output

    def _without_outputs(self, parent: str, names: list[str]) -> list[str]:
        suspects = self._output_names.intersection(names)
        written = {name for name in suspects if _identity(os.path.join(parent, name)) in self._outputs}
        self._left_out += len(written)
        return [name for name in names if name not in written] if written else names


def _warn_about_stray_files(folder: Folder, names: list[str]) -> None:
    for path in (Path(folder, name) for name in sorted(names)):
        if path.is_symlink() and not os.path.exists(path):
            log.warning("'%s' is a broken link, so it is not a class.", path)
    warn_about_loose_images(folder, names)


def _readable_content(folder: Folder) -> tuple[list[str], list[str]]:
    """Return the content of a folder. Raises BadRequest if it cannot be read."""
    try:
        return _content(str(folder))
    except OSError as error:
        raise _unreadable(folder, error) from error


def _unreadable(folder: Folder, error: OSError) -> BadRequest:
    return BadRequest("folder '{folder}' cannot be read: {reason}.", folder=folder, reason=error.strerror)


def _content(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of the folders, sorted, with links to folders; and all other names.

    Hidden names and leftovers of the system are passed over.
    """
    folders: list[str] = []
    names: list[str] = []
    with os.scandir(folder) as scanned:
        for entry in scanned:
            name = entry.name
            if name[0] != ".":
                (folders if _is_folder(entry) else names).append(name)
    return sorted(without_leftover_folders(folders)), without_leftover_files(names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _as_name(folder: str) -> tuple[str, list[str]]:
    parent, name = os.path.split(folder)
    return parent, [name]


def _identity(path: Path | str) -> tuple[int, int] | None:
    """Return what tells a file or folder from any other, whatever its path; None if it does not exist."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
