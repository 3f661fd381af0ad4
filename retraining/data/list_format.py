"""How a list of images is written: as CSV, or as JSON with an object in each line; and what its lines say.

Each line is understood by itself, so that a list can be read in pieces. Only its first line is needed for
that: it tells JSON from CSV, and names the columns.
"""

from __future__ import annotations

import csv
import dataclasses
import functools
import json
import operator
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias

from retraining.data import set_folders
from retraining.data.image_list import BadLine, Known, ListedImage, as_json, shown
from retraining.data.split import Split
from retraining.errors import BadRequest, Message
from retraining.settings.kinds import MOST_BITS

HEAD_BYTES = 1 << 16  # of the beginning of a list, which are enough to recognize its format

_NOT_BLANK = re.compile(rb"\S")
_IS_ARRAY = re.compile(rb"\s*\[\s*(\{|$)")
_UTF8_MARK = b"\xef\xbb\xbf"
_SEPARATORS = (",", "\t", ";")
# Without a header: most likely first. A label has a comma in it sooner than a tab.
_SEPARATORS_ALONE = ("\t", ",", ";")
_CSV_REASONS = {"unexpected end of data": "a quote is not closed"}
_REQUIRED = ("path", "label")
_COLUMNS = (*_REQUIRED, "set", "sha256", "bits", "significant_bits")
_FEWEST, _MOST = 2, 3  # columns without a header
# Path leaves these out. What is in front of ".." has to stay: if it is a link, the two lead elsewhere.
_IS_ROUNDABOUT = re.compile(r"(?:^|/)\./|//")
_LOOKS_LIKE_A_PATH = re.compile(r"[./\\]")
# Surrogates, which only JSON can write alone, but for those that stand for bytes of names that are not UTF-8.
_HALF_CHARACTER = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_SHA256 = re.compile("[0-9a-fA-F]{64}")
_WHOLE_NUMBER = re.compile("0|-?[1-9][0-9]{0,17}")
_BIT_COUNTS = frozenset(map(str, range(1, MOST_BITS + 1)))
_ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_JSON = json.JSONDecoder()


class Beginning(NamedTuple):
    """Where the lines of images begin: after so many bytes and lines."""

    bytes: int
    lines: int


@dataclasses.dataclass(frozen=True)
class CsvLines:
    """The lines of a CSV file: `columns` are the names in its header, in lower case.

    A line has at least `fewest` fields, and at most one for each column. Blanks around a field are left out.
    Paths are relative to `folder`.
    """

    beginning: Beginning
    folder: str
    separator: str
    columns: tuple[str, ...]
    fewest: int

    def image(self, line: bytes, number: int) -> ListedImage | None:
        """Return the image of a line, None for an empty one. Raises BadLine, which gives its `number`."""
        text = _text(line, number)
        try:
            fields = _split(text, self.separator)
        except csv.Error as error:
            reason = _CSV_REASONS.get(str(error), error)
            raise BadLine.because(number, Message("is not CSV ({reason})", reason=reason)) from error
        if not self.fewest <= len(fields) <= len(self.columns):
            if not text.strip():
                return None
            raise self._other_count(fields, number)
        fields.append("")  # for columns that the list does not have
        file, label, *rest = map(str.strip, self._in_order(fields))
        if not (file or label or any(map(str.strip, fields))):
            return None
        return _listed(file, label, rest, number=number, folder=self.folder)

    @functools.cached_property
    def _in_order(self) -> Callable[[Sequence[str]], tuple[str, ...]]:
        """What returns the fields of _COLUMNS; it takes the last one for those that are not there."""
        return operator.itemgetter(
            *(self.columns.index(name) if name in self.columns else -1 for name in _COLUMNS)
        )

    def relabelled(self, line: bytes, label: str) -> bytes:
        """Return the line of an image with another label, and everything else in it as it is."""
        fields = _split(_text(line, 0), self.separator)
        fields[self.columns.index("label")] = label
        written = _Line()
        csv.writer(written, delimiter=self.separator, lineterminator="").writerow(fields)
        return written.text.encode() + _end_of(line)

    def _other_count(self, fields: Sequence[str], number: int) -> BadLine:
        return BadLine.because(
            number,
            Message(
                "has {count} field{s}, not {expected}",
                count=len(fields),
                s="" if len(fields) == 1 else "s",
                expected=_span(self.fewest, len(self.columns)),
            ),
        )


