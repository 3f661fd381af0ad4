"""Work done ahead by threads, such as decoding images while the network computes."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(
    items: Iterable[Item], work: Callable[[Item], Result], *, lookahead: int, threads: int | None = None
) -> Generator[Result, None, None]:
    """Yield `work(item)` for each item, in order, computed by threads up to `lookahead` items ahead.

    Threads are enough, since decoding releases the interpreter's lock: by default, one for each processor. At
    most `lookahead` results are in memory. An exception in `work` is raised here.
    """
    waiting = iter(items)
    pool = ThreadPoolExecutor(threads or processors(), thread_name_prefix="decode")
    try:
        futures: collections.deque[Future[Result]] = collections.deque(
            pool.submit(work, item) for item in itertools.islice(waiting, lookahead)
        )
        while futures:
            result = futures.popleft().result()
            futures.extend(pool.submit(work, item) for item in itertools.islice(waiting, 1))
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_most: int | None = None  # processors that this process is to use; None for all that it may


def use_processors(most: int | None) -> None:
    """Use at most so many processors from now on: others are for other processes that do the same."""
    global _most
    _most = most


def processors() -> int:
    """Return how many processors this process is to use: in a container, perhaps not all of the machine's."""
    return _usable() if _most is None else min(_most, _usable())


def _usable() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
