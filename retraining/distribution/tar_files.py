"""TAR archives that are not compressed as a whole: a header before each member says how large it is."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from typing import IO

from retraining.data import images
from retraining.distribution import places
from retraining.distribution.archive_members import Member, Position, check_name, damaged, plain_name
from retraining.errors import BadImage

# Photos are often small, so that reading on is faster than asking a store for the next header.
_BLOCK = 16 << 20

# In WebDataset's archives roses_1.cls names the class of roses_1.jpg: a name, or a number as digits.
CLASS_SUFFIX = ".cls"
_LONGEST_CLASS = 1000  # bytes


def members(archive: str) -> Iterator[Member]:
    """Yield the members of an archive, in order. Raises BadImage if it is damaged."""
    with places.opened(archive, _BLOCK) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                while (found := tar.next()) is not None:
                    tar.members.clear()  # type: ignore[attr-defined]  # they would fill the memory
                    if not found.isdir():
                        yield _member(tar, found)
                _check_end(file, tar.offset)
        except (tarfile.TarError, ValueError) as error:
            raise damaged(error) from error


def read(archive: str, position: Position, name: str) -> bytes:
    """Return the bytes of the member `name`, which is at a position. Raises BadImage."""
    content = places.read_range(archive, *position)
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as tar:
            found = tar.next()
            if found is None:
                raise tarfile.ReadError("no header")
            check_name(found.name, name)
            return _content(tar, found)
    except (tarfile.TarError, ValueError) as error:
        raise damaged(error) from error


def _member(tar: tarfile.TarFile, found: tarfile.TarInfo) -> Member:
    name = plain_name(found.name)
    if name is None or not found.isfile():
        return Member(found.name, None)
    position = Position(found.offset, tar.offset - found.offset)
    if name.endswith(CLASS_SUFFIX) and found.size <= _LONGEST_CLASS:
        return Member(name, position, _content(tar, found).decode("utf-8", "replace").strip())
    return Member(name, position)


def _content(tar: tarfile.TarFile, found: tarfile.TarInfo) -> bytes:
    images.check_size(found.size)
    content = tar.extractfile(found) if found.isfile() else None
    if content is None:
        raise BadImage("is a link or a device in its archive, not a file")
    return content.read()


def _check_end(file: IO[bytes], end: int) -> None:
    """Raise BadImage if what follows the last member is more than nothing: a header that cannot be read."""
    file.seek(end)
    if any(file.read(tarfile.BLOCKSIZE)):
        raise damaged(f"there is no header at byte {end:,}")