@dataclasses.dataclass(frozen=True)
class JsonLines:
    """The lines of a file that has an object of JSON in each. Paths are relative to `folder`."""

    beginning: Beginning
    folder: str

    def image(self, line: bytes, number: int) -> ListedImage | None:
        """Return the image of a line, None for an empty one. Raises BadLine, which gives its `number`."""
        text = _text(line, number)
        if not text.strip():
            return None
        try:
            fields = _JSON.decode(text)
        except (ValueError, RecursionError) as error:
            raise BadLine.because(number, Message("is not JSON")) from error
        if not isinstance(fields, dict):
            raise BadLine.because(number, Message("is not an object of JSON"))
        label = fields.get("label")
        if isinstance(label, int) and not isinstance(label, bool):
            label = str(label)  # classes of digits
        rest = [fields.get(name) for name in _COLUMNS[len(_REQUIRED) :]]
        return _listed(fields.get("path"), label, rest, number=number, folder=self.folder)

    def relabelled(self, line: bytes, label: str) -> bytes:
        """Return the line of an image with another label, and everything else in it as it is."""
        fields = json.loads(line)
        is_number = isinstance(fields["label"], int) and _WHOLE_NUMBER.fullmatch(label)
        fields["label"] = int(label) if is_number else label
        return as_json(fields).encode() + _end_of(line)


LineFormat: TypeAlias = CsvLines | JsonLines


def recognized(head: bytes, *, list_name: str, folder: str) -> LineFormat:
    """Return the format of a list that begins with `head`, of which HEAD_BYTES are enough.

    Paths in it are relative to `folder`. Raises BadRequest, which calls the list `list_name`.
    """
    start = len(_UTF8_MARK) if head.startswith(_UTF8_MARK) else 0
    first = _NOT_BLANK.search(head, start)
    if first is None:
        raise BadRequest("{image_list} '{path}' has no lines.", path=list_name)
    start = max(start, head.rfind(b"\n", 0, first.start()) + 1)
    line, end, _ = head[start:].partition(b"\n")
    before = Beginning(start, head.count(b"\n", 0, start))
    if line.lstrip().startswith(b"{"):
        return JsonLines(before, folder)
    if _IS_ARRAY.match(line):
        raise BadRequest(
            "{image_list} '{path}' must have an object of JSON in each line, and not one array of them. "
            "Convert it, such as with jq -c '.[]'.",
            path=list_name,
        )
    try:
        text = line.decode().rstrip("\r")
    except UnicodeDecodeError as error:
        raise BadRequest(
            "{image_list} '{path}' must be text in UTF-8. Save it as 'CSV UTF-8'.", path=list_name
        ) from error
    after = Beginning(start + len(line) + len(end), before.lines + 1)
    found = _with_header(text, after, folder) or _without_header(text, before, folder)
    if found is None:
        raise BadRequest(
            "{image_list} '{path}' must begin with a line that names its columns, 'path' and "
            "'label' among them, received '{line}'.",
            path=list_name,
            line=shown(text),
        )
    return found


def is_elsewhere(file: str) -> bool:
    """Return whether a path is an address, such as gs://bucket/photo.jpg, which no file system here knows."""
    return "://" in file and _ELSEWHERE.match(file) is not None


