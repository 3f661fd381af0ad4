"""The progress of a run, seen in the names of new shards."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest

from retraining.distribution import watching
from retraining.distribution.shard_files import ShardFiles


class Bar:
    """A progress bar that says when it has moved on."""

    disable = False

    def __init__(self) -> None:
        self.moved = threading.Event()
        self.count = 0

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def update(self, count: int) -> None:
        self.count += count
        if count:
            self.moved.set()


def test_vectors_in_new_shards_move_the_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bar = Bar()
    monkeypatch.setattr(watching, "count_progress", lambda *_, **__: bar)
    monkeypatch.setattr(watching, "_EVERY", 0.01)
    files = ShardFiles(str(tmp_path), 2, str(tmp_path))
    files.write({bytes(32): np.zeros(2, np.float32)})
    with watching.progress(files, total=5):
        files.write({bytes([number] * 32): np.zeros(2, np.float32) for number in range(1, 4)})
        assert bar.moved.wait(60)
    assert bar.count == 3
