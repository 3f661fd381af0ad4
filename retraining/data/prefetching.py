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
    items: Iterable[Item], work: Callable[[Item], Result], *, lookahead: int
) -> Generator[Result, None, None]:
    """Yield `work(item)` for each item, in order, computed by threads up to `lookahead` items ahead.

    Threads are enough, since decoding releases the interpreter's lock. At most `lookahead` results are in
    memory. An exception in `work` is raised here.
    """
    waiting = iter(items)
    threads = ThreadPoolExecutor(processors(), thread_name_prefix="decode")
    try:
        futures: collections.deque[Future[Result]] = collections.deque(
            threads.submit(work, item) for item in itertools.islice(waiting, lookahead)
        )
        while futures:
            result = futures.popleft().result()
            futures.extend(threads.submit(work, item) for item in itertools.islice(waiting, 1))
            yield result
    finally:
        threads.shutdown(wait=True, cancel_futures=True)


def processors() -> int:
    """Return how many processors this process may use: in a container, perhaps not all of the machine's."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
