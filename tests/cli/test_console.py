from __future__ import annotations

import dataclasses
import logging
import os
import signal
from collections.abc import Callable

import pytest

from retraining.cli import console, logs, programs
from retraining.cli.parser import Program
from retraining.errors import BadRequest, UserError, WorkFailed
from retraining.progress import progress
from retraining.settings.samples import SamplePhotosSettings

# A program under this name that checks nothing on disk.
PROGRAM = dataclasses.replace(programs.SAMPLE_PHOTOS, name="retrain")


def run(
    command: Callable[[SamplePhotosSettings], None], program: Program[SamplePhotosSettings] = PROGRAM
) -> int:
    return console.run(command, program, ["photos"])


@pytest.mark.parametrize(("error", "status"), [(BadRequest("no."), 2), (WorkFailed("no."), 1)])
def test_user_errors_give_one_line_and_an_exit_status(
    error: UserError, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: object) -> None:
        raise error

    assert run(command) == status
    assert capsys.readouterr().err == "retrain: error: no.\n"


def test_bugs_keep_their_traceback() -> None:
    def command(_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(command)


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signals_end_the_command_tidily(sent: signal.Signals, status: int) -> None:
    tidied = False

    def command(_: object) -> None:
        nonlocal tidied
        try:
            os.kill(os.getpid(), sent)
            signal.sigtimedwait([], 1)
        finally:
            tidied = True

    assert run(command) == status
    assert tidied


def test_results_go_to_standard_output_and_warnings_to_standard_error(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure_logging("INFO")
    log = logging.getLogger("retraining.some_module")
    log.debug("detail")
    log.info("Final test accuracy = %.1f%% (N=%d)", 91.6, 371)
    log.warning("few images")
    captured = capsys.readouterr()
    assert captured.out == "Final test accuracy = 91.6% (N=371)\n"
    assert captured.err == "warning: few images\n"


def test_messages_below_the_verbosity_are_not_printed(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure_logging("ERROR")
    logging.getLogger("retraining").warning("few images")
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_progress_is_not_shown_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    items = progress(range(3), total=3, task="Bottlenecks", unit="image")
    assert list(items) == [0, 1, 2]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("disguise", [TypeError, BadRequest])
def test_signal_turned_into_another_error_by_a_library_still_ends_the_command_tidily(
    disguise: type[Exception], capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: object) -> None:
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            signal.sigtimedwait([], 1)
        except KeyboardInterrupt:
            raise disguise("of a library's own") from None

    assert run(command) == 143
    assert capsys.readouterr().err == "retrain: terminated; what was computed is kept\n"
