"""A worker process of Beam's own runner on this computer: quiet, and at an end when its run is."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import threading
import time
from pathlib import Path

from retraining.distribution import quiet_beam

_WATCHED_EVERY = 0.2  # seconds


def command_line(alive: Path) -> str:
    """Return the shell command that starts a worker which imports what this process does.

    It ends as soon as the file `alive` is gone.
    """
    # The package may be a folder of the project, from which this process was started.
    code = (
        f"import sys; sys.path[:] = {sys.path!r}; from retraining.distribution import worker; "
        f"worker.main({str(alive)!r})"
    )
    return f"exec {shlex.join([sys.executable, '-c', code])}"


def main(alive: str) -> None:
    """Work for the runner that has started this process, until it is done."""
    # Ctrl-C reaches all processes of a terminal. The one that the user has started ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_after, args=[Path(alive)], daemon=True).start()
    quiet_beam.silence()
    # What Python and libraries print here, the runner says too: a worker's last words are its exception.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)

    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])


def _end_after(alive: Path) -> None:
    parent = os.getppid()
    while alive.exists() and os.getppid() == parent:
        time.sleep(_WATCHED_EVERY)
    os._exit(0)  # in the middle of whatever it does: shards are written completely or not at all
