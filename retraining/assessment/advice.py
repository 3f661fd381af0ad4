"""What to do next: pieces of advice, each from a figure of the run."""

from __future__ import annotations

import dataclasses

from retraining.assessment.findings import Findings


@dataclasses.dataclass(frozen=True)
class Advice:
    """What to do, in a few words, and why, in a sentence or two."""

    title: str
    text: str


def advice(findings: Findings) -> tuple[Advice, ...]:
    """Return at most five pieces of advice, the most useful first."""
    del findings
    return ()
