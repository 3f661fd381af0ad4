"""Settings of the export of a graph that an earlier run wrote."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.data import DataSettings
from retraining.settings.export import check_formats, onnxruntime_web_folder
from retraining.settings.formats import FORMATS, Format
from retraining.settings.label_image import GraphSettings
from retraining.settings.setting import Settings, setting
from retraining.settings.training import TrainingSettings


@dataclasses.dataclass(frozen=True)
class ConversionSettings(Settings):
    """The formats, and the images to try them on."""

    formats: tuple[str, ...] = setting(
        (), f"Formats to export to: {', '.join(FORMATS)}.", dataclasses.replace(kinds.NAMES, is_list=True)
    )
    image_dir: Path | None = setting(
        None,
        "The folder of images that the graph was trained on, one sub-folder per class. Its test images tell "
        "how accurate each file is; tflite-int8 needs its training images. Default: images made up.",
        kinds.OPTIONAL_FOLDER,
    )
    image_list: Path | None = setting(
        None, "In place of a folder: the list of images that the graph was trained on.", kinds.OPTIONAL_FILE
    )
    seed: int = setting(
        TrainingSettings.seed, "Random seed: draws the images for tflite-int8.", kinds.NON_NEGATIVE
    )

    onnxruntime_web: Path | None = onnxruntime_web_folder()

    def check(self) -> None:
        """Raise BadRequest unless there is a format to export to, and images if it needs them."""
        if not self.formats:
            raise BadRequest("{formats} is required: one or more of {known}.", known=", ".join(FORMATS))
        check_formats("formats", self.formats)
        data = self.data
        for format in self.chosen:
            if format.needs_images and data is None:
                raise BadRequest(
                    "{formats} {format} needs {image_dir} or {image_list}, the images that the graph was "
                    "trained on: they show how large the numbers in the network get.",
                    format=format.name,
                )

    @property
    def data(self) -> DataSettings | None:
        """The images, if any are given. Raises BadRequest if they are given twice."""
        if self.image_dir is None and self.image_list is None:
            return None
        return DataSettings(self.image_dir, self.image_list)

    @property
    def chosen(self) -> tuple[Format, ...]:
        """The formats to export to."""
        return tuple(FORMATS[name] for name in self.formats)


@dataclasses.dataclass(frozen=True)
class ExportGraphSettings:
    """All settings of the export of a graph, by group."""

    conversion: ConversionSettings
    graph: GraphSettings
