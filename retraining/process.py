"""Work done in a process of its own, which imports what that needs while this one does other work.

Importing TensorFlow or scikit-learn takes seconds, most of them with Python's lock held, so a thread would
stop the training.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from typing import Any, Generic, Protocol, TypeVar

from retraining.errors import UserError, WorkFailed

Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)


class Work(Protocol[Given]):
    """Something that is done once: started, and waited for later."""

    def start(self, *arguments: Any, **keywords: Any) -> None:
        """Begin with it."""

    def result(self) -> Given:
        """Return what came of it, or raise what it raised."""


class HereAndNow(Generic[Result]):
    """Work that is done in this process, when it is started."""

    def __init__(self, function: Callable[..., Result]) -> None:
        self._function = function
        self._results: list[Result] = []

    def start(self, *arguments: Any, **keywords: Any) -> None:
        """Call the function."""
        self._results.append(self._function(*arguments, **keywords))

    def result(self) -> Result:
        """Return what the function returned."""
        return self._results.pop()


class WorkProcess(Generic[Result]):
    """A process that prepares itself at once, and then calls one function.

    It ends with this one, whatever becomes of it.
    """

    def __init__(self, function: Callable[..., Result], prepare: Callable[[], None], *, task: str) -> None:
        """Start it; both are functions of modules, and `prepare` is called in it first.

        `task` is what it does, such as "writes the graph".
        """
        # Not forked: this process may have threads, and other systems cannot.
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_run, args=(other, function, prepare), daemon=True)
        self._process.start()
        self._task = task
        other.close()  # so that an end of the process is noticed

    def start(self, *arguments: Any, **keywords: Any) -> None:
        """Have the function called in the process, as soon as that is prepared; nobody waits for it here."""
        content = ForkingPickler.dumps((arguments, keywords))

        def send() -> None:
            with contextlib.suppress(OSError):  # it has ended, which `result` tells
                self._connection.send_bytes(content)

        threading.Thread(target=send, daemon=True).start()

    def result(self) -> Result:
        """Return what the function returns in the process, or raise what it raises."""
        try:
            result, error = self._connection.recv()
        except (EOFError, OSError) as ended:
            raise self._has_ended() from ended
        if error is not None:
            raise error
        done: Result = result
        return done

    def _has_ended(self) -> WorkFailed:
        return WorkFailed(
            "the process that {task} has ended before it was done, perhaps for lack of memory. Close other "
            "programs and run the same command again.",
            task=self._task,
        )


def _run(connection: Connection, function: Callable[..., Any], prepare: Callable[[], None]) -> None:
    # Ctrl-C goes to both processes. The other one decides, and this one ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    try:
        arguments, keywords = connection.recv()
    except EOFError:  # the other process has ended
        return
    try:
        connection.send((function(*arguments, **keywords), None))
    except UserError as error:
        connection.send((None, error))
