"""The type of a loaded module, whatever kind of file it came from: an extractor is built from it."""

from __future__ import annotations

import dataclasses

from retraining.arrays import ImageSize
from retraining.graphs.frozen_graph import FrozenGraph


@dataclasses.dataclass(frozen=True)
class Module:
    """A pretrained network as a frozen graph: images in, feature vectors or feature maps out.

    The graph takes float32 [n, height, width, 3] in [0, 1]. `fingerprint` (hex) changes with anything that
    could change what it computes. `recorded_size` is the image size that the module itself records, or None;
    `default_size` is the size to use if nothing else says which, or None.
    """

    name: str
    graph: FrozenGraph
    fingerprint: str
    recorded_size: ImageSize | None = None
    default_size: ImageSize | None = None
