"""Settings of relabel."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.setting import REQUIRED, Settings, setting


@dataclasses.dataclass(frozen=True)
class RelabelSettings(Settings):
    """All settings of relabel."""

    csv: Path = setting(
        REQUIRED,
        "The list of suspected labels, in which you have marked what is to be moved; or the list with which "
        "an earlier call can be undone.",
        kinds.FILE,
    )
    apply: bool = setting(
        False,
        "Move the photos, or write the corrected copy of their list. Default: only say what would be done.",
        kinds.SWITCH,
    )
