"""Run retrain.py with a signal that it sends itself at a chosen moment.

    python -m tests.interrupted_retrain SIGNAL CALL FLAGS...

CALL is a function by its module and name, such as retraining.training.trainer:gradient_step. The
signal, such as SIGKILL, is sent when it first returns: a moment that no timer can hit reliably.
"""

from __future__ import annotations

import functools
import importlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import retrain


def interrupted(sent: signal.Signals, call: str, flags: list[str]) -> subprocess.CompletedProcess[str]:
    """Run retrain.py with `flags` in a process of its own, and interrupt it after `call`."""
    command = [sys.executable, "-m", "tests.interrupted_retrain", sent.name, call, *flags]
    return subprocess.run(
        command, cwd=Path(__file__).parent.parent, capture_output=True, text=True, check=False
    )


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


if __name__ == "__main__":
    signal_after(sys.argv[2], signal.Signals[sys.argv[1]])
    sys.exit(retrain.main(sys.argv[3:]))
