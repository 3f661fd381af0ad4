"""Running a command, from its arguments to its exit status: the one place where errors are caught."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Callable, Sequence

from retraining.cli.parser import AnySettings, Program, parse
from retraining.cli.signals import Signals
from retraining.cli.streams import ReaderLeft, Streams
from retraining.errors import UserError
from retraining.printable import printable

INTERRUPTED = 130  # what a shell reports for a command ended by Ctrl-C
TERMINATED = 143  # likewise for SIGTERM
UNREAD = 141  # likewise for SIGPIPE: the reader of a filter's output has left


def run(
    command: Callable[[AnySettings], None], program: Program[AnySettings], argv: Sequence[str] | None = None
) -> int:
    """Return the exit status of a program's `command` for `argv` (default: this process's arguments)."""

    def work() -> None:
        settings = parse(program, argv)
        program.check(settings)
        command(settings)

    return finish(work, name=program.name, setting_name=program.flag_name, is_filter=program.is_filter)


def finish(
    work: Callable[[], None], *, name: str, setting_name: Callable[[str], str], is_filter: bool = False
) -> int:
    """Do the work and return its exit status, with one line on standard error if it fails.

    The line begins with `name`; `setting_name` returns what a setting is called in it. A filter ends when
    its output has lost its reader; the work of others goes on.
    """
    signals = Signals()
    with Streams(is_filter=is_filter) as streams:
        try:
            with signals, contextlib.suppress(SystemExit):  # which argparse raises when it has printed help
                work()
            streams.check()
        except ReaderLeft:
            return UNREAD
        except (UserError, KeyboardInterrupt) as error:
            # A library may have turned the interrupt that a signal raised inside it into another error.
            if isinstance(error, KeyboardInterrupt) or signals.received is not None:
                return _interrupted(signals.received, name)
            text = error.message.text(setting_name=setting_name, show=printable)
            print(f"{name}: error: {text}", file=sys.stderr)
            return error.exit_status
        except Exception:
            if signals.received is None:
                raise
            return _interrupted(signals.received, name)
    return 0


def _interrupted(received: int | None, name: str) -> int:
    # TensorFlow objects that were interrupted half way complain when they are deleted; nobody can fix that.
    sys.unraisablehook = lambda _: None
    if received == signal.SIGTERM:
        print(f"{name}: terminated; what was computed is kept", file=sys.stderr)
        return TERMINATED
    print(f"\n{name}: interrupted; what was computed is kept", file=sys.stderr)
    return INTERRUPTED
