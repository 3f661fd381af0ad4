"""Files moved or copied to a new place so that nothing is overwritten, and nothing lost if the power fails.

A place is first taken with an empty file, which only succeeds where there is none. The file that then
replaces it is complete: renamed or, from another file system, copied and written to the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from retraining.errors import WorkFailed
from retraining.storage.atomic_files import replacing


def move(source: Path, target: Path) -> None:
    """Move a file. Raises FileExistsError if the target exists; OSError and WorkFailed otherwise."""
    with _taken(target):
        try:
            source.replace(target)
        except OSError as error:
            if error.errno != errno.EXDEV:  # it is on another file system
                raise
            copied = _copied(source, target)
            if _identity(source.lstat()) != copied:
                raise WorkFailed("was copied, but has changed since, so it is not removed") from error
            source.unlink()


def copy(source: Path, target: Path) -> None:
    """Copy a file with its dates. Raises FileExistsError if the target exists; OSError and WorkFailed."""
    with _taken(target):
        _copied(source, target)


@contextlib.contextmanager
def _taken(target: Path) -> Iterator[None]:
    """Take a place, and leave it again if what should replace the empty file there does not come."""
    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
    empty = os.fstat(descriptor)
    os.close(descriptor)
    try:
        yield
    except BaseException:
        with contextlib.suppress(OSError):
            if _identity(target.lstat()) == _identity(empty):
                target.unlink()
        raise


def _copied(source: Path, target: Path) -> tuple[int, ...]:
    """Copy a file over the place that was taken; return what identifies the file that was copied."""
    with open(source, "rb", opener=_open_no_link) as content, replacing(target) as beside:
        before = os.fstat(content.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise WorkFailed("is no longer a file")
        with beside.open("wb") as written:
            shutil.copyfileobj(content, written)
            written.flush()
            os.fsync(written.fileno())
        with contextlib.suppress(OSError):  # a file system may keep no dates or modes
            shutil.copystat(source, beside, follow_symlinks=False)
    _sync_folder(target.parent)
    return _identity(before)


def _open_no_link(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NOFOLLOW", 0))


def _sync_folder(folder: Path) -> None:
    """Have the disk write the new name down, before the old one is removed."""
    if os.name == "nt":  # where a folder cannot be opened
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # network file systems may not offer it
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
