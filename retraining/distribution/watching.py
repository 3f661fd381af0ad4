"""The progress of a run, seen in the names of the shards that workers write."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from threading import Timer

from retraining.distribution.shard_files import ShardFiles
from retraining.errors import UserError
from retraining.features import shards
from retraining.progress import count_progress

_EVERY = 1.0  # seconds
_SHARE = 0.05  # of the time is spent on looking, at most: a store takes a while to list many shards
_PATIENCE = 60  # seconds

log = logging.getLogger(__name__)


@contextlib.contextmanager
def told_if_silent(files: ShardFiles, runner: str) -> Iterator[None]:
    """Say it once if no vector comes for a while: runners wait for ever for workers that cannot start."""
    timer = Timer(_PATIENCE, _tell, args=[files, set(files.names()), runner])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _tell(files: ShardFiles, before: set[str], runner: str) -> None:
    with contextlib.suppress(UserError):  # as below
        if set(files.names()) == before:
            log.warning(
                "no new vector after %s seconds. Workers may be reading the images, or cannot start: then %s "
                "waits for ever; see its logs and theirs.",
                _PATIENCE,
                runner,
            )


@contextlib.contextmanager
def progress(files: ShardFiles, *, total: int | None) -> Iterator[None]:
    """Show how many vectors are being written; `total` is the most that there can be, if known."""
    with count_progress(total, task="Bottlenecks", unit="vector") as bar:
        if bar.disable:
            yield
            return
        ended = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=[files, set(files.names()), bar.update, ended], daemon=True
        )
        watcher.start()
        try:
            yield
        finally:
            ended.set()
            watcher.join()


def _watch(
    files: ShardFiles, seen: set[str], update: Callable[[int], object], ended: threading.Event
) -> None:
    pause = _EVERY
    while not ended.wait(pause):
        started = time.monotonic()
        with contextlib.suppress(UserError):  # a store that gives no answer: the next look may have one
            new = set(files.names()) - seen
            update(sum(map(shards.count, new)))
            seen |= new
        pause = max(_EVERY, (time.monotonic() - started) / _SHARE)
