"""SIGTERM and Ctrl-C during a command: recorded, and raised as KeyboardInterrupt."""

from __future__ import annotations

import signal
import threading
from typing import Any, NoReturn


class Signals:
    """A context in which signals are recorded in `received` and raised as KeyboardInterrupt."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> None:
        # Python only lets the main thread handle signals.
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
