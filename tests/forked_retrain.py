"""Run retrain.py in processes of its own that start at once: forks of one that has loaded TensorFlow.

    python -m tests.forked_retrain

reads requests from standard input, a line of JSON each, and answers each with a line that holds a number:

    {"flags": [FLAG, ...], "output": FILE, "errors": FILE, "sent": SIGNAL, "call": CALL}
        starts a run whose streams are written to the files; the answer is its process id
    {"wait": ID}
        waits for its end; the answer is its exit status, or the negated number of the signal that ended it

CALL, which may be empty, is a function by its module and name, such as
retraining.training.trainer:gradient_step. SIGNAL, such as SIGKILL, is sent when it first returns: a moment
that no timer can hit reliably.
"""

from __future__ import annotations

import dataclasses
import functools
import gc
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

import retrain
from retraining.graphs import quiet_tensorflow

PROJECT = Path(__file__).parent.parent

# What a run imports when it has something to do.
IMPORTED = (
    "PIL.JpegImagePlugin",
    "retraining.model",
    "retraining.training.fresh_batches",
    "retraining.training.tensorboard",
    "tqdm.auto",
)


@dataclasses.dataclass(frozen=True)
class Finished:
    """How a run ended, and what it printed."""

    status: int  # negative: the number of the signal that ended it
    output: str
    errors: str


class Forks:
    """The process that forks, in which TensorFlow is loaded."""

    def __init__(self) -> None:
        # A thread of the linear algebra would be lost in a fork.
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
        command = [sys.executable, "-m", "tests.forked_retrain"]
        self._process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def start(
        self, flags: Sequence[str], *, output: Path, errors: Path, sent: str = "", call: str = ""
    ) -> int:
        """Start retrain.py with `flags`, to be interrupted after `call` if one is named; return its process id."""
        return self._ask(
            {"flags": list(flags), "output": str(output), "errors": str(errors), "sent": sent, "call": call}
        )

    def wait(self, process: int) -> int:
        """Wait for the end of a process; return its status."""
        return self._ask({"wait": process})

    def run(
        self, flags: Sequence[str], folder: Path, *, sent: signal.Signals = signal.SIGKILL, call: str = ""
    ) -> Finished:
        """Run retrain.py with `flags`, to be interrupted after `call` if one is named.

        Its output is kept in two files of `folder`.
        """
        output, errors = folder / "output.txt", folder / "errors.txt"
        status = self.wait(self.start(flags, output=output, errors=errors, sent=sent.name, call=call))
        return Finished(status, output.read_text(), errors.read_text())

    def _ask(self, request: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())


def signal_after(call: str, sent: signal.Signals) -> None:
    """Make a function send the signal when it first returns."""
    module, _, path = call.partition(":")
    *parents, name = path.split(".")
    owner = functools.reduce(getattr, parents, importlib.import_module(module))
    function = getattr(owner, name)

    def signalling(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        setattr(owner, name, function)
        os.kill(os.getpid(), sent)
        return result

    setattr(owner, name, signalling)


def work(*, flags: list[str], output: str, errors: str, sent: str, call: str) -> NoReturn:
    """Be the process that a request asks for, to its end."""
    for number, name, path in ((1, "stdout", output), (2, "stderr", errors)):
        with open(path, "wb") as file:  # noqa: PTH123
            os.dup2(file.fileno(), number)
        setattr(sys, name, os.fdopen(number, "w", closefd=False))
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # ignored, if a shell started it in the background
    if call:
        signal_after(call, signal.Signals[sent])
    sys.exit(retrain.main(flags))


def serve() -> None:
    """Answer the requests until there are no more."""
    for module in IMPORTED:
        importlib.import_module(module)
    _ = quiet_tensorflow.tf.Graph  # imports it
    gc.freeze()  # or each run would go through all of TensorFlow's objects when it ends
    while line := sys.stdin.readline():
        request = json.loads(line)
        if "wait" in request:
            answer = os.waitstatus_to_exitcode(os.waitpid(request["wait"], 0)[1])
        else:
            answer = os.fork()
            if answer == 0:
                work(**request)
        print(answer, flush=True)


if __name__ == "__main__":
    serve()
