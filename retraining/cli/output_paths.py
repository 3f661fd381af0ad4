"""Places that a run is to write to: looked at before any work, since a typo must not cost an hour."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from retraining.errors import BadRequest

_ROOT = 0  # the user whose links in a shared folder can be trusted as one's own


def check_file(flag: str, path: Path) -> None:
    """Raise BadRequest unless a file can be put at `path`."""
    mode = _mode(flag, path)
    if mode is not None and stat.S_ISDIR(mode):
        raise BadRequest(
            "{flag} must be a file, received the folder '{path}'.",
            flag=flag,
            path=path,
        )
    if mode is not None and not stat.S_ISREG(mode):
        raise BadRequest(
            "{flag} must be a file, received '{path}', which is a device or a pipe.",
            flag=flag,
            path=path,
        )
    _check_can_be_written(flag, path, path.parent)
    if mode is not None and not _may_be_replaced(path):
        raise BadRequest(
            "{flag} '{path}' belongs to another user. Name another place.",
            flag=flag,
            path=path,
        )


def check_folder(flag: str, path: Path) -> None:
    """Raise BadRequest unless files can be put into a folder at `path`, made if it is not there."""
    mode = _mode(flag, path)
    if mode is not None and not stat.S_ISDIR(mode):
        raise BadRequest(
            "{flag} must be a folder, received the file '{path}'.",
            flag=flag,
            path=path,
        )
    _check_can_be_written(flag, path, path)


def check_apart(files: Mapping[str, Path], folders: Mapping[str, Path]) -> None:
    """Raise BadRequest if two places, by flag, are one, or a file is where another place needs a folder."""
    places = {flag: _resolved(path) for flag, path in {**files, **folders}.items()}
    for flag in files:
        for other, place in places.items():
            if other != flag and places[flag] == place:
                raise BadRequest(
                    "{flag} and {other} must differ, received '{files}' twice.",
                    flag=flag,
                    other=other,
                    files=files[flag],
                )
            if places[flag] in place.parents:
                raise BadRequest(
                    "{flag} must be a file, received '{files}', the folder of {other}.",
                    flag=flag,
                    files=files[flag],
                    other=other,
                )


def is_same(path: Path, other: Path) -> bool:
    """Return whether the two, which may not be there, are one place, through links."""
    return os.path.realpath(path) == os.path.realpath(other)


def is_within(path: Path, folder: Path) -> bool:
    """Return whether `path` is `folder` or lies in it, however the two are written."""
    return _resolved(path).is_relative_to(_resolved(folder))


def _resolved(path: Path) -> Path:
    # The last name as it is: an output that is a link is replaced, not followed.
    return Path(os.path.realpath(path.parent), path.name)


def _mode(flag: str, path: Path) -> int | None:
    """Return what is at `path`, through links, or None if nothing is."""
    try:
        return path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise BadRequest(
            "{flag} '{path}' cannot be used: {reason}.",
            flag=flag,
            path=path,
            reason=reason,
        ) from error


def _check_can_be_written(flag: str, path: Path, folder: Path) -> None:
    nearest = folder.absolute()
    while not os.path.lexists(nearest):
        nearest = nearest.parent
    if not nearest.is_dir():
        raise BadRequest(
            "{flag} '{path}' cannot be written: '{nearest}' is not a folder.",
            flag=flag,
            path=path,
            nearest=nearest,
        )
    planted = next((part for part in (nearest, *nearest.parents) if _is_planted(part)), None)
    if planted is not None:
        raise BadRequest(
            "{flag} '{path}' is refused: '{planted}' is a link that another user has put into a "
            "shared folder. Name another place.",
            flag=flag,
            path=path,
            planted=planted,
        )
    if not os.access(nearest, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise BadRequest(
            "{flag} '{path}' cannot be written: no permission to write into '{nearest}'. Name another place.",
            flag=flag,
            path=path,
            nearest=nearest,
        )


def _is_planted(path: Path) -> bool:
    """Return whether `path` is another user's link in a folder that all may write to, such as /tmp.

    The rule of Linux's protected_symlinks, which not every system has on.
    """
    link, folder = path.lstat(), path.parent.stat()
    is_shared = bool(folder.st_mode & stat.S_ISVTX) and bool(folder.st_mode & stat.S_IWOTH)
    return stat.S_ISLNK(link.st_mode) and is_shared and link.st_uid not in (_user(), _ROOT)


def _may_be_replaced(path: Path) -> bool:
    """Return whether the file may be renamed over: in a shared folder only its owner may."""
    folder = path.parent.stat()
    if not folder.st_mode & stat.S_ISVTX:
        return True
    return _user() in (_ROOT, path.lstat().st_uid, folder.st_uid)


def _user() -> int:
    return os.geteuid() if hasattr(os, "geteuid") else _ROOT
