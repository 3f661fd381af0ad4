"""The kinds of values that settings take, and the rule for each kind."""

from __future__ import annotations

import dataclasses
import decimal
import math
import numbers
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

ALL = -1  # as a batch size: the whole set
EVERY = "all"  # as a number of blocks: all that a network has

# Far above anything anyone wants, but below what would fill the memory or run for ever.
MAX_COUNT = 10**9
MAX_BATCH_SIZE = 10**6
MAX_IMAGE_SIZE = 4096
MAX_VIEWS = 1000
MOST_BITS = 16  # of a sample of an image

# Names that the exported graph uses itself: its input, and the scopes of the module and the new layer.
RESERVED_OP_NAMES = ("Placeholder", "module", "final_layer")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A kind of value.

    `convert` turns text, or a Python value, into such a value; it raises ValueError with the rule if that is
    broken. `placeholder` stands for the value in the help. A switch may be given without a value, a list
    with several.
    """

    placeholder: str
    convert: Callable[[Any], Any]
    is_switch: bool = False
    is_list: bool = False


def _number(type_: type[int] | type[float], rule: str, holds: Callable[[Any], bool]) -> Kind:
    """Return the kind of numbers for which `holds` is true; `rule` says so in words."""

    def convert(value: Any) -> Any:
        try:
            number = _as_number(value, type_)
        except (ValueError, TypeError, ArithmeticError):
            raise ValueError(rule) from None
        if not holds(number):  # false for NaN, whatever it is compared with
            raise ValueError(rule)
        return number

    return Kind("N", convert)


def _as_number(value: Any, type_: type[int] | type[float]) -> float:
    """Return text or a number of any type as an int or a float; an int stays an int."""
    if isinstance(value, str):
        return type_(value)
    # numpy's numbers are Real and its bools are not, but Python's bool is an int.
    if isinstance(value, bool) or not isinstance(value, numbers.Real | decimal.Decimal):
        raise TypeError
    number: float = value if isinstance(value, int) else type_(value)  # type: ignore[arg-type]
    if type_ is int and number != value:
        raise ValueError
    return number


def _whole(least: int, most: int) -> Kind:
    at_least = _number(int, f"must be a whole number of at least {least}", lambda value: value >= least)

    def convert(value: Any) -> int:
        number: int = at_least.convert(value)
        if number > most:
            raise ValueError(f"must be a whole number of at most {most}")
        return number

    return Kind("N", convert)


PERCENTAGE = _number(float, "must be a percentage from 0 to 100", lambda value: 0 <= value <= 100)
POSITIVE_NUMBER = _number(float, "must be a number greater than 0", lambda value: 0 < value < math.inf)
FINITE_NUMBER = _number(float, "must be a number", math.isfinite)
SCALE = _number(float, "must be a number greater than 1", lambda value: 1 < value < math.inf)
SHARE = _number(float, "must be a number above 0, and at most 1", lambda value: 0 < value <= 1)
COUNT = _whole(1, MAX_COUNT)
AT_LEAST_TWO = _whole(2, MAX_COUNT)
NON_NEGATIVE = _whole(0, MAX_COUNT)
IMAGE_SIZE = _whole(1, MAX_IMAGE_SIZE)
VIEW_COUNT = _whole(0, MAX_VIEWS)
BIT_COUNT = _whole(8, MOST_BITS)
PORT = _whole(0, 65535)
BATCH_SIZE = _number(
    int,
    f"must be a whole number from 1 to {MAX_BATCH_SIZE}, or {ALL} for the whole set",
    lambda value: 1 <= value <= MAX_BATCH_SIZE or value == ALL,
)


def _count_or_every(value: Any) -> int | str:
    if value == EVERY:
        return EVERY
    try:
        count: int = COUNT.convert(value)
    except ValueError:
        raise ValueError(f"must be a whole number of at least 1, or '{EVERY}'") from None
    return count


COUNT_OR_EVERY = Kind(f"N|{EVERY}", _count_or_every)

_TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}


def _switch(value: Any) -> bool:
    # In TensorFlow's retrain.py, the text "False" switched a flag on.
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in _TRUTHS:
        return _TRUTHS[value.lower()]
    raise ValueError("must be True or False")


SWITCH = Kind("True|False", _switch, is_switch=True)


def _text(value: Any) -> str:
    if not isinstance(value, str | os.PathLike):
        raise ValueError("must be text")
    return os.fspath(value)


NAME = Kind("NAME", _text)
NAMES_IN_TEXT = Kind("NAMES", _text)
HANDLE = Kind("HANDLE", _text)
LABEL = Kind("LABEL", _text)


def _names(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    if not isinstance(parts, Sequence) or not all(isinstance(part, str) for part in parts):
        raise ValueError("must be a list of names")
    names = tuple(part.strip() for part in parts)
    if not all(names):
        raise ValueError("must be names separated by commas")
    return names


NAMES = Kind("A,B,...", _names)


def _words(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(word, str) for word in value):
        raise ValueError("must be a list of words")
    return tuple(value)


WORDS = Kind("WORD", _words, is_list=True)


def _path(value: Any) -> Path:
    text = os.fspath(value) if isinstance(value, str | os.PathLike) else None
    if not isinstance(text, str) or not text:
        raise ValueError("must be a path")
    expanded = os.path.expanduser(text)  # noqa: PTH111 - Path's expands ./~x too, which is a file
    if text.startswith("~") and expanded == text:  # ~name of a user who does not exist
        raise ValueError("must be a path whose ~ stands for a user's folder")
    return Path(expanded)


def _optional_path(value: Any) -> Path | None:
    return None if value == "" else _path(value)


def _paths(value: Any) -> tuple[Path, ...]:
    paths = [value] if isinstance(value, str | os.PathLike) else value
    if not isinstance(paths, Iterable):
        raise ValueError("must be a path")
    return tuple(map(_path, paths))


def _place(value: Any) -> str:
    is_address = isinstance(value, str) and re.match(r"[a-z0-9+.-]+://.", value)  # as in gs://bucket
    return str(value) if is_address else str(_path(value))


FILE = Kind("FILE", _path)
PATH = Kind("PATH", _path)
FOLDER = Kind("DIR", _path)
PATH_PREFIX = Kind("PREFIX", _path)
OPTIONAL_FILE = Kind("FILE", _optional_path)
OPTIONAL_FOLDER = Kind("DIR", _optional_path)
PATHS = Kind("PATH", _paths, is_list=True)
FOLDER_OR_ADDRESS = Kind("DIR|ADDRESS", _place)
FILE_OR_ADDRESS = Kind("FILE|ADDRESS", _place)


def _op_name(value: Any) -> str:
    """Accept what TensorFlow accepts as the name of an op, except names that the exported graph uses."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\-]*", value):
        raise ValueError("must be letters, digits, '_', '.' or '-', beginning with a letter or digit")
    if value.lower() in {name.lower() for name in RESERVED_OP_NAMES}:  # TensorFlow ignores case here
        raise ValueError(f"must not be a name that the exported graph uses ({', '.join(RESERVED_OP_NAMES)})")
    return value


OP_NAME = Kind("NAME", _op_name)


def one_of(*choices: str, placeholder: str = "NAME") -> Kind:
    """Return the kind of a value that is one of `choices`."""

    def convert(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise ValueError(f"must be one of {' '.join(choices)}")
        return value

    return Kind(placeholder, convert)
