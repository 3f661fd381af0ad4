"""CSV files that a person edits in a spreadsheet program: each cell comes back as the text that it was.

Such a program takes a cell for a formula, a number or a date wherever it looks like one, and saves the file
with other separators, quotes and line ends, and often with a mark of the encoding in front.
"""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import NamedTuple

from retraining.errors import BadRequest
from retraining.storage import csv_file
from retraining.storage.atomic_files import reason

_AS_TEXT = "./"  # in front of what a program would take for anything else

# What a program leaves alone: a whole number that is written as it would write it, words, a full path.
_STAYS = re.compile(r"0|[1-9][0-9]{0,10}|([^\W\d_]|/).*")
_IS_TRUTH_OR_DATE = re.compile(r"true|false|[^\W\d_]{3,}[ .,/\-]*[0-9]+([ .,/\-]+[0-9]+)?", re.IGNORECASE)

# Control characters, line ends of all kinds, changes of writing direction, marks of the encoding, lone
# surrogates, spaces at either end; and the backslash, with which they are written.
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff\\]|^\s|\s$")
_ESCAPE = re.compile(r"\\(?:(\\)|x([0-9a-f]{2})|u([0-9a-f]{4}))")

_SEPARATORS = (",", ";", "\t")


class Table(NamedTuple):
    """The rows of a file, each with a cell for every name in the header, and that header."""

    header: tuple[str, ...]
    rows: list[dict[str, str]]


def cell(text: str) -> str:
    """Return what stands for `text` in a cell: the text itself wherever that comes back as it was."""
    escaped = _UNSAFE.sub(lambda match: _escaped(match[0]), text)
    is_kept = _STAYS.fullmatch(escaped) and not _IS_TRUTH_OR_DATE.fullmatch(escaped)
    return escaped if is_kept else f"{_AS_TEXT}{escaped}"


def text_of(cell: str) -> str:
    """Return the text that a cell stands for."""
    return _ESCAPE.sub(_unescaped, cell.removeprefix(_AS_TEXT))


def write(path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> None:
    """Write a file that spreadsheet programs open, completely or not at all. Raises WorkFailed."""
    csv_file.write_csv(path, header, rows, encoding="utf-8-sig")  # which Excel takes for another without


def read(path: Path, columns: Collection[str]) -> Table:
    """Return the rows of a file that has at least these columns. Raises BadRequest, which names {csv}."""
    text = _text(path)
    for separator in _SEPARATORS:
        try:
            header, *rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator))
        except (csv.Error, ValueError):  # it is empty, or no list at all
            continue
        names = tuple(name.strip().lower() for name in header)
        if set(columns).issubset(names):
            return Table(names, [_by_name(names, row) for row in rows if any(row)])
    raise BadRequest(
        "{csv} '{path}' must have the columns {columns} in its first line. Is it the list that was written "
        "for you to mark?",
        path=path,
        columns=", ".join(columns),
    )


def _by_name(names: tuple[str, ...], row: list[str]) -> dict[str, str]:
    """Return the cells by name: empty ones at the end of a line are not always saved."""
    return dict(zip(names, [*row, *[""] * len(names)], strict=False))


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(
            "{csv} '{path}' cannot be read: {reason}.", path=path, reason=reason(error)
        ) from error
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        return content.decode("utf-16" if is_utf16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadRequest(
            "{csv} '{path}' must be in UTF-8. In the spreadsheet program, save it as 'CSV UTF-8'.", path=path
        ) from error


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # how Python represents a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if character == "\\":
        return "\\\\"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}"


def _unescaped(match: re.Match[str]) -> str:
    backslash, byte, code = match.groups()
    if backslash:
        return "\\"
    if code:
        return chr(int(code, 16))
    value = int(byte, 16)
    return chr(value) if value < 0x80 else chr(0xDC00 + value)
