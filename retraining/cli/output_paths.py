"""Places that a run will write to, checked before any work: a typo must not cost an hour."""

from __future__ import annotations

import dataclasses
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from retraining.errors import BadRequest, Message, setting_named

_ROOT = 0  # the user whose links in a shared folder can be trusted like one's own


@dataclasses.dataclass(frozen=True)
class OutputPath:
    """A file or folder to write, and what messages call it."""

    name: Message
    path: Path

    @classmethod
    def of_setting(cls, setting: str, path: Path) -> OutputPath:
        """Return the path that a setting names."""
        return cls(setting_named(setting), path)


def check_file(output: OutputPath) -> None:
    """Raise BadRequest unless a file can be written at this path."""
    name, path = output.name, output.path
    mode = _mode(output)
    if mode is not None and stat.S_ISDIR(mode):
        raise BadRequest("{output} must be a file, received the folder '{path}'.", output=name, path=path)
    if mode is not None and not stat.S_ISREG(mode):
        raise BadRequest(
            "{output} must be a file, received '{path}', which is a device or a pipe.", output=name, path=path
        )
    _check_can_be_written(output, path.parent)
    if mode is not None and not _may_be_replaced(path):
        raise BadRequest(
            "{output} '{path}' belongs to another user. Name another place.", output=name, path=path
        )


def check_folder(output: OutputPath) -> None:
    """Raise BadRequest unless files can be written into a folder at this path, which may not exist yet."""
    mode = _mode(output)
    if mode is not None and not stat.S_ISDIR(mode):
        raise BadRequest(
            "{output} must be a folder, received the file '{path}'.", output=output.name, path=output.path
        )
    _check_can_be_written(output, output.path)


def make_folders(folders: Mapping[str, Path]) -> None:
    """Make folders, given by their settings, that are not there yet. Raises BadRequest."""
    for setting, path in folders.items():
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadRequest(
                "{output} '{path}' cannot be made: {reason}.",
                output=setting_named(setting),
                path=path,
                reason=error.strerror,
            ) from error


def check_apart(files: Sequence[OutputPath], folders: Sequence[OutputPath]) -> None:
    """Raise BadRequest if two outputs have the same path, or one needs a folder where another is a file."""
    for file in files:
        place = _resolved(file.path)
        for other in (*files, *folders):
            if other is not file and _resolved(other.path) == place:
                raise BadRequest(
                    "{output} and {other} must differ, received '{path}' twice.",
                    output=file.name,
                    other=other.name,
                    path=file.path,
                )
            if place in _resolved(other.path).parents:
                raise BadRequest(
                    "{output} must be a file, received '{path}', the folder of {other}.",
                    output=file.name,
                    path=file.path,
                    other=other.name,
                )


def is_same(path: Path, other: Path) -> bool:
    """Return whether two paths, which may not exist yet, lead to the same place, through links."""
    return os.path.realpath(path) == os.path.realpath(other)


def is_within(path: Path, folder: Path) -> bool:
    """Return whether `path` is `folder` or in it, however the two are written."""
    return _resolved(path).is_relative_to(_resolved(folder))


def _resolved(path: Path) -> Path:
    # The last name as it is: an output that is a link is replaced, not followed.
    return Path(os.path.realpath(path.parent), path.name)


def _mode(output: OutputPath) -> int | None:
    """Return the mode of what is at the path, through links, or None if nothing is there."""
    try:
        return output.path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadRequest(
            "{output} '{path}' cannot be used: {reason}.", output=output.name, path=output.path, reason=reason
        ) from error


def _check_can_be_written(output: OutputPath, folder: Path) -> None:
    nearest = folder.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise BadRequest(
            "{output} '{path}' cannot be written: '{nearest}' is not a folder.",
            output=output.name,
            path=output.path,
            nearest=nearest,
        )
    planted = next((part for part in (nearest, *nearest.parents) if _is_planted(part)), None)
    if planted is not None:
        raise BadRequest(
            "{output} '{path}' is refused: '{planted}' is a link that another user has put into a shared "
            "folder. Name another place.",
            output=output.name,
            path=output.path,
            planted=planted,
        )
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise BadRequest(
            "{output} '{path}' cannot be written: no permission to write into '{nearest}'. Name another "
            "place.",
            output=output.name,
            path=output.path,
            nearest=nearest,
        )


def _is_planted(path: Path) -> bool:
    """Return whether `path` is another user's link in a folder that anyone may write to, such as /tmp.

    This is the rule of Linux's protected_symlinks, which is not switched on everywhere.
    """
    link, folder = path.lstat(), path.parent.stat()
    is_shared = bool(folder.st_mode & stat.S_ISVTX) and bool(folder.st_mode & stat.S_IWOTH)
    return stat.S_ISLNK(link.st_mode) and is_shared and link.st_uid not in (_user(), _ROOT)


def _may_be_replaced(path: Path) -> bool:
    """Return whether a new file may be renamed to `path`: in a shared folder only the file's owner may."""
    folder = path.parent.stat()
    if not folder.st_mode & stat.S_ISVTX:
        return True
    return _user() in (_ROOT, path.lstat().st_uid, folder.st_uid)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else _ROOT
