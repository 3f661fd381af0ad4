"""Images with one content, of which there may be millions: a page that says "no longer available", say.

A vector to be computed names only a few of them, the first, so that no element of the pipeline is large. The
others, its spares, go past that step, and are told afterwards if the content cannot be used.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator
from typing import Any

from retraining.distribution.elements import Copy, Failure, Wanted
from retraining.distribution.steps import Step

MOST = 8  # copies that a content is read from, one after the other, if files have changed since
SPARES, REASONS = "spares", "reasons"


class Copies:
    """The first MOST images that want one vector, in order."""

    def __init__(self) -> None:
        self.first: list[Wanted] = []

    def add(self, wanted: Wanted) -> Wanted | None:
        """Take one more. Return the one that is spare then, or None."""
        bisect.insort(self.first, wanted)
        return self.first.pop() if len(self.first) > MOST else None


class FailSpares(Step):
    """From a key, with spare copies and why its content cannot be used, if so, to the copies as failures."""

    def work(self, element: tuple[bytes, Iterable[Any]]) -> Iterator[Failure]:
        """Yield the spare copies that cannot be used."""
        _, values = element
        reason = min((value for value in values if isinstance(value, str)), default=None)
        if reason is None:
            return
        for value in values:  # again, and not as a list: there may be millions
            if not isinstance(value, str):
                yield Copy(*value).failure(reason)
