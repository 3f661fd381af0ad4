"""Settings of the formats in which a classifier is exported."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class ExportSettings(Settings):
    """What single formats need."""

    onnxruntime_web: Path | None = setting(
        None,
        "Folder of the npm package onnxruntime-web 1.30.0, for pages for browsers. Default: npm fetches it "
        "once.",
        kinds.OPTIONAL_FOLDER,
    )
