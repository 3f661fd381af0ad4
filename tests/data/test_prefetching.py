from __future__ import annotations

import threading
import time

import pytest

from retraining.data import prefetching


def test_results_come_in_order() -> None:
    def slow_when_early(item: int) -> int:
        time.sleep(0.002 * (item % 5 == 0))
        return item * item

    results = prefetching.ahead(range(50), slow_when_early, lookahead=8)
    assert list(results) == [item * item for item in range(50)]


def test_work_stays_within_the_lookahead() -> None:
    items = iter(range(100))
    results = prefetching.ahead(items, lambda item: item, lookahead=8)
    next(results)
    assert next(items) == 9  # eight ahead, and one more since one is finished


def test_exception_in_the_work_reaches_the_caller() -> None:
    def fail(item: int) -> int:
        raise ValueError(f"item {item}")

    with pytest.raises(ValueError, match="item 0"):
        list(prefetching.ahead(range(3), fail, lookahead=2))


def test_threads_end_when_the_caller_stops_early() -> None:
    results = prefetching.ahead(range(1000), lambda item: item, lookahead=8)
    next(results)
    results.close()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("decode")]


def test_process_uses_no_more_processors_than_it_is_told_to() -> None:
    usable = prefetching.processors()
    prefetching.use_processors(1)
    try:
        assert prefetching.processors() == 1
        prefetching.use_processors(1_000_000)
        assert prefetching.processors() == usable
    finally:
        prefetching.use_processors(None)
    assert prefetching.processors() == usable
