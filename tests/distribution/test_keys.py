"""Which vectors are to be computed: those that are wanted and not cached, each with a few of its images."""

from __future__ import annotations

from typing import Any

from apache_beam.pvalue import TaggedOutput

from retraining.distribution.copies import MOST, SPARES, FailSpares
from retraining.distribution.elements import Missing, Wanted
from retraining.distribution.keys import MissingVectors

ONE, OTHER = bytes([1]) * 32, bytes([2]) * 32


def wanted(key: bytes, line: int) -> tuple[Any, ...]:
    return tuple(Wanted(key, key, 16, "training", 0, line, f"{line}.jpg"))


def compared(group: list[Any]) -> tuple[list[Missing], list[Any]]:
    """Return what is missing in a group, and the spare copies."""
    found = list(MissingVectors(1).process((0, iter(group))))
    spares = [output.value for output in found if isinstance(output, TaggedOutput) and output.tag == SPARES]
    return [Missing._make(output[1]) for output in found if isinstance(output, tuple)], spares


def test_what_the_cache_has_is_not_missing_whichever_comes_first() -> None:
    for group in ([ONE, wanted(ONE, 1), wanted(OTHER, 2)], [wanted(ONE, 1), wanted(OTHER, 2), ONE]):
        (missing,), spares = compared(group)
        assert (missing.key, missing.copies, spares) == (OTHER, ((0, 2, "2.jpg"),), [])


def test_content_that_is_there_very_often_makes_no_large_element_and_loses_no_copy() -> None:
    count = 1000
    lines = [line * 7 % count for line in range(count)]  # in no order
    (missing,), spares = compared([wanted(ONE, line) for line in lines])
    assert missing.copies == tuple((0, line, f"{line}.jpg") for line in range(MOST))
    assert sorted(spares) == [(ONE, (0, line, f"{line}.jpg")) for line in range(MOST, count)]

    copies = [copy for _, copy in spares]
    failures = list(FailSpares().process((ONE, [*copies, "is empty", "is empty"])))
    assert sorted(failures) == [(0, (line, f"{line}.jpg", "is empty")) for line in range(MOST, count)]
    assert list(FailSpares().process((ONE, copies))) == []
