"""Settings of label_image.py."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.module import AUTO, TENSORFLOW
from retraining.settings.output import OutputSettings
from retraining.settings.setting import Settings, setting

TEXT, JSON, CSV = OUTPUTS = ("text", "json", "csv")

STANDARD_INPUT = Path("-")  # in place of an image


@dataclasses.dataclass(frozen=True, kw_only=True)
class GraphSettings(Settings):
    """How an exported graph is used."""

    graph: Path = setting(
        OutputSettings.output_graph,
        "The classifier: a frozen graph, or any other format that retrain.py exports.",
        kinds.PATH,
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
    engine: str = setting(
        AUTO,
        "What runs a frozen graph: auto, which is TensorFlow the first time and LiteRT from then on if both "
        "agree, or tensorflow.",
        kinds.one_of(AUTO, TENSORFLOW),
    )
    cache_dir: Path | None = setting(
        None,
        "Folder for graphs converted for LiteRT, which nobody else may write to. Default: image-retrainer in "
        "your folder of caches, $XDG_CACHE_HOME or ~/.cache.",
        kinds.OPTIONAL_FOLDER,
    )

    @property
    def is_novelty_wanted(self) -> bool:
        """Whether it is also to be said how unlike any class images are."""
        return False


@dataclasses.dataclass(frozen=True, kw_only=True)
class AnswerSettings(GraphSettings):
    """How an exported graph is used to label images."""

    unknown: bool = setting(
        False,
        "Also say how unlike any class an image is, and that it is unknown if it is more so than 95 % of the "
        "images of the classes are.",
        kinds.SWITCH,
    )

    @property
    def is_novelty_wanted(self) -> bool:
        """Whether it is also to be said how unlike any class images are."""
        return self.unknown


@dataclasses.dataclass(frozen=True)
class LabelImageSettings(AnswerSettings):
    """All settings of label_image.py."""

    image: tuple[Path, ...] = setting(
        (), "Images and folders of images, or - for one from standard input; may be repeated.", kinds.PATHS
    )
    watch: Path | None = setting(
        None,
        "Folder in which new images are labelled as they appear, until Ctrl-C. Those that are there already "
        "are not, unless {image} names the folder too.",
        kinds.OPTIONAL_FOLDER,
    )
    num_top_predictions: int = setting(5, "Number of labels to print, best first.", kinds.COUNT)
    min_score: float | None = setting(
        None, "Lowest score of a label to print, or to sort an image by.", kinds.FINITE_NUMBER
    )
    output: str = setting(
        TEXT,
        "How answers are printed: text, json, an object on a line for each image, or csv.",
        kinds.one_of(*OUTPUTS),
    )
    move_to: Path | None = setting(
        None,
        "Folder into which images are moved, each into the sub-folder of its class.",
        kinds.OPTIONAL_FOLDER,
    )
    copy_to: Path | None = setting(None, "The same, but images are copied.", kinds.OPTIONAL_FOLDER)
    dry_run: bool = setting(
        False, "With {move_to} or {copy_to}: only say where images would go.", kinds.SWITCH
    )

    def check(self) -> None:
        """Raise BadRequest if there is nothing to label, or if it is unclear where images are to go."""
        if not self.image and self.watch is None:
            raise BadRequest("{image} is required: the images to label.")
        if self.move_to is not None and self.copy_to is not None:
            raise BadRequest("{move_to} and {copy_to} cannot be used together. Give one of them.")
        if self.sort_into is None and self.dry_run:
            raise BadRequest("{dry_run} needs {move_to} or {copy_to}, for what it is to try.")
        if self.sort_into is not None and STANDARD_INPUT in self.image:
            raise BadRequest(
                "an image from standard input has no name to be sorted under. Leave out {image} -, or "
                "{move_to} and {copy_to}."
            )

    @property
    def sort_into(self) -> Path | None:
        """The folder into which images are moved or copied, or None if they are only labelled."""
        return self.copy_to if self.move_to is None else self.move_to
