"""The progress of a run, seen in the names of new shards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

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


class Late:
    """A timer whose time is over at once."""

    daemon = False

    def __init__(self, _: float, function: Callable[..., None], args: list[Any]) -> None:
        self.start = partial(function, *args)

    def cancel(self) -> None:
        pass


def test_long_silence_of_a_runner_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(watching, "Timer", Late)
    files = ShardFiles(str(tmp_path), 2, str(tmp_path))
    with watching.told_if_silent(files, "FlinkRunner"):
        pass
    assert caplog.messages == [
        "no new vector after 60 seconds. Workers may be reading the images, or cannot start: then FlinkRunner waits for "
        "ever; see its logs and theirs."
    ]
