"""What workers count: Beam adds it up over all of them, and counts work once that had to be tried again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from apache_beam.metrics.metric import Metrics, MetricsFilter
from apache_beam.runners.runner import PipelineResult

_NAMESPACE = "retraining"
_LARGEST = "largest_value"


@dataclasses.dataclass(frozen=True)
class Counts:
    """What a run has done; times are added up over the threads of all workers.

    `images` are those listed, `read` those whose files were opened, `failures` those that cannot be used, and
    `duplicates` vectors that were wanted for more than one of them. `undecided` is the number of 16-bit
    images that do not record how many bits they use, and `largest` the largest value in them.
    """

    images: int = 0
    read: int = 0
    bytes: int = 0
    failures: int = 0
    duplicates: int = 0
    cached: int = 0
    computed: int = 0
    reading_ms: int = 0
    decoding_ms: int = 0
    extracting_ms: int = 0
    undecided: int = 0
    largest: int = 0


def count(**counts: int) -> None:
    """Count more of what Counts has, by the names of its fields."""
    for name, increase in counts.items():
        if increase:
            Metrics.counter(_NAMESPACE, name).inc(increase)


def count_undecided(largest: int) -> None:
    """Count a 16-bit image that does not record how many bits it uses, with this largest value."""
    Metrics.distribution(_NAMESPACE, _LARGEST).update(largest)


def milliseconds(seconds: float) -> int:
    """Return a duration as it is counted."""
    return round(1000 * seconds)


def of(result: PipelineResult) -> Counts | None:
    """Return what a pipeline has counted, or None if its runner does not count."""
    try:
        found = result.metrics().query(MetricsFilter().with_namespace(_NAMESPACE))
    except NotImplementedError:
        return None
    counts = dict(_counters(found))
    for distribution in found["distributions"]:
        counts |= {"undecided": distribution.result.count, "largest": distribution.result.max}
    return Counts(**counts)


def _counters(found: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    for counter in found["counters"]:
        yield counter.key.metric.name, counter.result
