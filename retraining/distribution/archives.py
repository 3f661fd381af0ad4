"""ZIP and TAR archives of photos: their members are listed in order and read one by one, never unpacked.

A member's address is the path of its archive, "!", perhaps the bytes where it is, "/" and its name, which is
no more than a label: shards/a.tar!/roses/1.jpg or shards/a.tar!1024+98304/roses/1.jpg. With the bytes, any
worker reads just these; without, it has to list the archive first.
"""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from typing import NamedTuple

from retraining.distribution import tar_files, zip_files
from retraining.distribution.archive_members import Member, Position
from retraining.errors import BadImage

_ADDRESS = re.compile(r"(.+?\.(?:tar|zip))!(?:(\d+)\+(\d+))?/(.+)", re.IGNORECASE | re.DOTALL)

_KEPT = 8  # archives whose members a process remembers

# Compressed as a whole: for one photo, all before it would have to be unpacked.
_SOLID = (
    *(".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".tar.zst", ".tzst", ".tar.lz4"),
    *(".7z", ".rar"),
)

_listing = threading.Lock()


class MemberAddress(NamedTuple):
    """The address of a member, taken apart."""

    archive: str
    position: Position | None
    name: str


def is_archive(name: str) -> bool:
    """Return whether a file's name is that of an archive that is read."""
    return name.lower().endswith((".tar", ".zip"))


def is_solid(name: str) -> bool:
    """Return whether a file's name is that of an archive whose members cannot be read one by one."""
    return name.lower().endswith(_SOLID)


def members(archive: str) -> Iterator[Member]:
    """Yield the members of an archive, in order, without its folders. Raises BadImage if it is damaged."""
    return zip_files.members(archive) if _is_zip(archive) else tar_files.members(archive)


def address(archive: str, member: Member) -> str:
    """Return the address of a member that has a position."""
    start, size = member.position or (0, 0)
    return f"{archive}!{start}+{size}/{member.name}"


def taken_apart(file: str) -> MemberAddress | None:
    """Return what a path says if it is the address of a member, or None for an ordinary path."""
    match = _ADDRESS.fullmatch(file) if "!" in file else None
    if match is None:
        return None
    archive, start, size, name = match.groups()
    return MemberAddress(archive, Position(int(start), int(size)) if start else None, name)


def read(member: MemberAddress) -> bytes:
    """Return the bytes of a member. Raises BadImage."""
    position = member.position or _positions(member.archive).get(member.name)
    if position is None:
        raise BadImage("is no file in its archive")
    read_member = zip_files.read if _is_zip(member.archive) else tar_files.read
    return read_member(member.archive, position, member.name)


def _positions(archive: str) -> dict[str, Position]:
    with _listing:  # not by each thread that reads from it
        return _listed(archive)


@functools.lru_cache(_KEPT)
def _listed(archive: str) -> dict[str, Position]:
    return {member.name: member.position for member in members(archive) if member.position}


def _is_zip(archive: str) -> bool:
    return archive.lower().endswith(".zip")
