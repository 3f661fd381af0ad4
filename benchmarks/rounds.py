"""One figure measured in several rounds: what other programs on the machine took shows in the spread."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Iterable


@dataclasses.dataclass(frozen=True)
class Rounds:
    """The values of one figure, one a round. What is noise only ever makes things slower."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Rounds:
        """Return the rounds with these values."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def highest(self) -> float:
        """The best round of a rate."""
        return max(self.values)

    @property
    def lowest(self) -> float:
        """The best round of a duration."""
        return min(self.values)


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many per second `work`, which does `count` of something, comes to."""
    start = time.perf_counter()
    work()
    return count / (time.perf_counter() - start)
