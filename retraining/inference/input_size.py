"""The size of the images that a classifier takes: of its file, or of the settings."""

from __future__ import annotations

from retraining.arrays import ImageSize
from retraining.errors import BadRequest, setting_named
from retraining.settings.label_image import GraphSettings


def find(height: int | None, width: int | None, settings: GraphSettings) -> ImageSize:
    """Return the size that is recorded in a classifier, or that of the settings where it takes any.

    Raises BadRequest if the two contradict each other, or if there is neither.
    """
    return ImageSize(
        _dimension(height, settings.input_height, "input_height"),
        _dimension(width, settings.input_width, "input_width"),
    )


def _dimension(recorded: int | None, given: int | None, setting: str) -> int:
    named = setting_named(setting)
    if recorded is None and given is None:
        raise BadRequest("the graph takes images of any size: set {setting}.", setting=named)
    if None not in (recorded, given) and recorded != given:
        raise BadRequest(
            "{setting} {given} contradicts the graph, which takes {recorded}. Leave it out.",
            setting=named,
            given=given,
            recorded=recorded,
        )
    return recorded or given or 0
