"""What a setting is: a dataclass field with a default, a meaning and the kind of value that it takes."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from retraining.errors import BadRequest, setting_named
from retraining.settings.kinds import Kind

Group = TypeVar("Group", bound="Settings")

REQUIRED = dataclasses.MISSING  # in place of a default: the setting must be given

_SHOWN_CHARACTERS = 60  # a refused value is cut off after so many


def setting(default: Any, meaning: str, kind: Kind) -> Any:
    """Return a dataclass field for a setting with this default; `meaning` is its line of help.

    A default of None means "not given": the code that uses the setting decides what that means. The meaning
    names another setting as a Message does: `{image_size}`.
    """
    return dataclasses.field(default=default, metadata={"meaning": meaning, "kind": kind})


class Settings:
    """A group of settings: a frozen dataclass whose values are checked when it is created.

    Raises BadRequest for a value that breaks the rule of its kind, or for values that contradict each other.
    """

    def __post_init__(self) -> None:
        for field in fields(type(self)):
            value = getattr(self, field.name)
            if value is not field.default:
                object.__setattr__(self, field.name, _checked(field, value))
        self.check()

    def check(self) -> None:
        """Raise BadRequest if the values contradict each other."""


def fields(group: type[Settings]) -> list[dataclasses.Field[Any]]:
    """Return the settings of a group: first its own, then those that it shares with other groups."""
    return sorted(dataclasses.fields(group), key=lambda field: field.kw_only is True)  # type: ignore[arg-type]


def kind_of(field: dataclasses.Field[Any]) -> Kind:
    """Return the kind of value that a setting takes."""
    kind: Kind = field.metadata["kind"]
    return kind


def _checked(field: dataclasses.Field[Any], value: Any) -> Any:
    """Return a value, or the text of one, converted to the kind of its setting. Raises BadRequest."""
    try:
        return kind_of(field).convert(value)
    except ValueError as error:
        raise BadRequest(
            "{setting} {rule}, received {received}.",
            setting=setting_named(field.name),
            rule=error,
            received=_shown(value),
        ) from None


def _shown(value: object) -> str:
    if not isinstance(value, str):
        return repr(value)
    cut = value if len(value) <= _SHOWN_CHARACTERS else f"{value[:_SHOWN_CHARACTERS]}..."
    return f"'{cut}'"
