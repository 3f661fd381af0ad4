"""Settings of the network that feature maps and Deep Dream look into."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest, setting_named, settings_named
from retraining.settings import architectures, kinds
from retraining.settings.module import ModuleSettings, ReadingSettings
from retraining.settings.setting import setting


@dataclasses.dataclass(frozen=True)
class NetworkSettings(ReadingSettings):
    """The network to look into: give exactly one of graph, tfhub_module and network."""

    graph: Path | None = setting(
        None, "A frozen graph (.pb) or a SavedModel: what retrain.py writes, or any other.", kinds.PATH
    )
    tfhub_module: str = setting(
        "", "A module: anything that retrain.py's {tfhub_module} takes.", kinds.HANDLE
    )
    network: str = setting("", f"A network by name: {', '.join(architectures.NAMES)}.", kinds.NAME)
    weights: Path | None = setting(
        None, "Weights of {network}, as compare writes them. Default: random weights.", kinds.OPTIONAL_FILE
    )

    significant_bits: int | None = setting(
        None,
        "How many bits of a 16-bit image are used if it does not record it, from 8 to 16. Default: read from "
        "{graph}.",
        kinds.BIT_COUNT,
    )

    def check(self) -> None:
        """Raise BadRequest unless exactly one network is named, with settings that apply to it."""
        given = [name for name in ("graph", "tfhub_module", "network") if getattr(self, name)]
        if len(given) != 1:
            raise BadRequest(
                "name the network with one of {graph}, {tfhub_module} and {network}, received {received}. "
                "Give one, such as {tfhub_module} builtin.",
                received=settings_named(given, separator=" and ") if given else "none",
            )
        if self.network:
            self._check_network()
        elif self.weights is not None:
            raise BadRequest("{weights} needs {network}. Name the network, or leave the weights out.")

    def _check_network(self) -> None:
        architectures.image_size_of(self.network, self.image_size)
        for name in self.of_frozen_graphs():
            raise BadRequest(
                "{setting} is for a frozen graph (.pb). Leave it out with {network}.",
                setting=setting_named(name),
            )
        if self.weights is not None and self.image_size is not None:
            raise BadRequest("{image_size} is recorded in the file of {weights}. Leave it out.")

    def module(self) -> ModuleSettings:
        """Return the same network as settings of a module, which retrain.py takes."""
        shared = {field.name: getattr(self, field.name) for field in dataclasses.fields(ReadingSettings)}
        return ModuleSettings(tfhub_module=str(self.graph or self.tfhub_module), **shared)
