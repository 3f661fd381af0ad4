"""What a flag is: a dataclass field with its default, check and help; kinds of values; the parser of words.

No TensorFlow here, and nothing of what the flags are for: that is in `options`.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from retraining.errors import BadRequest

ALL = -1  # as a batch size: the whole set

Options = TypeVar("Options")
Number = TypeVar("Number", int, float)


# The exported graph's own names beside the result: its input, the module's scope, the new layer's.
RESERVED_OP_NAMES = ("Placeholder", "module", "final_layer")

SWITCH: dict[str, Any] = {"nargs": "?", "const": True, "metavar": "True|False"}


def define(
    default: Any, meaning: str, parse: Callable[[str], Any], *, flag: str = "", **argparse_settings: Any
) -> Any:
    """Return a dataclass field that is also a command-line flag, called `flag` if not as the field."""
    metadata = {"help": meaning, "parse": parse, "flag": flag, "argparse": argparse_settings}
    return dataclasses.field(default=default, metadata=metadata)


def flag_name(field: dataclasses.Field[Any]) -> str:
    """Return the flag, with its dashes, of a field of one of the options below."""
    return str(field.metadata["flag"] or f"--{field.name}")


# Far above all that anyone means, and below what fills the memory or runs for ever.
MAX_COUNT = 10**9
MAX_BATCH_SIZE = 10**6
MAX_IMAGE_SIZE = 4096
MAX_VIEWS = 1000


def _refused(text: str, rule: str) -> argparse.ArgumentTypeError:
    value = text if len(text) <= 60 else f"{text[:60]}..."
    return argparse.ArgumentTypeError(f"must be {rule}, received '{value}'")


def _number(text: str, kind: Callable[[str], Number], rule: str, holds: Callable[[Number], bool]) -> Number:
    try:
        value = kind(text)
    except ValueError:
        pass
    else:
        if holds(value):  # false for NaN, whatever is compared
            return value
    raise _refused(text, rule)


def percentage(text: str) -> float:
    """Return a number from 0 to 100."""
    return _number(text, float, "a percentage from 0 to 100", lambda value: 0 <= value <= 100)


def positive_number(text: str) -> float:
    """Return a finite number above 0."""
    return _number(text, float, "a number greater than 0", lambda value: 0 < value < math.inf)


def finite_number(text: str) -> float:
    """Return any number but NaN and infinity."""
    return _number(text, float, "a number", math.isfinite)


def _whole(text: str, least: int, most: int) -> int:
    value = _number(text, int, f"a whole number of at least {least}", lambda value: value >= least)
    if value > most:
        raise _refused(text, f"a whole number of at most {most}")
    return value


def count(text: str) -> int:
    """Return a whole number from 1 to MAX_COUNT."""
    return _whole(text, 1, MAX_COUNT)


def several(text: str) -> int:
    """Return a whole number of at least 2."""
    return _number(text, int, "a whole number of at least 2", lambda value: value >= 2)


def count_or_none(text: str) -> int:
    """Return a whole number from 0 to MAX_COUNT."""
    return _whole(text, 0, MAX_COUNT)


def image_size(text: str) -> int:
    """Return a number of pixels from 1 to MAX_IMAGE_SIZE."""
    return _whole(text, 1, MAX_IMAGE_SIZE)


def view_count(text: str) -> int:
    """Return a whole number from 0 to MAX_VIEWS."""
    return _whole(text, 0, MAX_VIEWS)


def scale(text: str) -> float:
    """Return a finite number above 1."""
    return _number(text, float, "a number greater than 1", lambda value: 1 < value < math.inf)


def batch_size(text: str) -> int:
    """Return a whole number from 1 to MAX_BATCH_SIZE, or ALL."""
    return _number(
        text,
        int,
        f"a whole number from 1 to {MAX_BATCH_SIZE}, or {ALL} for the whole set",
        lambda value: 1 <= value <= MAX_BATCH_SIZE or value == ALL,
    )


def boolean(text: str) -> bool:
    """Accept True and False after the flag: in the old script `--flag False` switched it on."""
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    except KeyError:
        raise _refused(text, "True or False") from None


def share(text: str) -> float:
    """Return a number above 0 and not above 1."""
    return _number(text, float, "a number above 0, and 1 at most", lambda value: 0 < value <= 1)


def names(text: str) -> tuple[str, ...]:
    """Return the words between commas."""
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"must be names with commas between them, received '{text}'")
    return names


def path(text: str) -> Path:
    """Return a path, with ~ as the user's folder."""
    if not text:
        raise _refused(text, "a path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~name of a user who does not exist
        raise _refused(text, "a path whose ~ stands for a user's folder") from None


def optional_path(text: str) -> Path | None:
    """Return a path, or None for no text."""
    return path(text) if text else None


def op_name(text: str) -> str:
    """Accept what TensorFlow accepts as the name of an op, less what the exported graph uses."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\-]*", text):
        raise _refused(text, "letters, digits, '_', '.' or '-', beginning with a letter or digit")
    if text.lower() in {name.lower() for name in RESERVED_OP_NAMES}:  # TensorFlow tells no case apart here
        raise argparse.ArgumentTypeError(f"must not be '{text}', which the exported graph uses itself")
    return text


def one_of(*names: str) -> Callable[[str], str]:
    """Return what takes one of `names` and nothing else."""

    def parse(text: str) -> str:
        if text not in names:
            raise _refused(text, f"one of {' '.join(names)}")
        return text

    return parse


def take(group: type[Options], values: argparse.Namespace) -> Options:
    """Return a group of options with what the words gave."""
    names = [field.name for field in dataclasses.fields(group)]  # type: ignore[arg-type]
    return group(**{name: getattr(values, name) for name in names})


class Parser(argparse.ArgumentParser):
    """argparse, with one-line errors and the nearest name for a mistyped flag."""

    def __init__(self, **settings: Any) -> None:
        # No abbreviations: a flag added later must not change what a user's script means.
        super().__init__(allow_abbrev=False, **settings)

    def add_flags(self, group: type[Any], *, positional: tuple[str, ...] = ()) -> None:
        """Add each field of the dataclass `group` as a flag, under its docstring as the title.

        The fields named in `positional` are words without a flag instead.
        """
        title = (group.__doc__ or "").splitlines()[0].rstrip(".")
        section = self.add_argument_group(title)
        for field in dataclasses.fields(group):
            settings = {"metavar": "N"} | field.metadata["argparse"]
            default = None if settings.get("action") == "extend" else field.default
            if field.name not in positional:
                settings["dest"] = field.name
            section.add_argument(
                field.name if field.name in positional else flag_name(field),
                type=field.metadata["parse"],
                default=default,
                help=field.metadata["help"] + _shown_default(field.default),
                **settings,
            )

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        """Return the values of the words, by default those of this process. Raises BadRequest."""
        values, unknown = self.parse_known_args(argv)
        if unknown:
            self._refuse(unknown[0])
        return values

    def error(self, message: str) -> NoReturn:
        """Raise BadRequest with argparse's message in this program's form."""
        message = re.sub(r"^argument (--\w+): ", r"\1 ", message)
        lacking = re.fullmatch(r"(--\w+) expected one argument", message)
        if lacking:
            message += f"; one that begins with '-' is given as {lacking[1]}=VALUE"
        raise BadRequest(f"{message}.")

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise BadRequest(f"'{word}' belongs to no flag. See --help for the flags.")
        flag = word.split("=")[0]
        known = [name for action in self._actions for name in action.option_strings]
        nearest = difflib.get_close_matches(flag.replace("-", "_").replace("__", "--", 1), known, n=1)
        remedy = f"Did you mean {nearest[0]}?" if nearest else "See --help for the flags."
        raise BadRequest(f"{flag} is no flag of this program. {remedy}")


def _shown_default(default: Any) -> str:
    return "" if default in (None, "", ()) else f" Default: {shown_value(default)}.".replace("%", "%%")


def shown_value(value: Any) -> str:
    """Return a flag's value as one types it."""
    return ",".join(value) if isinstance(value, tuple) else str(value)
