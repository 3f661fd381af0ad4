"""What was found out about where images go into a graph, and how users are told of it."""

from __future__ import annotations

import dataclasses
import logging

from retraining.arrays import ImageSize

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class ImageInput:
    """The op that takes images: float32 [n, height, width, 3], from pixel values p as (p - mean) / std.

    A pixel value is 0 to 255. `size` is None if the graph does not say it.
    """

    op: str
    mean: float
    std: float
    size: ImageSize | None = None


def report(images: ImageInput) -> None:
    """Log what was found, for users to check, unless it is what retrain.py's own graphs take."""
    if (images.mean, images.std) == (0, 255):
        return
    shown = f" ({images.size})" if images.size else ""
    log.info("Input of the graph: '%s'%s, mean %g, std %g.", images.op, shown, images.mean, images.std)
