"""The shards of a cache in a store."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.distribution.shard_files import ShardFiles
from retraining.errors import WorkFailed
from tests.distribution.memory_files import MemoryFiles

FILES = ShardFiles("mem://bucket/cache", 2, "mem://bucket/notes")
KEY = bytes(32)


def test_shard_that_a_store_does_not_give_for_a_moment_is_tried_again_instead_of_computed_again(
    monkeypatch: pytest.MonkeyPatch, store: dict[str, bytes]
) -> None:
    FILES.write({KEY: np.zeros(2, np.float32)})
    (name,) = FILES.names()
    path = f"{FILES.folder}/{name}"

    monkeypatch.setattr(MemoryFiles, "exists", lambda _, asked: asked in store)
    MemoryFiles.failing[path] = TimeoutError("no answer")
    with pytest.raises(WorkFailed) as caught:
        FILES.keys(name)
    assert str(caught.value) == f"'{path}' cannot be read: no answer."
    assert list(FILES.warnings()) == []
    MemoryFiles.failing.clear()
    assert FILES.keys(name) == [KEY]


@pytest.mark.usefixtures("store")
def test_shard_that_another_run_has_renamed_has_no_keys() -> None:
    assert FILES.keys(f"v1-{'0' * 32}-00001.tfrecord") == []


def test_damaged_shard_in_a_store_is_set_aside_and_warned_of(store: dict[str, bytes]) -> None:
    FILES.write({KEY: np.zeros(2, np.float32)})
    (name,) = FILES.names()
    path = f"{FILES.folder}/{name}"
    store[path] = store[path][:-1]
    assert FILES.keys(name) == []
    assert FILES.names() == []
    (warning,) = FILES.warnings()
    assert warning.startswith(f"bottleneck shard {path} is damaged (truncated record")
