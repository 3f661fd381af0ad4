"""A pretrained network as it was found, of whatever kind: what an extractor is made of."""

from __future__ import annotations

import dataclasses

from retraining.arrays import ImageSize
from retraining.graphs.frozen_graph import FrozenGraph


@dataclasses.dataclass(frozen=True)
class Module:
    """A frozen graph from float32 [n, height, width, 3] in [0, 1] to features, or to a feature map.

    `recorded_size` is the image size that the module itself records, or None if it records none;
    `default_size` the one to take if nothing else says it. `fingerprint` (hex) changes with whatever
    could change what the graph computes.
    """

    name: str
    graph: FrozenGraph
    fingerprint: str
    recorded_size: ImageSize | None = None
    default_size: ImageSize | None = None
