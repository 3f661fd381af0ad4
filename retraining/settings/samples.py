"""Settings of the programs that make folders of sample images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.setting import REQUIRED, Settings, setting


@dataclasses.dataclass(frozen=True)
class OxfordFlowersSettings(Settings):
    """All settings of oxford_flowers17."""

    source: Path = setting(
        REQUIRED, "Folder of image_0001.jpg to image_1360.jpg, as Oxford publishes it.", kinds.FOLDER
    )
    destination: Path = setting(REQUIRED, "Folder to make the 17 class folders in.", kinds.FOLDER)


@dataclasses.dataclass(frozen=True)
class SamplePhotosSettings(Settings):
    """All settings of sample_photos."""

    folder: Path = setting(REQUIRED, "Folder to draw into; class folders are made in it.", kinds.FOLDER)
    per_class: int = setting(60, "Number of photos of each kind of flower.", kinds.COUNT)
    seed: int = setting(0, "Random seed: same seed, same photos.", kinds.NON_NEGATIVE)
