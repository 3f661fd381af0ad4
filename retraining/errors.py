"""One family of errors for users to fix. Any other exception is a bug and keeps its traceback.

A message says: subject, rule, value received, remedy, on one line if it fits.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any


class Message:
    """A sentence for a person: a template, and the values that go into it.

    A field of the template without a value is the name of a setting. In Python it is shown as it is
    (`image_size`), on the command line as the flag, so it is only filled in when the message is shown. A
    value may be a message itself, or an error.
    """

    def __init__(self, template: str, /, **values: object) -> None:
        self.template = template
        self.values = values

    def __str__(self) -> str:
        return self.text()

    def text(self, *, setting_name: Callable[[str], str] = str, show: Callable[[object], str] = str) -> str:
        """Return the sentence, with settings named by `setting_name` and values shown by `show`."""
        return _Formatter(setting_name, show).vformat(self.template, (), self.values)


def setting_named(name: str) -> Message:
    """Return the name of a setting, to be used as a value in a message."""
    return settings_named([name])


def settings_named(names: Iterable[str], *, separator: str = ", ") -> Message:
    """Return the names of several settings, to be used as one value in a message."""
    return Message(separator.join(f"{{{name}}}" for name in names))


class _Formatter(string.Formatter):
    """str.format, except that a field without a value names a setting."""

    def __init__(self, setting_name: Callable[[str], str], show: Callable[[object], str]) -> None:
        self._setting_name = setting_name
        self._show = show

    def get_value(self, key: int | str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if isinstance(key, str) and key not in kwargs:
            return Message("{name}", name=self._setting_name(key))
        return super().get_value(key, args, kwargs)

    def format_field(self, value: Any, format_spec: str) -> str:
        value = value.message if isinstance(value, UserError) else value
        if isinstance(value, Message):
            return value.text(setting_name=self._setting_name, show=self._show)
        return self._show(format(value, format_spec) if format_spec else value)


def in_one_line(error: Exception) -> str:
    """Return what an error that nobody expected says of itself, for a message about what it has spoilt."""
    return f"{type(error).__name__}: {error}".splitlines()[0]


class UserError(Exception):
    """Something the user can fix. `exit_status` is what a command returns when it is raised.

    `template` and `values` are those of a Message: braces in a value are only text.
    """

    exit_status = 1

    def __init__(self, template: str, /, **values: object) -> None:
        self.message = Message(template, **values)
        super().__init__(template, values)

    def __str__(self) -> str:
        return str(self.message)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuilt, (type(self), self.message.template, self.message.values)


def _rebuilt(kind: type[UserError], template: str, values: dict[str, object]) -> UserError:
    return kind(template, **values)


class BadRequest(UserError):
    """A setting, folder or handle that cannot be used as given, found before any work is done."""

    exit_status = 2


class WorkFailed(UserError):
    """Work that was started and could not be finished."""

    exit_status = 1


class BadModule(BadRequest):
    """A pretrained network that is missing, unreachable, damaged or of the wrong kind."""


class BadImage(WorkFailed):
    """A file or other source that is not a usable image. The message completes "it ...": "is empty"."""
