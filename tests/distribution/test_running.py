"""Where pipelines are run, and in which words their failures are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from retraining.distribution import running, steps
from retraining.distribution.running import Runner
from retraining.distribution.steps import StepFailed
from retraining.errors import BadRequest, WorkFailed


@pytest.mark.parametrize(
    ("flags", "title"),
    [
        ([], "DirectRunner (in_memory, 1 worker)"),
        (
            ["--runner", "direct", "--direct_running_mode=multi_threading"],
            "DirectRunner (multi_threading, 1 worker)",
        ),
        (
            ["--runner=DirectRunner", "--direct_running_mode=multi_processing", "--direct_num_workers=3"],
            "DirectRunner (multi_processing, 3 workers)",
        ),
        (["--runner=FlinkRunner", "--flink_master=localhost:8081"], "FlinkRunner"),
    ],
)
def test_runner_is_called_what_the_flags_say(flags: list[str], title: str) -> None:
    assert Runner(flags).title == title


def nothing(_: Any) -> None:
    """Build a pipeline without a step."""


def test_unknown_runner_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        Runner(["--runner=Flunk"]).run(nothing)
    assert str(caught.value).startswith(
        "Flunk cannot be used: Unexpected pipeline runner: Flunk. Valid values are "
    )


def failing_with(error: Exception) -> Callable[[Any], Any]:
    def fail(_: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def failure(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], str]:
    """Return what is said of a pipeline whose runner raises an exception."""

    def said(error: Exception) -> str:
        monkeypatch.setattr(running, "_run_to_end", failing_with(error))
        with pytest.raises(WorkFailed) as caught:
            Runner([]).run(nothing)
        return caught.value.message.text(setting_name=lambda name: f"--{name}")

    return said


def test_error_for_users_comes_from_a_worker_as_it_was(failure: Callable[[Exception], str]) -> None:
    error = WorkFailed(
        "{count:,} files in '{folder}' are not {engine}'s: {why}.", count=1234, folder="ä\n{b}", why=[5]
    )
    quoted = repr(f"Traceback ...\nStepFailed: {StepFailed(error)} [while running 'read images']\n")
    assert failure(RuntimeError(quoted)) == "1,234 files in 'ä\n{b}' are not --engine's: [5]."


def test_any_other_failure_is_told_by_its_last_line(failure: Callable[[Exception], str]) -> None:
    assert failure(RuntimeError("Traceback:\n  File ...\nValueError: what it says.\n")) == (
        "DirectRunner (in_memory, 1 worker) could not finish: ValueError: what it says. What was computed is kept; "
        "run the same command again to compute the rest."
    )
    assert "could not finish: TimeoutError." in failure(TimeoutError())


def test_text_without_an_error_for_users_has_none() -> None:
    assert steps.error_in("RuntimeError: Channel closed prematurely.") is None


def test_exceptions_in_threads_of_the_runner_are_not_printed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def finished(_: Any) -> str:
        thread = threading.Thread(target=failing_with(RuntimeError("a worker has ended")), args=[None])
        thread.start()
        thread.join()
        return "done"

    monkeypatch.setattr(running, "_run_to_end", finished)
    assert str(Runner([]).run(nothing)) == "done"
    assert capsys.readouterr().err == ""
