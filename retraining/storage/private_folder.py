"""Folders that only their owner writes to: what is read from one was put there by this user's own runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_PROGRAM = "image-retrainer"


def of_caches() -> Path | None:
    """Return the program's folder among the user's caches, or None for a user without a home.

    Source: https://specifications.freedesktop.org/basedir/, which says to ignore a relative path.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        return (named if named.is_absolute() else Path.home() / ".cache") / _PROGRAM
    except RuntimeError:  # without a home
        return None


def made(folder: Path) -> bool:
    """Return whether there is such a folder at this path, after trying to make it for its owner alone."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError:
        return False
    return is_private(folder)


def is_private(folder: Path) -> bool:
    """Return whether the path is a folder, not a link to one, that nobody but this user can write to."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    if not stat.S_ISDIR(status.st_mode) or not hasattr(os, "geteuid"):  # Windows has no such modes
        return stat.S_ISDIR(status.st_mode)
    is_shared = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return status.st_uid == os.geteuid() and not is_shared
