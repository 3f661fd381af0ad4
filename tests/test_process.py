"""Work in a process of its own, which prepares itself while this one computes and trains."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from retraining import process
from retraining.errors import BadModule, WorkFailed
from retraining.process import HereAndNow, WorkProcess

SAID: list[str] = []


def prepare() -> None:
    SAID.append("prepared")


def end() -> None:
    os._exit(3)


def add(one: int, *, other: int) -> int:
    SAID.append("called")
    return one + other


def fail() -> None:
    raise BadModule("module {name} is not there.", name="x")


def outcome(work: Callable[..., Any], *arguments: Any, **keywords: Any) -> tuple[Any, Exception | None]:
    """Return what the other end of the connection receives, with this process in the place of the new one."""
    ours, theirs = multiprocessing.Pipe()
    ours.send((arguments, keywords))
    process._run(theirs, work, prepare)
    received: tuple[Any, Exception | None] = ours.recv()
    return received


@pytest.fixture(autouse=True)
def handled(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, object]]:
    """The signals whose handling was changed."""
    changed: list[tuple[int, object]] = []
    monkeypatch.setattr(signal, "signal", lambda number, handler: changed.append((number, handler)))
    return changed


def test_function_is_called_after_the_preparation_and_ctrl_c_is_left_to_the_other_process(
    handled: list[tuple[int, object]],
) -> None:
    SAID.clear()
    assert outcome(add, 1, other=2) == (3, None)
    assert SAID == ["prepared", "called"]
    assert handled == [(signal.SIGINT, signal.SIG_IGN)]


def test_error_of_a_user_is_passed_on_with_its_message() -> None:
    result, error = outcome(fail)
    assert result is None
    assert isinstance(error, BadModule)
    assert str(error) == "module x is not there."


def test_it_ends_with_the_process_that_started_it() -> None:
    ours, theirs = multiprocessing.Pipe()
    ours.close()
    process._run(theirs, add, prepare)  # returns


def test_process_that_dies_is_told_in_one_line() -> None:
    dying = WorkProcess(add, end, task="writes the graph")
    with pytest.raises(WorkFailed) as raised:
        finished(dying, 1, other=2)
    assert str(raised.value) == (
        "the process that writes the graph has ended before it was done, perhaps for lack of memory. Close "
        "other programs and run the same command again."
    )


@pytest.mark.soak
def test_real_process_returns_and_raises() -> None:
    assert finished(WorkProcess(add, prepare, task="adds"), 1, other=2) == 3
    with pytest.raises(BadModule, match=r"^module x is not there\.$"):
        finished(WorkProcess(fail, prepare, task="fails"))


def test_work_here_and_now_is_done_when_it_is_started() -> None:
    work = HereAndNow(add)
    SAID.clear()
    work.start(1, other=2)
    assert SAID == ["called"]
    assert work.result() == 3


def finished(work: WorkProcess[Any], *arguments: Any, **keywords: Any) -> Any:
    work.start(*arguments, **keywords)
    return work.result()