def _with_header(text: str, beginning: Beginning, folder: str) -> CsvLines | None:
    for separator in _SEPARATORS:
        names = tuple(name.strip().lower() for name in _split_or_nothing(text, separator))
        if set(_REQUIRED).issubset(names) and all(names.count(name) <= 1 for name in _COLUMNS):
            return CsvLines(beginning, folder, separator, names, len(names))
    return None


def _without_header(text: str, beginning: Beginning, folder: str) -> CsvLines | None:
    for separator in _SEPARATORS_ALONE:
        fields = _split_or_nothing(text, separator)
        if _FEWEST <= len(fields) <= _MOST and _LOOKS_LIKE_A_PATH.search(fields[0]):
            return CsvLines(beginning, folder, separator, _COLUMNS[:_MOST], _FEWEST)
    return None


def _text(line: bytes, number: int) -> str:
    try:
        return line.decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise BadLine.because(number, Message("is not text in UTF-8")) from error


def _split(text: str, separator: str) -> list[str]:
    """Return the fields of a line. Raises csv.Error."""
    if '"' not in text:  # as in most lines: twice as fast
        return text.split(separator)
    return next(csv.reader([text], delimiter=separator, strict=True))


def _split_or_nothing(text: str, separator: str) -> list[str]:
    try:
        return _split(text, separator)
    except csv.Error:
        return []


class _Line:
    """What a csv.writer has written."""

    text = ""

    def write(self, text: str) -> None:
        self.text += text


def _end_of(line: bytes) -> bytes:
    return line[len(line.rstrip(b"\r\n")) :]


def _span(fewest: int, most: int) -> str:
    return str(most) if fewest == most else f"{fewest} or {most}"


def _listed(file: object, label: object, rest: Sequence[object], *, number: int, folder: str) -> ListedImage:
    """Return the image with these fields; `rest` are those of the columns that need not be there.

    Raises BadLine.
    """
    file, label = _required("path", file, number), _required("label", label, number)
    if not is_elsewhere(file):
        if _IS_ROUNDABOUT.search(file):
            file = str(Path(file))
        if folder and not os.path.isabs(file):  # noqa: PTH117 - faster
            file = f"{folder}/{file}"
    if not any(rest):  # as in most lists
        return ListedImage(file, label)
    name, sha256, bits, decided = rest
    split = _set(name, number) if name else None
    return ListedImage(file, label, split, _known(sha256, bits, decided, number=number))


def _required(column: str, value: object, number: int) -> str:
    if isinstance(value, str) and value and "\0" not in value:
        if _HALF_CHARACTER.search(value):
            raise BadLine.because(number, Message("has half a character in its {column}", column=column))
        return value
    if value is None or value == "":
        raise BadLine.because(number, Message("has no {column}", column=column))
    if isinstance(value, str):
        raise BadLine.because(number, Message("has a NUL character in its {column}", column=column))
    raise BadLine.because(number, Message("has a {column} that is not text", column=column))


def _set(name: object, number: int) -> Split:
    split = set_folders.set_named(name) if isinstance(name, str) else None
    if split is None:
        raise BadLine.because(
            number,
            Message("has the set '{name}', which is not train, val or test", name=shown(str(name))),
        )
    return split


def _known(sha256: object, bits: object, decided: object, *, number: int) -> Known | None:
    """Return what a line says about the content of the file."""
    if not sha256:
        if bits or decided:
            raise BadLine.because(number, Message("has a number of bits and no sha256"))
        return None
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise BadLine.because(number, Message("has a sha256 that is not 64 hexadecimal digits"))
    if bits and decided:
        raise BadLine.because(number, Message("has both bits and significant_bits"))
    return Known(bytes.fromhex(sha256), _bits(decided or bits or MOST_BITS, number), bool(decided))


def _bits(value: object, number: int) -> int:
    text = str(value)
    if text not in _BIT_COUNTS:
        raise BadLine.because(number, Message("has '{bits}' bits, not 1 to 16", bits=shown(text)))
    return int(text)
