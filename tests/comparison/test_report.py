"""The report of a comparison: the winner comes first, and must be there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from retraining.comparison.comparison import Comparison
from retraining.errors import WorkFailed
from retraining.report.subject import Run, Subject


def reported(*titles: str) -> list[Subject]:
    findings: Any = None
    subjects = tuple(Subject(title, findings, Run(curve_unit="epoch")) for title in titles)
    comparison: Any = SimpleNamespace(subjects=subjects, winner=SimpleNamespace(title="b"))
    return Comparison.report_on(comparison, Run(command="compare"))


def test_winner_comes_first_with_the_command_of_the_comparison() -> None:
    first, *others = reported("a", "b", "c")
    assert first == Subject("b", first.findings, Run(command="compare", curve_unit="epoch"))
    assert [subject.title for subject in others] == ["a", "c"]


def test_without_the_winner_there_is_no_report() -> None:
    with pytest.raises(WorkFailed) as raised:
        reported("a")
    assert str(raised.value) == (
        "the report could not be made: nothing was found out about the best model, see above. The classifier "
        "itself is complete. Please report this."
    )
