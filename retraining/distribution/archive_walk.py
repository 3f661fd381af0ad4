"""A walk in which archives of photos are folders: in a class folder they hold images of that class.

Beside class folders, an archive has class folders in it, as if it were unpacked there, or it is one of
WebDataset's, in which a file NAME.cls says what class NAME.jpg is (https://webdataset.github.io/webdataset).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from retraining.data import prefetching
from retraining.data.folder_walk import IMAGE_SUFFIXES, Folder, FolderFiles, Walk
from retraining.distribution import archives, places
from retraining.distribution.archive_members import Member
from retraining.distribution.name_walk import NameWalk, is_visible_folder, visible_files
from retraining.errors import BadImage, BadRequest

_AHEAD = 8  # archives that are listed before they are needed

log = logging.getLogger(__name__)


class WalkOfNames(Walk, Protocol):
    """A walk that also tells what is in a folder besides folders."""

    def names_in(self, folder: Folder) -> list[str]:
        """Return the visible names in a folder that are no folders."""


class ArchiveWalk:
    """A walk through folders by `walk`, and through the archives in them."""

    def __init__(self, walk: WalkOfNames, count: Callable[[int], object]) -> None:
        """Make a walk that calls `count` with the number of images found in each archive."""
        self._walk = walk
        self._count = count
        self._members = NameWalk()
        self._plain: set[str] = set()  # folders that are not just in archives

    def class_folders(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in the images' folder and in its archives, sorted. Raises BadRequest."""
        self._plain.add(str(folder))
        return self._with_those_in_archives(folder, self._walk.class_folders(folder))

    def folders_in(self, folder: Folder) -> list[Folder]:
        """Return the visible folders in a folder and in its archives, sorted. Raises BadRequest."""
        found = self._walk.folders_in(folder) if str(folder) in self._plain else []
        return self._with_those_in_archives(folder, found)

    def files_in(self, folder: Folder) -> FolderFiles:
        """Return the files in a folder, with the members of archives in their place. Raises BadRequest."""
        inside = self._members.files_in(folder)
        if str(folder) not in self._plain:
            return inside
        found = self._walk.files_in(folder)
        files, names = self._unpacked(found)
        return FolderFiles(
            folder,
            files + inside.files,
            names + inside.names,
            _common_sub_folders(found, inside),
            found.holds_outputs or inside.holds_outputs,
        )

    def warn_about_stray_files(self, folder: Folder) -> None:
        """Warn about images beside the class folders in a folder, and in its archives."""
        if str(folder) in self._plain:
            self._walk.warn_about_stray_files(folder)

    def _with_those_in_archives(self, folder: Folder, found: list[Folder]) -> list[Folder]:
        self._plain.update(map(str, found))
        archived: list[str] = []
        if str(folder) in self._plain:
            for name in sorted(self._walk.names_in(folder)):
                if _is_read(name, str(folder)):
                    archived.append(places.join(str(folder), name))
        for archive, images in zip(archived, self._images(archived), strict=True):
            self._add_members(folder, archive, images)
        inside = self._members.folders_in(folder)
        return sorted({str(path): path for path in (*found, *inside)}.values(), key=lambda path: path.name)

    def _add_members(self, folder: Folder, archive: str, images: Iterable[_Image]) -> None:
        stray = 0
        for image in images:
            label = f"{image.label}/" if image.label else ""
            stray += not label and "/" not in image.name
            self._members.add(str(folder), label + image.name, image.file)
        if stray:
            log.warning("%s files in '%s' are in no class folder, and are ignored.", f"{stray:,}", archive)

    def _unpacked(self, found: FolderFiles) -> tuple[list[str], list[str]]:
        """Return the paths and the names of the files of a class, without archives but with their members."""
        if not any(map(_is_any_archive, found.names)):
            return found.files, found.names
        files: list[str] = []
        names: list[str] = []
        pairs = list(zip(found.files, found.names, strict=True))
        archived = [file for file, name in pairs if _is_read(name, places.parent(file))]
        unpacked = self._images(archived)
        for file, name in pairs:
            if archives.is_archive(name):
                inside = next(unpacked)
                files += [image.file for image in inside]
                names += [image.name.rpartition("/")[2] for image in inside]
            else:
                files.append(file)
                names.append(name)
        return files, names

    def _images(self, archived: Sequence[str]) -> Iterator[list[_Image]]:
        """Yield the images of each archive; others are listed meanwhile, since a store takes its time."""
        for images in prefetching.ahead(archived, _images_in, lookahead=_AHEAD):
            self._count(len(images))
            yield images


class _Image(NamedTuple):
    """An image in an archive: its name and address, and its class if the archive names it beside it."""

    name: str
    file: str
    label: str | None


def _images_in(archive: str) -> list[_Image]:
    """Return the images in an archive: its visible members, but for those that only describe an image."""
    try:
        members = list(archives.members(archive))
    except BadImage as error:
        raise BadRequest(
            "archive '{archive}' {reason}. Replace it, or move it elsewhere.", archive=archive, reason=error
        ) from error
    _warn_about_links(archive, [member.name for member in members if member.position is None])
    visible = [member for member in members if member.position is not None and _is_visible(member)]
    pictures = {_key(member.name) for member in visible if _is_picture(member)}
    labels = {_key(member.name): member.text for member in visible if member.text}
    kept = (member for member in visible if _is_picture(member) or _key(member.name) not in pictures)
    return [
        _Image(member.name, archives.address(archive, member), _label(archive, labels.get(_key(member.name))))
        for member in kept
    ]


def _label(archive: str, text: str | None) -> str | None:
    if text is not None and ("/" in text or not text.isprintable() or text.startswith(".")):
        raise BadRequest(
            "archive '{archive}' names the class '{label}' in a .cls file, which cannot be a folder's name. "
            "Name it otherwise.",
            archive=archive,
            label=text,
        )
    return text


def _key(name: str) -> str:
    """Return what WebDataset calls the key of a member: the same for all that belong to one photo."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/{last.partition('.')[0]}"


def _is_picture(member: Member) -> bool:
    return member.name.lower().endswith(IMAGE_SUFFIXES)


def _is_visible(member: Member) -> bool:
    *folders, last = member.name.split("/")
    return all(map(is_visible_folder, folders)) and bool(visible_files([last]))


def _is_any_archive(name: str) -> bool:
    return archives.is_archive(name) or archives.is_solid(name)


def _is_read(name: str, where: str) -> bool:
    """Return whether a file is an archive. Raises BadRequest for one that cannot be read in parts."""
    if archives.is_solid(name):
        raise BadRequest(
            "'{name}' in '{where}' is compressed as a whole, so photos in it cannot be read one by one. "
            "Unpack it and pack it as .tar or .zip, or move it elsewhere.",
            name=name,
            where=where,
        )
    return archives.is_archive(name)


def _warn_about_links(archive: str, names: list[str]) -> None:
    if names:
        log.warning(
            "%s members of '%s' are ignored, since they are links, devices or outside its own folder, such "
            "as '%s'.",
            f"{len(names):,}",
            archive,
            names[0],
        )


def _common_sub_folders(found: FolderFiles, inside: FolderFiles) -> list[str]:
    """Return the sub-folders of a class of which a part is in archives, if all its files are in them."""
    parts = [part for part in (found, inside) if part.files]
    return (
        sorted({*found.sub_folders, *inside.sub_folders}) if all(part.sub_folders for part in parts) else []
    )
