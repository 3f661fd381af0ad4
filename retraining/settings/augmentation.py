"""Settings of the random views ("distortions") of training images."""

from __future__ import annotations

import dataclasses

from retraining.settings import kinds
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class AugmentationSettings(Settings):
    """Random views of the training images."""

    flip_left_right: bool = setting(False, "Mirror half of the views.", kinds.SWITCH)
    random_crop: float = setting(
        0, "Percentage by which views are scaled up and then cropped.", kinds.PERCENTAGE
    )
    random_scale: float = setting(
        0, "Largest percentage by which views are further scaled up, at random.", kinds.PERCENTAGE
    )
    random_brightness: float = setting(
        0, "Largest percentage by which brightness is changed, at random.", kinds.PERCENTAGE
    )
    distorted_views: int = setting(
        8,
        "Number of views of each training image, drawn once, if any of the four flags above is on; 0 draws "
        "new ones at every step.",
        kinds.VIEW_COUNT,
    )

    def are_on(self) -> bool:
        """Return whether any views are drawn at all."""
        return self.flip_left_right or any((self.random_crop, self.random_scale, self.random_brightness))

    def are_fresh(self) -> bool:
        """Return whether new views are drawn at every step, and never stored."""
        return self.are_on() and self.distorted_views == 0

    def key(self) -> str:
        """Return all that a view depends on besides its image and its number: part of the cache's keys."""
        scales = (
            f"crop {self.random_crop:g} scale {self.random_scale:g} brightness {self.random_brightness:g}"
        )
        return f"flip {self.flip_left_right} {scales}"
