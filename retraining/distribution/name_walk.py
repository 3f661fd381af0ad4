"""A walk through folders that are known by the names of files only, by the rules for folders on a disk."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from retraining.data.folder_walk import Folder, FolderFiles, no_folder, warn_about_loose_images
from retraining.data.leftovers import without_leftover_files, without_leftover_folders
from retraining.storage import cache_tag


@dataclasses.dataclass(frozen=True)
class _Content:
    """The names of a folder's sub-folders, and the names and paths of its files, in the same order."""

    folders: list[str] = dataclasses.field(default_factory=list)
    names: list[str] = dataclasses.field(default_factory=list)
    files: list[str] = dataclasses.field(default_factory=list)


class NameWalk:
    """Folders that are made of the names of files, such as those in a store, or of an archive's members."""

    def __init__(self) -> None:
        self._folders: dict[str, _Content] = {}

    def add(self, folder: str, name: str, file: str) -> None:
        """Add a file that is read at the path `file`, by its name below `folder`.

        A name that ends with a slash is that of a folder.
        """
        between, _, last = name.rpartition("/")
        if "//" in name or name.startswith("/"):  # which are allowed in a store, and are no folder
            between = "/".join(filter(None, between.split("/")))
        content = self._made(folder, between)
        if last:
            content.names.append(last)
            content.files.append(file)

    def has(self, folder: Folder) -> bool:
        """Return whether there is such a folder."""
        return str(folder) in self._folders

    def class_folders(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in a folder, sorted; warn about images there. Raises BadRequest."""
        if not self.has(folder):
            raise no_folder(folder, "does not exist")
        self.warn_about_stray_files(folder)
        return self.folders_in(folder)

    def warn_about_stray_files(self, folder: Folder) -> None:
        """Warn about images beside the class folders in a folder."""
        warn_about_loose_images(folder, self.names_in(folder))

    def names_in(self, folder: Folder) -> list[str]:
        """Return the visible names of the files directly in a folder."""
        content = self._folders.get(str(folder))
        return [] if content is None else [name for name, _ in _visible_files(content)]

    def folders_in(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in a folder, sorted; none if it is marked as a cache."""
        content = self._folders.get(str(folder))
        if content is None or cache_tag.NAME in content.names:
            return []
        return [folder / name for name in _visible_folders(content)]

    def files_in(self, folder: Folder) -> FolderFiles:
        """Return the files at any depth in a folder, by sub-folder and name."""
        found = FolderFiles(folder, [], [], [], holds_outputs=False)
        content = self._folders.get(str(folder), _Content())
        if cache_tag.NAME in content.names:
            return found._replace(holds_outputs=True)
        _add(found, _visible_files(content))
        is_nested, left_out = not found.files, False
        for name in _visible_folders(content):
            inner = self.files_in(folder / name)
            left_out |= inner.holds_outputs
            _add(found, zip(inner.names, inner.files, strict=True))
            if is_nested and inner.files:
                found.sub_folders.append(name)
        return found._replace(holds_outputs=left_out)

    def _made(self, folder: str, between: str) -> _Content:
        """Return the folder `between` below `folder`, made with all that lead to it if it is new."""
        path = f"{folder}/{between}" if between else folder
        content = self._folders.get(path)
        if content is None:
            content = self._folders[path] = _Content()
            if between:
                outer, _, name = between.rpartition("/")
                self._made(folder, outer).folders.append(name)
        return content


def visible_files(names: list[str]) -> list[str]:
    """Return the names of files that are neither hidden nor leftovers of a system."""
    return without_leftover_files([name for name in names if not name.startswith(".")])


def is_visible_folder(name: str) -> bool:
    """Return whether a folder's name is neither hidden nor a leftover of a system."""
    return not name.startswith(".") and bool(without_leftover_folders([name]))


def _visible_folders(content: _Content) -> list[str]:
    return sorted(name for name in content.folders if is_visible_folder(name))


def _visible_files(content: _Content) -> list[tuple[str, str]]:
    """Return the names and paths of a folder's visible files, sorted."""
    visible = set(visible_files(content.names))
    pairs = zip(content.names, content.files, strict=True)
    return sorted(pair for pair in pairs if pair[0] in visible)


def _add(found: FolderFiles, files: Iterable[tuple[str, str]]) -> None:
    for name, file in files:
        found.names.append(name)
        found.files.append(file)
