"""The command line as settings: flags and positional arguments, made from the groups of settings."""

from __future__ import annotations

import argparse
import dataclasses
import re
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, NoReturn, TypeVar

from retraining.errors import BadRequest, Message
from retraining.settings.setting import REQUIRED, Settings, fields, kind_of
from retraining.suggestions import closest, did_you_mean

AnySettings = TypeVar("AnySettings")

# Flags with another name than the setting: `class` is a Python keyword.
_FLAG_NAMES = {"class_label": "--class"}


@dataclasses.dataclass(frozen=True)
class Listing:
    """A flag that prints a table and ends the program."""

    meaning: str
    table: Callable[[], str]


@dataclasses.dataclass(frozen=True)
class Program(Generic[AnySettings]):
    """A program's command line.

    `example` is one without the words that start the program.

    `settings` is a group of settings, or a dataclass whose fields are groups. `positional` are the settings
    that are given without a flag, each with its name in the help. `check` raises BadRequest if something on
    disk that the settings name cannot be used; it is called before the program begins. A filter is there for
    what it prints: it ends early if nobody reads that any more. `passes_on` is the setting that takes the
    words that are no flag of the program, in a tuple, if it has one; `check_passed_on` refuses those that
    nobody knows.
    """

    name: str
    description: str
    settings: type[AnySettings]
    example: str = ""
    check: Callable[[AnySettings], None] = lambda _: None
    positional: Mapping[str, str] = dataclasses.field(default_factory=dict)
    listings: Mapping[str, Listing] = dataclasses.field(default_factory=dict)
    is_filter: bool = False
    passes_on: str = ""
    check_passed_on: Callable[[Sequence[str]], None] = lambda _: None

    def groups(self) -> dict[str, type[Settings]]:
        """Return the groups of settings by their names in `settings`; '' if it is itself a group."""
        if issubclass(self.settings, Settings):
            return {"": self.settings}
        return typing.get_type_hints(self.settings)

    def flag_name(self, setting: str) -> str:
        """Return what a setting is called on the command line."""
        return self.positional.get(setting) or flag_name(setting)

    def flags(self) -> list[str]:
        """Return all flags, with their dashes."""
        settings = [field.name for group in self.groups().values() for field in fields(group)]
        named = [name for name in settings if name not in self.positional and name != self.passes_on]
        return ["-h", "--help", *map(flag_name, [*self.listings, *named])]


def flag_name(setting: str) -> str:
    """Return the flag, with its dashes, of a setting."""
    return _FLAG_NAMES.get(setting, f"--{setting}")


def parse(program: Program[AnySettings], argv: Sequence[str] | None) -> AnySettings:
    """Return the settings given by the arguments `argv` (default: this process's arguments).

    Raises BadRequest. What the settings name on disk is checked by `program.check`.
    """
    given = _given_values(program, argv)
    groups = {
        name: group(**{field.name: given[field.name] for field in fields(group) if field.name in given})
        for name, group in program.groups().items()
    }
    settings: Any = groups[""] if "" in groups else program.settings(**groups)
    return typing.cast(AnySettings, settings)


def meaning_of(field: dataclasses.Field[Any]) -> str:
    """Return a setting's line of help, with other settings in it named as flags."""
    return Message(field.metadata["meaning"]).text(setting_name=flag_name)


def shown_default(field: dataclasses.Field[Any]) -> str:
    """Return a setting's default as a user would type it, or '' if it has none."""
    default = field.default
    if default is REQUIRED or default in (None, "", ()):
        return ""
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _given_values(program: Program[Any], argv: Sequence[str] | None) -> dict[str, Any]:
    """Return the text of every setting that was given, by its name."""
    parser = _Parser(program)
    for name, listing in program.listings.items():
        parser.add_argument(flag_name(name), action="store_true", help=listing.meaning)
    for group in program.groups().values():
        _add_flags(parser, group, program)
    given = parser.parse(argv)
    for name, listing in program.listings.items():
        if given.pop(name):
            print(listing.table())
            parser.exit()
    return given


