"""Steps of the pipeline, whose errors for users come back from workers as what they are."""

from __future__ import annotations

import abc
import base64
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam

from retraining.errors import BadModule, BadRequest, UserError, WorkFailed

_MARK = "retraining-error:"

# What errors come back as: themselves, or what they are besides. A worker has others, which belong to rooms.
_KINDS = {kind.__name__: kind for kind in (BadModule, BadRequest, WorkFailed)}


class StepFailed(Exception):
    """An error for users, raised in a worker: its text, and the error itself in letters and digits.

    Of an exception in a worker, runners tell the one that started them only the text, as it is or quoted.
    """

    def __init__(self, error: UserError) -> None:
        super().__init__(f"{error} ({_MARK}{_encoded(error)})")


class Step(beam.DoFn, abc.ABC):  # type: ignore[misc]
    """A step: each element gives any number of others."""

    def process(self, element: Any) -> Iterator[Any]:
        """Yield what `work` gives. Raises StepFailed."""
        try:
            yield from self.work(element)
        except UserError as error:
            raise StepFailed(error) from error

    @abc.abstractmethod
    def work(self, element: Any) -> Iterable[Any]:
        """Return the elements that one gives. Raises UserError."""


def error_in(text: str) -> UserError | None:
    """Return the error for users in what a runner says of a failure, or None."""
    found = re.search(f"{_MARK}([A-Za-z0-9_-]+=*)", text)
    if found is None:
        return None
    kind, template, values = json.loads(base64.urlsafe_b64decode(found[1]))
    return _KINDS[kind](template, **values)


def _encoded(error: UserError) -> str:
    values = {
        name: value if isinstance(value, int | float | str) else str(value)
        for name, value in error.message.values.items()
    }
    names = [kind.__name__ for kind in type(error).__mro__]
    kind = next((name for name in names if name in _KINDS), WorkFailed.__name__)
    fields = [kind, error.message.template, values]
    return base64.urlsafe_b64encode(json.dumps(fields).encode()).decode()
