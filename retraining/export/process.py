"""A process of its own for the work that needs TensorFlow, which it imports while this one does other work.

Importing TensorFlow takes seconds, most of them with Python's lock held, so a thread would stop the training.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, Generic, TypeVar

from retraining.errors import UserError, WorkFailed
from retraining.graphs import quiet_tensorflow

Result = TypeVar("Result")


class TensorFlowProcess(Generic[Result]):
    """A process that imports TensorFlow at once, and then calls one function.

    It ends with this one, whatever becomes of it.
    """

    def __init__(self, work: Callable[..., Result], prepare: Callable[[], None]) -> None:
        """Start it; both are functions of modules, and `prepare` is called in it first."""
        # Not forked: this process may have threads, and other systems cannot.
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(target=_run, args=(other, work, prepare), daemon=True)
        self._process.start()
        other.close()  # so that an end of the process is noticed

    def __call__(self, *arguments: Any, **keywords: Any) -> Result:
        """Return what the function returns in the process, or raise what it raises."""
        try:
            self._connection.send((arguments, keywords))
            result, error = self._connection.recv()
        except (EOFError, OSError) as ended:
            raise WorkFailed(
                "the process that writes the graph has ended before it was done, perhaps for lack of memory. "
                "Close other programs and run the same command again."
            ) from ended
        if error is not None:
            raise error
        done: Result = result
        return done


def _run(connection: Connection, work: Callable[..., Any], prepare: Callable[[], None]) -> None:
    # Ctrl-C goes to both processes. The other one decides, and this one ends with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    prepare()
    quiet_tensorflow.load()
    try:
        arguments, keywords = connection.recv()
    except EOFError:  # the other process has ended
        return
    try:
        connection.send((work(*arguments, **keywords), None))
    except UserError as error:
        connection.send((None, error))
