"""Where pipelines are run, and in which words their failures are told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from retraining.data.image_list import BadLine
from retraining.distribution import steps
from retraining.distribution.running import Runner
from retraining.distribution.steps import StepFailed
from retraining.errors import BadImage, BadModule, BadRequest, Message, WorkFailed


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
    for name, remedy in (("Flnk", "Did you mean FlinkRunner?"), ("x", "Name one of DataflowRunner, ")):
        with pytest.raises(BadRequest) as caught:
            Runner([f"--runner={name}"]).check({})
        assert str(caught.value).startswith(
            f"runner must be a runner that Apache Beam knows, received '{name}'. {remedy}"
        )


def test_runner_that_cannot_be_made_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        Runner(["--runner=nowhere.Runner"]).check({})
    assert str(caught.value) == "nowhere.Runner cannot be used: No module named 'nowhere'."


def test_folder_of_this_computer_is_refused_where_workers_cannot_see_it() -> None:
    folders = {"bottleneck_dir": "gs://bucket/cache", "output_dir": "lists"}
    with pytest.raises(BadRequest) as caught:
        Runner(["--runner=dataflow"]).check(folders)
    assert str(caught.value) == (
        "output_dir must be in a store, since the workers of dataflow are not on this computer; received 'lists'. "
        "Give an address such as gs://bucket/name."
    )
    Runner([]).check(folders)


def failing_with(error: Exception) -> Callable[[Any], Any]:
    def fail(_: Any) -> Any:
        raise error

    return fail


@pytest.fixture
def failure(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], str]:
    """Return what is said of a pipeline whose runner raises an exception."""

    def said(error: Exception) -> str:
        monkeypatch.setattr(Runner, "_run_to_end", staticmethod(failing_with(error)))
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


def test_other_kinds_of_errors_come_from_a_worker_as_what_they_are_besides() -> None:
    line = BadLine.because(3, Message("has no label"))
    for error, kind in ((line, BadRequest), (BadImage("is empty"), WorkFailed), (BadModule("x"), BadModule)):
        found = steps.error_in(str(StepFailed(error)))
        assert type(found) is kind
        assert str(found) == str(error)


class Result:
    """A pipeline at work, whose runner then gives no answer, or is interrupted."""

    def __init__(
        self, error: BaseException, cancelled: Exception | None = None, state: str = "RUNNING"
    ) -> None:
        self.state = state
        self.cancels = 0
        self._error = error
        self._cancelled = cancelled

    def run(self) -> Result:
        return self

    def wait_until_finish(self) -> None:
        raise self._error

    def cancel(self) -> None:
        self.cancels += 1
        if self._cancelled:
            raise self._cancelled


@pytest.mark.parametrize("error", [OSError("no network"), KeyboardInterrupt()])
def test_pipeline_that_is_left_is_told_to_end(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    for result, cancels, has_ended in (
        (Result(error), 1, True),
        (Result(error, OSError("no network")), 1, False),
        (Result(error, state="FAILED"), 0, True),
    ):
        runner = Runner([])
        monkeypatch.setattr(runner, "_pipeline", lambda _, result=result: result)
        with pytest.raises(
            KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else WorkFailed
        ) as caught:
            runner.run(nothing)
        assert (result.cancels, runner.has_ended) == (cancels, has_ended)
        if not isinstance(error, KeyboardInterrupt):
            assert (
                "gives no answer: no network. The work may go on there." in str(caught.value)
            ) != has_ended


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

    monkeypatch.setattr(Runner, "_run_to_end", staticmethod(finished))
    assert str(Runner([]).run(nothing)) == "done"
    assert capsys.readouterr().err == ""
