"""Arrays of numbers of images: in memory, or in a memory-mapped file if they are too large for that."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from retraining.errors import WorkFailed
from retraining.storage.atomic_files import reason

# The rest of the memory is for the network, for decoding images, and for the system's file cache.
SHARE_OF_MEMORY = 0.25
# However much memory there is: what is in a file is in that cache too while there is room, and any of it can
# be dropped when something else needs the memory.
MOST_IN_MEMORY = 1 << 30  # bytes

_CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


def allocate(
    rows: int, columns: int, folder: Path, *, dtype: DTypeLike = np.float32, content: str = "feature vectors"
) -> NDArray[Any]:
    """Return a new array [rows, columns], float32 unless `dtype` says otherwise, with arbitrary content.

    `content` is what messages call the numbers. If they do not fit in memory, they are in a file in `folder`;
    the file has no name, so that it disappears with the process. Raises WorkFailed if the disk has no room
    for it.
    """
    size = rows * columns * np.dtype(dtype).itemsize
    if fits_in_memory(size):
        return np.empty((rows, columns), dtype)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            # Reserved now: if the disk were full later, writing to the mapped file would kill the process.
            _reserve(file.fileno(), size)
            return np.memmap(file, dtype, "r+", shape=(rows, columns))
    except OSError as error:
        raise WorkFailed(
            "the {content} of {rows:,} images need {gib:.1f} GiB, and there is no room for them in "
            "'{folder}': {reason}. Set {bottleneck_dir} to another folder.",
            content=content,
            rows=rows,
            gib=size / 2**30,
            folder=folder,
            reason=reason(error),
        ) from error


def fits_in_memory(size: int) -> bool:
    """Return whether an array of so many bytes is kept in memory, and not in a file."""
    return size <= min(MOST_IN_MEMORY, SHARE_OF_MEMORY * memory())


def memory() -> int:
    """Return how many bytes of memory the machine and its container allow this process."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else 4 << 30
    try:
        return min(physical, int(_CGROUP_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return physical


def _reserve(file: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
    else:
        os.truncate(file, size)
