"""Settings of feature_maps."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.network import NetworkSettings
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class MapsSettings(Settings):
    """Which feature maps to show, and where to write them."""

    image: Path | None = setting(None, "The image to show the network.", kinds.FILE)
    layers: str = setting(
        "",
        "Layers to show, separated by commas. Default: the first convolution, one at each new size of the "
        "maps, and the last.",
        kinds.NAMES_IN_TEXT,
    )
    list_layers: bool = setting(
        False, "Print the name, operation and shape of every convolution, and exit.", kinds.SWITCH
    )
    output_dir: Path = setting(Path("/tmp/feature_maps"), "Folder for the pictures.", kinds.FOLDER)

    def check(self) -> None:
        """Raise BadRequest if there is no image to show the network."""
        if self.image is None and not self.list_layers:
            raise BadRequest("{image} is required: the image to show the network.")


@dataclasses.dataclass(frozen=True)
class FeatureMapsSettings:
    """All settings of feature_maps, by group."""

    network: NetworkSettings
    maps: MapsSettings
