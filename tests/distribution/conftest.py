"""Files in a store that is only in memory."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.distribution.memory_files import MemoryFiles


@pytest.fixture
def store() -> Iterator[dict[str, bytes]]:
    """The files of mem://, by address."""
    yield MemoryFiles.files
    for kept in (MemoryFiles.files, MemoryFiles.failing, MemoryFiles.opened):
        kept.clear()
