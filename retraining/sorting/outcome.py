"""What became of an image that was to be sorted."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import NamedTuple


class Outcome(enum.Enum):
    """What became of an image."""

    MOVED = "moved"
    COPIED = "copied"
    ALREADY_THERE = "already there"
    UNSURE = "unsure"
    UNKNOWN = "unknown"


class Sorted(NamedTuple):
    """What became of an image, and where it or a file like it is now; None if it stayed where it was."""

    outcome: Outcome
    path: Path | None = None
