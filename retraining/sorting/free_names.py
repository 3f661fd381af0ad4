"""Names that are free for files: photo.jpg, or else photo_2.jpg, photo_3.jpg and so on."""

from __future__ import annotations

import filecmp
import itertools
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple


class Place(NamedTuple):
    """A place where nothing is, or one where a file with the same content is."""

    path: Path
    has_same: bool = False


class FreeNames:
    """Finds places for files; those that are planned for others are not free."""

    def __init__(self) -> None:
        self._planned: dict[Path, Path] = {}  # the files by their places

    def plan(self, file: Path, place: Path) -> None:
        """Keep a place for a file that is elsewhere as yet."""
        self._planned[place] = file

    def places(self, file: Path, target: Path) -> Iterator[Place]:
        """Yield the places for a file, the nearest to `target` first, without those that others have."""
        for path in _numbered(target):
            there = self._planned.get(path, path)
            if not os.path.lexists(there):
                yield Place(path)
            elif _is_same_file(file, there):
                yield Place(path, has_same=True)


def _numbered(target: Path) -> Iterator[Path]:
    yield target
    for number in itertools.count(2):
        yield target.with_name(f"{target.stem}_{number}{target.suffix}")


def _is_same_file(file: Path, there: Path) -> bool:
    """Return whether two files have the same content; a link has no content."""
    return stat.S_ISREG(there.lstat().st_mode) and filecmp.cmp(file, there, shallow=False)
