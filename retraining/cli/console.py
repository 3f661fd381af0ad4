"""The terminal: log lines, progress bars, exit statuses."""

from __future__ import annotations

import io
import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NoReturn, TextIO, TypeVar

from tqdm import tqdm

from retraining.errors import UserError, WorkFailed

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C
TERMINATED = 143  # likewise for SIGTERM

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}

# Control characters, line ends of all kinds, what turns the direction of writing, and lone surrogates.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

Options = TypeVar("Options")
Item = TypeVar("Item")


def shown(text: object) -> str:
    """Return `text` on one line, with what could steer a terminal as escapes: a name may be anything."""
    return _UNSHOWABLE.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # so Python holds a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode()


def say(text: str) -> None:
    """Print one line of results. Raises WorkFailed if standard output cannot take it."""
    _write(shown(text), sys.stdout)


def _write(line: str, stream: TextIO) -> None:
    try:
        tqdm.write(line, file=stream)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise WorkFailed(f"the output cannot be written: {error.strerror}.") from error


class _Formatter(logging.Formatter):
    """The bare message, which people parse; a level in front of it from WARNING on."""

    def format(self, record: logging.LogRecord) -> str:
        message = shown(super().format(record))
        if record.levelno < logging.WARNING:
            return message
        return f"{record.levelname.lower()}: {message}"


class _Handler(logging.Handler):
    """Results to standard output, warnings to standard error, neither through a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        _write(self.format(record), stream)


def configure_logging(verbosity: str) -> None:
    """Send the package's log lines to the terminal. `verbosity` is a key of LEVELS."""
    # Pillow warns of photographs' oddities (EXIF that is not valid, 100 megapixels) and copes.
    warnings.filterwarnings("ignore", module="PIL")
    logger = logging.getLogger("retraining")
    logger.setLevel(LEVELS[verbosity])
    logger.propagate = False
    handler = _Handler()
    handler.setFormatter(_Formatter())
    logger.handlers = [handler]


def progress(items: Iterable[Item], *, total: int, task: str, unit: str) -> Iterator[Item]:
    """Yield `items` under a bar with rate and time left; no bar where nobody watches."""
    yield from tqdm(items, total=total, desc=task, unit=unit, disable=None, dynamic_ncols=True)


def run(
    command: Callable[[Options], None],
    *,
    parse: Callable[[list[str] | None], Options],
    argv: list[str] | None,
    name: str,
) -> int:
    """Return the exit status of `command(parse(argv))`; the one place where errors are caught."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal that cannot show an emoji
    signals = _Signals()
    try:
        with signals:
            command(parse(argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # `| head` closed our output: not an error, and Python must not report it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (UserError, KeyboardInterrupt) as error:
        # A library may have made another error of the interrupt that a signal raised within it.
        if isinstance(error, KeyboardInterrupt) or signals.received is not None:
            return _interrupted(signals.received, name)
        print(f"{name}: error: {shown(error)}", file=sys.stderr)
        return error.exit_status
    except Exception:
        if signals.received is None:
            raise
        return _interrupted(signals.received, name)
    return 0


def _interrupted(received: int | None, name: str) -> int:
    # Objects of TensorFlow's that the interrupt left half made complain when they go; nobody can mend that.
    sys.unraisablehook = lambda _: None
    if received == signal.SIGTERM:
        print(f"{name}: terminated; what was computed is kept", file=sys.stderr)
        return TERMINATED
    print(f"\n{name}: interrupted; what was computed is kept", file=sys.stderr)
    return INTERRUPTED


def byte_progress(total: int | None, *, task: str) -> tqdm[NoReturn]:
    """Return a bar to be told of bytes by `update(count)`; `total` is None if nobody knows it."""
    return tqdm(total=total, desc=task, unit="B", unit_scale=True, disable=None, dynamic_ncols=True)


class _Signals:
    """SIGTERM and Ctrl-C, while it is entered: the last one is kept, and raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> None:
        # Elsewhere than in the main thread, signals are someone else's business.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as in a shell's background
                    self._previous[number] = signal.signal(number, self._take)

    def __exit__(self, *_: object) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _take(self, number: int, _frame: object) -> NoReturn:
        self.received = number
        raise KeyboardInterrupt
