"""Photos wherever a list says they are: on this computer, in a store, or in an archive."""

from __future__ import annotations

from collections.abc import Iterable

from retraining.distribution import archives, places

_AT_ONCE = (
    8  # files that are read from a store: it takes a while to answer, and is asked for others meanwhile
)


def read(file: str) -> bytes:
    """Return the bytes of an image, by any path that a list may hold.

    A path is local, in a store such as gs:// or s3://, or the address of a member of an archive, as in
    shards/a.tar!/roses/1.jpg (`archives`). Raises BadImage with the reason, and WorkFailed if a store
    refuses or gives no answer.
    """
    member = archives.taken_apart(file)
    return places.read(file) if member is None else archives.read(member)


def threads(files: Iterable[str]) -> int | None:
    """Return how many threads read these files at once; None for as many as there are processors."""
    return None if all(map(places.is_local, files)) else _AT_ONCE
