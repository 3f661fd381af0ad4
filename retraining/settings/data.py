"""Settings of the images and of their split."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class DataSettings(Settings):
    """The images, and how they are split into sets."""

    image_dir: Path = setting(None, "Folder with one sub-folder of images per class.", kinds.FOLDER)
    testing_percentage: float = setting(
        10, "Percentage of images held out for the final test.", kinds.PERCENTAGE
    )
    validation_percentage: float = setting(
        10, "Percentage of images held out for validation during training.", kinds.PERCENTAGE
    )
    strict: bool = setting(False, "Stop if any file cannot be used, after listing them all.", kinds.SWITCH)
    group_near_duplicates: bool = setting(
        False,
        "Keep images that show nearly the same (resized, re-encoded, cropped, mirrored or brightened copies, "
        "bursts) in one set, so that the test accuracy is honest.",
        kinds.SWITCH,
    )

    def check(self) -> None:
        """Raise BadRequest if there is no folder, or no image would be left for training."""
        if self.image_dir is None:
            raise BadRequest("{image_dir} is required: the folder with one sub-folder of images per class.")
        if self.held_out_percentage >= 100:
            raise BadRequest(
                "{testing_percentage} and {validation_percentage} must leave some images for training, "
                "received {testing:g} + {validation:g} = {held_out:g}. Lower one of them.",
                testing=self.testing_percentage,
                validation=self.validation_percentage,
                held_out=self.held_out_percentage,
            )

    @property
    def held_out_percentage(self) -> float:
        """The percentage of images that are not used for training."""
        return self.testing_percentage + self.validation_percentage