def _add_flags(parser: argparse.ArgumentParser, group: type[Settings], program: Program[Any]) -> None:
    """Add each setting of a group as a flag, under the group's docstring as the title."""
    section = parser.add_argument_group((group.__doc__ or "").splitlines()[0].rstrip("."))
    for field in fields(group):
        if field.name == program.passes_on:
            continue
        default = shown_default(field)
        meaning = f"{meaning_of(field)} Default: {default}." if default else meaning_of(field)
        meaning = meaning.replace("%", "%%")
        # SUPPRESS: a setting that was not given is left out, since the settings know their own defaults.
        about: dict[str, Any] = {"help": meaning, "default": argparse.SUPPRESS}
        if field.name in program.positional:
            metavar = program.positional[field.name]
            section.add_argument(field.name, metavar=metavar, nargs=_positional_count(field), **about)
        else:
            section.add_argument(flag_name(field.name), dest=field.name, **about, **_arity(field))


def _positional_count(field: dataclasses.Field[Any]) -> str | None:
    """Return argparse's `nargs` for a setting without a flag."""
    is_required = field.default is REQUIRED
    if kind_of(field).is_list:
        return "+" if is_required else "*"
    return None if is_required else "?"


def _arity(field: dataclasses.Field[Any]) -> dict[str, Any]:
    """Return argparse's options for the values that follow a flag."""
    kind = kind_of(field)
    if kind.is_switch:
        return {"metavar": kind.placeholder, "nargs": "?", "const": True}
    if kind.is_list:
        return {"metavar": kind.placeholder, "nargs": "+", "action": "extend"}
    return {"metavar": kind.placeholder}


class _Parser(argparse.ArgumentParser):
    """argparse, with one-line errors and the nearest name for a mistyped flag."""

    def __init__(self, program: Program[Any]) -> None:
        # No abbreviations: a flag added later must not change what a user's script means.
        super().__init__(prog=program.name, description=program.description, allow_abbrev=False)
        self._program = program

    def format_help(self) -> str:
        """Return the help, which ends with an example."""
        from retraining.cli import commands  # which only the help needs

        if self._program.example:
            start = commands.this_start()
            called = commands.shell_line(commands.program(self._program.name, start), start.os_name)
            self.epilog = f"Example: {called} {self._program.example}"
        return super().format_help()

    def parse(self, argv: Sequence[str] | None) -> dict[str, Any]:
        """Return the values that were given, by the name of their setting. Raises BadRequest."""
        # Intermixed: positional arguments may also come after flags, where argparse would overlook them.
        values, unknown = self.parse_known_intermixed_args(argv)
        if unknown and not self._program.passes_on:
            refuse_unknown(unknown[0], self._program.flags())
        if unknown:  # before a setting is missed whose flag is mistyped
            self._program.check_passed_on(unknown)
        given = vars(values)
        return {**given, self._program.passes_on: tuple(unknown)} if unknown else given

    def error(self, message: str) -> NoReturn:
        """Raise BadRequest with argparse's message, reworded."""
        message = re.sub(r"^argument (--\w+|[A-Z]+): ", r"\1 ", message)
        lacking = re.fullmatch(r"(--\w+) expected one argument", message)
        if lacking:
            message = f"{lacking[1]} needs a value; give one that begins with '-' as {lacking[1]}=VALUE"
        raise BadRequest("{message}.", message=message)


def refuse_unknown(word: str, known: Sequence[str]) -> NoReturn:
    """Raise BadRequest for a word that is neither one of the flags in `known` nor the value of one."""
    if not word.startswith("-"):
        raise BadRequest("'{word}' does not belong to any flag. See --help for the flags.", word=word)
    flag = word.split("=")[0]
    meant = closest(flag.replace("-", "_").replace("__", "--", 1), known)
    remedy = did_you_mean([meant]) if meant else "See --help for the flags."
    raise BadRequest("unknown flag {flag}. {remedy}", flag=flag, remedy=remedy)
