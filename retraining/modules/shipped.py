"""The networks that ship with the program: where their files are, and which image sizes they take."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.arrays import ImageSize
from retraining.errors import BadRequest
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, op_of
from retraining.modules.module import Module
from retraining.settings.module import BUILTIN, BUILTIN_SMALL

_FOLDER = Path(__file__).parent / "builtin"

# Both networks halve the image five times: between multiples of 32, a larger image gives no larger maps.
_STRIDE = 32


@dataclasses.dataclass(frozen=True)
class ShippedNetwork:
    """A network's folder, the size of the images that it was trained on, and all sizes that it takes.

    Sizes are in pixels. They end where the vectors are no longer of use: smaller images leave too few
    positions to average over, and on larger ones things are larger than any that the network has seen.
    """

    folder: Path
    size: int
    smallest: int
    largest: int

    @property
    def sizes(self) -> range:
        """All sizes that the network takes."""
        return range(self.smallest, self.largest + 1, _STRIDE)

    def check(self, handle: str, image_size: int | None) -> None:
        """Raise BadRequest if `image_size`, the setting, is not a size that the network takes."""
        if image_size is not None and image_size not in self.sizes:
            raise BadRequest(
                "{image_size} must be one of {sizes} for module {handle}, received {received}. Without it, "
                "the size is {size}.",
                sizes=", ".join(map(str, self.sizes)),
                handle=handle,
                received=image_size,
                size=self.size,
            )

    def at_any_size(self, module: Module) -> Module:
        """Return the module with height and width of its input free: it only convolves, and averages."""
        return dataclasses.replace(
            module, graph=_with_free_size(module.graph), default_size=ImageSize(self.size, self.size)
        )


NETWORKS = {
    BUILTIN: ShippedNetwork(_FOLDER / "efficientnet_lite0", size=224, smallest=96, largest=320),
    BUILTIN_SMALL: ShippedNetwork(_FOLDER / "small_resnet_128", size=128, smallest=64, largest=224),
}


def _with_free_size(graph: FrozenGraph) -> FrozenGraph:
    graph_def = GraphDef.FromString(graph.graph_def.SerializeToString())
    for node in graph_def.node:
        if node.name == op_of(graph.input_name):
            for dimension in node.attr["shape"].shape.dim[1:3]:
                dimension.size = -1
    return graph.with_graph_def(graph_def)
