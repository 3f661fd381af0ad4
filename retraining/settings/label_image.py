"""Settings of label_image.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.output import OutputSettings
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphSettings(Settings):
    """How an exported graph is used."""

    graph: Path = setting(
        OutputSettings.output_graph, "A frozen graph or a SavedModel, as retrain.py writes it.", kinds.PATH
    )
    labels: Path | None = setting(
        None,
        "Its labels, one per line, in order. Default: those in the graph, or else "
        f"{OutputSettings.output_labels}.",
        kinds.OPTIONAL_FILE,
    )
    input_layer: str | None = setting(None, "Name of the input op. Default: found in the graph.", kinds.NAME)
    output_layer: str | None = setting(
        None, "Name of the op that gives the scores. Default: found in the graph.", kinds.NAME
    )
    input_height: int | None = setting(
        None, "Height of the input in pixels. Default: read from the graph.", kinds.COUNT
    )
    input_width: int | None = setting(
        None, "Width of the input in pixels. Default: read from the graph.", kinds.COUNT
    )
    input_mean: float | None = setting(
        None,
        "Mean subtracted from each pixel value (0 to 255). Default: read from the graph, or else 0.",
        kinds.FINITE_NUMBER,
    )
    input_std: float | None = setting(
        None,
        "What each pixel value is then divided by. Default: read from the graph, or else 255.",
        kinds.POSITIVE_NUMBER,
    )
    significant_bits: int | None = setting(
        None,
        "How many bits are used in 16-bit images that do not record it, from 8 to 16. Default: read from the "
        "graph.",
        kinds.BIT_COUNT,
    )


@dataclasses.dataclass(frozen=True)
class LabelImageSettings(GraphSettings):
    """All settings of label_image.py."""

    image: tuple[Path, ...] = setting((), "Images and folders of images; may be repeated.", kinds.PATHS)
    num_top_predictions: int = setting(5, "Number of labels to print, best first.", kinds.COUNT)

    def check(self) -> None:
        """Raise BadRequest if there is nothing to label."""
        if not self.image:
            raise BadRequest("{image} is required: the images to label.")
