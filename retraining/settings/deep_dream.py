"""Settings of deep_dream."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.network import NetworkSettings
from retraining.settings.output import OutputSettings
from retraining.settings.setting import Settings, setting

ALL_LAYERS = "all"


@dataclasses.dataclass(frozen=True)
class DreamSettings(Settings):
    """What the network dreams of, and how."""

    layers: str = setting(
        "",
        "Layers whose mean activation is raised, each in a picture of its own, separated by commas; "
        f"'{ALL_LAYERS}' for every convolution, deepest first. Default: one two thirds of the way in.",
        kinds.NAMES_IN_TEXT,
    )
    channel: int | None = setting(
        None, "Raise only this channel of the layers; the first is 0.", kinds.NON_NEGATIVE
    )
    class_label: str = setting(
        "", "Raise the logit of a class instead: what the network thinks a tulip is.", kinds.LABEL
    )
    labels: Path = setting(
        OutputSettings.output_labels, "Labels of {graph}, one per line, for {class_label}.", kinds.FILE
    )
    list_layers: bool = setting(
        False, "Print the name, operation and shape of every convolution, and exit.", kinds.SWITCH
    )
    image: Path | None = setting(None, "An image to start from. Default: grey with noise.", kinds.FILE)
    steps: int = setting(20, "Steps of gradient ascent in each octave.", kinds.COUNT)
    step_size: float = setting(
        2.5, "How much a step changes a pixel value (0 to 255), on average.", kinds.POSITIVE_NUMBER
    )
    octaves: int = setting(4, "Number of sizes that the picture grows through.", kinds.COUNT)
    octave_scale: float = setting(1.4, "How much larger each octave is than the one before.", kinds.SCALE)
    seed: int = setting(0, "Random seed: same seed, same picture.", kinds.NON_NEGATIVE)
    output_dir: Path = setting(Path("/tmp/deep_dream"), "Folder for the pictures.", kinds.FOLDER)

    def check(self) -> None:
        """Raise BadRequest if both a class and a layer are given, or a channel without a layer."""
        if self.class_label and (self.layers or self.channel is not None):
            raise BadRequest(
                "{class_label} raises a logit, {layers} and {channel} raise an activation. Give one or the "
                "other."
            )
        if self.channel is not None and self.layers in ("", ALL_LAYERS):
            raise BadRequest("{channel} needs a layer. Name it with {layers}.")


@dataclasses.dataclass(frozen=True)
class DeepDreamSettings:
    """All settings of deep_dream, by group."""

    network: NetworkSettings
    dream: DreamSettings

    def __post_init__(self) -> None:
        """Raise BadRequest if a class is given for a network whose classes are not known."""
        if self.dream.class_label and self.network.graph is None:
            raise BadRequest("{class_label} needs a {graph} with its {labels}, as retrain.py writes them.")
