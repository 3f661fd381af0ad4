"""Image files -> results of a network, in batches, with decoding ahead of the forward pass."""

from __future__ import annotations

import collections
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def ahead(items: Iterable[Item], work: Callable[[Item], Result], *, lookahead: int) -> Iterator[Result]:
    """Yield `work(item)` for each item, in order, worked on by threads up to `lookahead` items ahead.

    Threads do, since decoding releases the interpreter's lock. Memory is bounded by `lookahead`
    results. What `work` raises is raised here.
    """
    waiting = iter(items)
    threads = ThreadPoolExecutor(_processors(), thread_name_prefix="decode")
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


def _processors() -> int:
    """Return how many processors this process may use, which in a container is not all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
