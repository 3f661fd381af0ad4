"""Standard output and standard error during a command: whatever becomes of them, the work goes on."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import select
import sys
from typing import Any, TextIO

from retraining import descriptors
from retraining.errors import WorkFailed


class ReaderLeft(Exception):
    """Nobody reads a filter's output any more, as after `| head -1`: it has nothing left to do."""


class Streams:
    """A context in which nothing that is printed can stop the work.

    What is printed to a stream that is missing, closed or no longer writable is dropped. Only the standard
    output of a filter raises ReaderLeft when its reader has left.
    """

    def __init__(self, *, is_filter: bool) -> None:
        self._is_filter = is_filter
        self._files: list[_File] = []
        self._exit = contextlib.ExitStack()

    def __enter__(self) -> Streams:
        descriptors.open_closed()
        output = self._lasting(sys.stdout, is_filter=self._is_filter)
        errors = self._lasting(sys.stderr, is_filter=False)
        self._exit.enter_context(contextlib.redirect_stdout(output))
        self._exit.enter_context(contextlib.redirect_stderr(errors))
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(ReaderLeft):
            _flush()
        self._exit.close()

    def check(self) -> None:
        """Raise WorkFailed if something that was printed is lost, although somebody wanted it."""
        _flush()
        for file in self._files:
            if file.failure is not None and not _tells_reader_left(file.failure):
                raise WorkFailed("the output cannot be written: {reason}.", reason=file.failure.strerror)

    def _lasting(self, stream: TextIO | None, *, is_filter: bool) -> TextIO:
        """Return a stream to the same place that no failure stops."""
        if stream is None or getattr(stream, "closed", False):
            return io.TextIOWrapper(
                io.BufferedWriter(_Nowhere()), encoding="utf-8", errors="backslashreplace"
            )
        if not isinstance(stream, io.TextIOWrapper):  # such as a notebook's
            return stream
        stream.reconfigure(errors="backslashreplace")  # for a terminal that cannot show an emoji
        buffer: Any = stream.buffer
        raw = getattr(buffer, "raw", buffer)  # with `python -u` nothing is buffered
        if not isinstance(raw, io.FileIO):  # such as a Windows console
            return stream
        with contextlib.suppress(OSError):
            stream.flush()
        file = _File(raw.fileno(), is_filter=is_filter)
        self._files.append(file)
        return io.TextIOWrapper(
            file if raw is buffer else io.BufferedWriter(file),
            encoding=stream.encoding,
            errors=stream.errors,
            line_buffering=stream.line_buffering,
            write_through=stream.write_through,
        )


class _File(io.FileIO):
    """A descriptor that is written as long as that works, and then drops what it is given."""

    def __init__(self, descriptor: int, *, is_filter: bool) -> None:
        super().__init__(descriptor, "w", closefd=False)
        self._is_filter = is_filter
        self.failure: OSError | None = None

    def write(self, data: Any) -> int:
        if self.failure is None:
            try:
                return self._write_when_ready(data)
            except OSError as error:
                self.failure = error
                if self._is_filter and _tells_reader_left(error):
                    raise ReaderLeft from error
        return memoryview(data).nbytes

    def _write_when_ready(self, data: Any) -> int:
        # None: a pipe that is full and, as another program that shares it has set it, does not wait.
        while (written := super().write(data)) is None:
            select.select([], [self], [])
        return written


class _Nowhere(io.RawIOBase):
    """A file that drops what it is given."""

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return memoryview(data).nbytes


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()


def _tells_reader_left(error: OSError) -> bool:
    # Windows says EINVAL: https://github.com/python/cpython/issues/79935
    return isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL)
