"""Settings of the images and of their split."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.setting import Settings, setting

DEFAULT_PERCENTAGE = 10  # of the images, for each set that is held out


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The percentages of the images that are held out, for the final test and for validation."""

    testing: float
    validation: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSettings(Settings):
    """How images are split into sets, and read."""

    testing_percentage: float | None = setting(
        None,
        "Percentage of images held out for the final test. "
        f"Default: {DEFAULT_PERCENTAGE}, or the images' own test set.",
        kinds.PERCENTAGE,
    )
    validation_percentage: float | None = setting(
        None,
        "Percentage of images held out for validation during training. "
        f"Default: {DEFAULT_PERCENTAGE}, or the images' own validation set.",
        kinds.PERCENTAGE,
    )
    strict: bool = setting(False, "Stop if any file cannot be used, after listing them all.", kinds.SWITCH)
    significant_bits: int | None = setting(
        None,
        "How many bits are used in 16-bit images that do not record it, from 8 to 16. Default: enough for "
        "the largest value in all of them.",
        kinds.BIT_COUNT,
    )

    def check(self) -> None:
        """Raise BadRequest if no image would be left for training."""
        held_out = self.held_out
        if held_out.testing + held_out.validation >= 100:
            raise BadRequest(
                "{testing_percentage} and {validation_percentage} must leave some images for training, "
                "received {testing:g} + {validation:g} = {held_out:g}. Lower one of them.",
                testing=held_out.testing,
                validation=held_out.validation,
                held_out=held_out.testing + held_out.validation,
            )

    @property
    def held_out(self) -> HeldOut:
        """The percentages as given, or their default: what is cut off from images that no folder splits."""
        return HeldOut(_or_default(self.testing_percentage), _or_default(self.validation_percentage))


@dataclasses.dataclass(frozen=True)
class DataSettings(SplitSettings):
    """The images, and how they are split into sets."""

    image_dir: Path | None = setting(
        None,
        "Folder with one sub-folder of images per class, or with the folders train, val and test of such "
        "sub-folders.",
        kinds.FOLDER,
    )
    image_list: Path | None = setting(
        None,
        "List of images instead: CSV or JSON lines with path and label of each, and perhaps its set.",
        kinds.FILE,
    )
    group_near_duplicates: bool = setting(
        False,
        "Keep images that show nearly the same (resized, re-encoded, cropped, mirrored or brightened copies, "
        "bursts) in one set, so that the test accuracy is honest.",
        kinds.SWITCH,
    )

    def check(self) -> None:
        """Raise BadRequest unless there is either a folder or a list, and images are left for training."""
        check_source(self.image_dir, self.image_list)
        super().check()

    @property
    def source(self) -> Path:
        """The folder or the list."""
        source = self.image_list or self.image_dir
        assert source is not None, "checked when the settings were made"
        return source


def check_source(image_dir: object, image_list: object) -> None:
    """Raise BadRequest unless the images are either those of a folder or those of a list."""
    if not image_dir and not image_list:
        raise BadRequest(
            "{image_dir} is required: the folder with one sub-folder of images per class. Or give a list "
            "of images as {image_list}."
        )
    if image_dir and image_list:
        raise BadRequest(
            "{image_dir} and {image_list} both name the images, received '{folder}' and '{list}'. Keep one "
            "of them.",
            folder=image_dir,
            list=image_list,
        )


def _or_default(percentage: float | None) -> float:
    return DEFAULT_PERCENTAGE if percentage is None else percentage
