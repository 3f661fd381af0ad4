"""Log lines on the terminal: results to standard output, warnings to standard error."""

from __future__ import annotations

import logging
import sys
import warnings
from typing import Any

from retraining.cli.parser import flag_name
from retraining.errors import Message
from retraining.printable import printable
from retraining.progress import write_line
from retraining.settings.output import LOG_LEVELS

_LEVELS = dict(
    zip(
        LOG_LEVELS,
        (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR, logging.CRITICAL),
        strict=True,
    )
)


def configure_logging(verbosity: str) -> None:
    """Send the package's log lines to the terminal. `verbosity` is one of LOG_LEVELS."""
    # Pillow warns about harmless oddities of photos, such as invalid EXIF data or 100 megapixels.
    warnings.filterwarnings("ignore", module="PIL")
    logger = logging.getLogger("retraining")
    logger.setLevel(_LEVELS[verbosity])
    logger.propagate = False
    handler = _Handler()
    handler.setFormatter(_Formatter())
    logger.handlers = [handler]


def say(text: str) -> None:
    """Print one line of results."""
    write_line(printable(text), sys.stdout)


class _Formatter(logging.Formatter):
    """The bare message, which scripts parse; from WARNING on, with the level in front of it.

    Values in a message are escaped, since a file may have any name; the message's own line ends are kept.
    """

    def format(self, record: logging.LogRecord) -> str:
        if isinstance(record.msg, Message):
            message = record.msg.text(setting_name=flag_name, show=printable)
        else:
            message = str(record.msg) % _shown(record.args) if record.args else str(record.msg)
        return message if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {message}"


def _shown(values: Any) -> tuple[object, ...]:
    return tuple(value if isinstance(value, int | float) else printable(value) for value in values)


class _Handler(logging.Handler):
    """Writes without breaking a progress bar that is being shown."""

    def emit(self, record: logging.LogRecord) -> None:
        stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
        write_line(self.format(record), stream)
