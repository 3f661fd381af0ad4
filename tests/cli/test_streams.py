"""Output that is closed, missing, full or read by nobody: the work goes on and ends with its own status."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest

from retraining.cli import logs
from retraining.errors import BadRequest
from retraining.progress import byte_progress, progress, write_line
from tests.cli.test_console import PROGRAM, run
from tests.conftest import PROJECT

DRAWN = "5 photos in 5 folders under photos\n"


def print_much(stream: TextIO, *, lines: int = 1000) -> None:
    """Print more than a buffer holds."""
    for _ in range(lines):
        print("a line of results", file=stream)


def failing(_: object) -> None:
    raise BadRequest("no.")


@contextlib.contextmanager
def unread() -> Iterator[TextIO]:
    """Yield a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "w") as file:  # noqa: PTH123
        yield file


def sample_photos(folder: Path, redirection: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Draw photos in `folder`, with streams that the shell has redirected."""
    command = [sys.executable, "-m", "retraining.sample_photos", "photos", "--per_class", "1", *words]
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {redirection}', "sh", *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )


FULL = "sample_photos: error: the output cannot be written: No space left on device.\n"
REDIRECTIONS = {  # the exit status and what is printed
    "<&-": (0, DRAWN, ""),
    ">&-": (0, "", ""),
    "2>&-": (0, DRAWN, ""),
    "<&- >&- 2>&-": (0, "", ""),
    ">/dev/full": (1, "", FULL),
    "2>/dev/full": (0, DRAWN, ""),
}


@pytest.mark.parametrize("redirection", REDIRECTIONS)
def test_photos_are_drawn_whatever_the_streams_are(redirection: str, tmp_path: Path) -> None:
    done = sample_photos(tmp_path, redirection)
    assert (done.returncode, done.stdout, done.stderr) == REDIRECTIONS[redirection]
    assert len(list(tmp_path.glob("photos/*/*.jpg"))) == 5


def test_error_without_a_standard_error_is_still_the_exit_status(tmp_path: Path) -> None:
    done = sample_photos(tmp_path, "2>&-", "--per_clas", "3")
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_no_file_gets_the_number_of_a_closed_stream(tmp_path: Path) -> None:
    code = (
        "import os\n"
        "from retraining import descriptors\n"
        "descriptors.open_closed()\n"
        "with open('results', 'w') as file:\n"
        "    os.write(1, b'of a library'), os.write(2, b'of a library')\n"
        "    file.write(str([file.fileno(), *map(os.get_inheritable, range(3))]))\n"
    )
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    assert (tmp_path / "results").read_text() == "[3, True, True, True]"


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["-m", "retraining.sample_photos", "photos", "--per_class", "1"], 0),
        (["-u", "-m", "retraining.sample_photos", "photos", "--per_class", "1"], 0),
        (["-m", "retrain", "--list_modules"], 0),
        (["-m", "label_image", "--help"], 141),
        (["-m", "label_image", "--image", "nowhere.jpg", "--graph", "nowhere.pb"], 2),
    ],
)
def test_process_whose_output_nobody_reads_ends_with_its_status(
    words: list[str], status: int, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    with unread() as nobody:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=environment,
            stdout=nobody,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == status
    assert (b"error" in done.stderr) == (status == 2)
    assert b"Exception" not in done.stderr


@pytest.mark.parametrize("name", ["stdout", "stderr"])
@pytest.mark.parametrize("kind", ["missing", "closed", "unread"])
def test_command_goes_on_without_a_stream(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = False

    def command(_: object) -> None:
        nonlocal ended
        print_much(getattr(sys, name))
        ended = True

    with unread() as nobody:
        if kind == "closed":
            nobody.close()
        monkeypatch.setattr(sys, name, None if kind == "missing" else nobody)
        before = getattr(sys, name)
        assert run(command) == 0
        assert ended
        assert run(failing) == 2
        assert getattr(sys, name) is before


def test_filter_ends_when_nobody_reads_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    def command(_: object) -> None:
        print_much(sys.stdout)
        raise AssertionError("it went on")

    with unread() as nobody:
        monkeypatch.setattr(sys, "stdout", nobody)
        assert run(command, dataclasses.replace(PROGRAM, is_filter=True)) == 141


def test_filter_goes_on_when_nobody_reads_its_warnings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(_: object) -> None:
        print_much(sys.stderr)
        logs.say("a label")

    with unread() as nobody:
        monkeypatch.setattr(sys, "stderr", nobody)
        assert run(command, dataclasses.replace(PROGRAM, is_filter=True)) == 0
    assert capsys.readouterr().out == "a label\n"


def test_command_on_a_full_disk_is_carried_out_and_then_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = False

    def command(_: object) -> None:
        nonlocal ended
        print_much(sys.stdout)
        ended = True

    with Path("/dev/full").open("w") as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert run(command) == 1
    assert ended
    assert (
        capsys.readouterr().err == "retrain: error: the output cannot be written: No space left on device.\n"
    )


def test_pipe_that_does_not_wait_for_its_reader_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    received = []

    def read_some(*_: object) -> None:
        received.append(os.read(reading, 2**16))

    monkeypatch.setattr(select, "select", read_some)  # nothing is read before the program waits for it
    with open(reading, "rb") as pipe:  # noqa: PTH123
        with open(writing, "w") as file:  # noqa: PTH123
            monkeypatch.setattr(sys, "stdout", file)
            assert run(lambda _: print_much(sys.stdout, lines=20_000)) == 0
        rest = pipe.read()
    assert b"".join([*received, rest]) == b"a line of results\n" * 20_000


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_any_line_can_be_printed_in_any_encoding(
    encoding: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "printed"
    with path.open("w", encoding=encoding) as file:
        monkeypatch.setattr(sys, "stdout", file)
        assert run(lambda _: logs.say("tulip \U0001f337")) == 0
    tulip = "tulip \U0001f337" if encoding == "utf-8" else "tulip \\U0001f337"
    assert path.read_text(encoding=encoding) == f"{tulip}\n"


class Widget:
    """A stream as applications with windows write them: it has no descriptor, and is no file."""

    def __init__(self) -> None:
        self.shown = ""

    def write(self, text: str) -> None:
        self.shown += text

    def flush(self) -> None:
        """There is nothing to flush."""


def test_stream_of_an_application_is_used_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    output, errors = Widget(), Widget()
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", errors)
    assert run(lambda _: logs.say("a label")) == 0
    assert run(failing) == 2
    assert (output.shown, errors.shown) == ("a label\n", "retrain: error: no.\n")


@pytest.mark.parametrize("is_closed", [True, False])
def test_progress_and_log_lines_need_no_stream(is_closed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = io.StringIO()
    errors.close()
    monkeypatch.setattr(sys, "stderr", errors if is_closed else None)
    monkeypatch.setattr(sys, "stdout", None)
    assert list(progress(range(3), total=3, task="Bottlenecks", unit="image")) == [0, 1, 2]
    with byte_progress(3, task="Download") as bar:
        bar.update(3)
    write_line("a line", sys.stdout)
