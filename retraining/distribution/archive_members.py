"""What a member of an archive is: its name, and the bytes of the archive where it is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import NamedTuple

from retraining.errors import BadImage


class Position(NamedTuple):
    """Where a member is: the first byte, and how many bytes its kind of archive needs to find it there."""

    start: int
    size: int


class Member(NamedTuple):
    """A member: its name, the bytes where it is, and the text in it if that is the name of a class.

    Without a position it is no plain file inside the archive's own folder, but a link or a device, or its
    name leads elsewhere.
    """

    name: str
    position: Position | None
    text: str | None = None


def plain_name(name: str) -> str | None:
    """Return a member's name as a path from the archive on, or None if it leads elsewhere."""
    path = PurePosixPath(name)
    return None if path.is_absolute() or ".." in path.parts or not path.parts else str(path)


def check_name(found: str, name: str) -> None:
    """Raise BadImage if the member that was found is not the one that was listed."""
    if plain_name(found) != name:
        raise BadImage("is not where it was: its archive has changed since it was listed")


def damaged(error: Exception | str) -> BadImage:
    """Return that an archive, or the member in it, is damaged."""
    return BadImage("is damaged ({error})", error=error)
