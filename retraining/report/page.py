"""The page of a report."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from retraining.report.subject import Subject


@dataclasses.dataclass(frozen=True)
class Written:
    """The page that was written."""

    path: Path
    size: int


def preload() -> None:
    """Import what the page needs."""


def write(subjects: Sequence[Subject], path: Path) -> Written:
    """Write the page."""
    path.write_text(subjects[0].title)
    return Written(path, 0)
