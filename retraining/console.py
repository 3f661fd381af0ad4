"""The terminal: log lines, progress bars, exit statuses."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import NoReturn, TypeVar

from tqdm import tqdm

from retraining.errors import UserError

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C
TERMINATED = 143  # likewise for SIGTERM

LEVELS = {
    "DEBUG": logging.DEBUG,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
    "FATAL": logging.CRITICAL,
}

Options = TypeVar("Options")
Item = TypeVar("Item")


class _Terminated(KeyboardInterrupt):
    """SIGTERM, taken the way Ctrl-C is: computed work is kept on the way out."""


class _Formatter(logging.Formatter):
    """The bare message, which people parse; a level in front of it from WARNING on."""

    def format(self, record: logging.LogRecord) -> str:
        message = super().format(record)
        if record.levelno < logging.WARNING:
            return message
        return f"{record.levelname.lower()}: {message}"


class _Handler(logging.Handler):
    """Results to standard output, warnings to standard error, neither through a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        tqdm.write(self.format(record), file=stream)


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
    try:
        with _terminating_tidily():
            command(parse(argv))
        sys.stdout.flush()
    except UserError as error:
        print(f"{name}: error: {error}", file=sys.stderr)
        return error.exit_status
    except _Terminated:
        print(f"{name}: terminated; what was computed is kept", file=sys.stderr)
        return TERMINATED
    except KeyboardInterrupt:
        print(f"\n{name}: interrupted; what was computed is kept", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # `| head` closed our output: not an error, and Python must not report it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return 0


def byte_progress(total: int | None, *, task: str) -> tqdm[NoReturn]:
    """Return a bar to be told of bytes by `update(count)`; `total` is None if nobody knows it."""
    return tqdm(total=total, desc=task, unit="B", unit_scale=True, disable=None, dynamic_ncols=True)


@contextlib.contextmanager
def _terminating_tidily() -> Iterator[None]:
    def terminate(_signum: int, _frame: object) -> NoReturn:
        raise _Terminated

    try:
        previous = signal.signal(signal.SIGTERM, terminate)
    except ValueError:  # not the main thread: signals are someone else's business
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
