"""A network to look into, from a frozen graph, a module or a name: its graph and its layers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.arrays import ImageSize, Pixels
from retraining.data import images, sample_depth
from retraining.errors import BadRequest, Message
from retraining.features import extractor
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import (
    FrozenGraph,
    GraphDef,
    imported,
    likely_outputs,
    op_of,
    tensor_of,
)
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import classifier_source, graph_module, image_input, local_files
from retraining.networks import construction
from retraining.settings.module import ModuleSettings
from retraining.settings.network import NetworkSettings
from retraining.suggestions import did_you_mean, nearest

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")

# What frameworks call the op inside a layer, after the layer's own name.
_OP_PARTS = ("conv2d", "convolution", "conv", "depthwise", "separable_conv2d")

Maps = NDArray[np.float32]
"""What a tensor holds for one image, usually [height, width, channels]."""


@dataclasses.dataclass(frozen=True)
class Layer:
    """An op that computes maps, float32 [n, height, width, channels], and the tensor that holds them.

    For a convolution, `tensor_name` is the tensor after its biases were added, and `name` is short: without
    the scopes that all convolutions share, and without a last part that only gives the type of the op.
    """

    name: str
    op_name: str
    tensor_name: str
    operation: str
    height: int
    width: int
    channels: int

    @property
    def shape(self) -> str:
        """Height, width and number of channels, such as 30x30x6."""
        return f"{self.height}x{self.width}x{self.channels}"


@dataclasses.dataclass(frozen=True)
class InspectedNetwork:
    """A graph that takes float32 [n, height, width, 3] in [0, 1], and its layers in the graph's order.

    `others` are the ops besides convolutions that compute maps. `significant_bits` is how many bits are used
    in 16-bit images that do not record it; None if that is not known.
    """

    name: str
    graph: FrozenGraph
    image_size: ImageSize
    convolutions: tuple[Layer, ...]
    others: tuple[Layer, ...]
    significant_bits: int | None = None

    def open_image(self, path: Path) -> Image.Image:
        """Return the image that the setting `image` names, read as in training. Raises BadRequest."""
        image = images.open_upright(path, self.significant_bits)
        if self.significant_bits is None:
            depth = images.depth(images.read(path))
            if depth.recorded is None:
                sample_depth.warn_of_undecided([depth.largest])
        return image

    def main_path(self) -> list[Layer]:
        """Return the convolutions that the network's result depends on; auxiliary heads have others."""
        output = op_of(self.graph.output_name)
        needed = tf.compat.v1.graph_util.extract_sub_graph(self.graph.graph_def, [output])
        names = {node.name for node in needed.node}
        return [layer for layer in self.convolutions if layer.op_name in names]

    def layers_named(self, names: Iterable[str]) -> list[Layer]:
        """Return the layers with these names, which may be short names or names of ops.

        Raises BadRequest, with the nearest names, for an unknown one.
        """
        known = {layer.op_name: layer for layer in (*self.others, *self.convolutions)}
        known |= {layer.name: layer for layer in self.convolutions}
        for name in names:
            if name not in known:
                raise self._unknown_layer(name)
        return [known[name] for name in names]

    def _unknown_layer(self, name: str) -> BadRequest:
        near = nearest(name, [layer.name for layer in (*self.convolutions, *self.others)])
        return BadRequest(
            "{layers} '{name}' is not a layer of {network} with feature maps. {remedy}",
            name=name,
            network=self.name,
            remedy=did_you_mean(near)
            if near
            else Message("{list_layers} prints the names of all convolutions."),
        )

    def list_layers(self) -> str:
        """Return a line with name, operation and shape for each convolution, and one with their number."""
        name_width = max(len(layer.name) for layer in self.convolutions)
        operation_width = max(len(layer.operation) for layer in self.convolutions)
        lines = [
            f"{layer.name:{name_width}}  {layer.operation:{operation_width}}  {layer.shape}"
            for layer in self.convolutions
        ]
        return "\n".join([*lines, f"{len(lines)} convolutions"])

    def values(self, tensor_names: Sequence[str], pixels: Pixels) -> list[Maps]:
        """Return what each tensor holds for one image: float32 [height, width, 3] in [0, 1]."""
        with tf.compat.v1.Session(graph=imported(self.graph.graph_def)) as session:
            values = session.run(list(tensor_names), {self.graph.input_name: pixels[np.newaxis]})
        return [value[0] for value in values]

    def normalised_input(self) -> str:
        """Return the name of the first convolution's input tensor: the image as the network scales it."""
        first = self.main_path()[0].op_name
        return tensor_of(next(node.input[0] for node in self.graph.graph_def.node if node.name == first))


def load(settings: NetworkSettings) -> InspectedNetwork:
    """Return the network that the settings name. Raises BadRequest."""
    name, graph, recorded_bits = _read(settings)
    runnable = imported(graph.graph_def)
    _, height, width, _ = runnable.get_tensor_by_name(graph.input_name).shape
    operations = [operation for operation in runnable.get_operations() if _has_maps(operation)]
    convolutions = [operation for operation in operations if operation.type in CONVOLUTIONS]
    others = [operation for operation in operations if operation.type not in CONVOLUTIONS]
    if not convolutions:
        raise BadRequest(
            "{name} has no convolutions, so there is nothing to see. Give another network.", name=name
        )
    short_names = _short_names([operation.name for operation in convolutions])
    return InspectedNetwork(
        name=name,
        graph=graph,
        image_size=ImageSize(height, width),
        convolutions=tuple(map(_layer, convolutions, short_names)),
        others=tuple(_layer(operation, operation.name) for operation in others),
        significant_bits=settings.significant_bits or recorded_bits,
    )


class _Read(NamedTuple):
    """A network's name, its graph, whose image size is fixed, and the significant bits that it records."""

    name: str
    graph: FrozenGraph
    recorded_bits: int | None = None


def _read(settings: NetworkSettings) -> _Read:
    if settings.network:
        graph = construction.frozen_graph(
            settings.network, weights=settings.weights, image_size=settings.image_size
        )
        return _Read(settings.network, graph)
    if settings.graph is None:
        loaded = extractor.load_extractor(settings.module())
        return _Read(loaded.name, loaded.graph)
    graph_def = classifier_source.read(settings.graph)
    loaded = _graph_extractor(graph_def, settings.graph, settings.module())
    return _Read(loaded.name, loaded.graph, recorded.significant_bits(graph_def))


def _graph_extractor(graph_def: GraphDef, path: Path, module: ModuleSettings) -> FeatureExtractor:
    completed = _completed(module, graph_def, path)
    name = local_files.short_name(str(path))
    loaded = graph_module.from_graph(
        graph_def, completed, path=path, name=name, content=graph_def.SerializeToString(deterministic=True)
    )
    return extractor.extractor_of(loaded, str(path), completed)


def _completed(module: ModuleSettings, graph_def: GraphDef, path: Path) -> ModuleSettings:
    """Return the settings for loading a graph, with names of input and output if they were not given."""
    output = module.bottleneck_tensor_name or _last_output(graph_def)
    module = dataclasses.replace(module, bottleneck_tensor_name=output)
    named = module.input_tensor_name
    if image_input.find(graph_def, None if named is None else op_of(named)):
        return module
    # The same defaults as in label_image.py: a single input, in [0, 1].
    return dataclasses.replace(
        module,
        input_tensor_name=named or _only_input(graph_def, path),
        input_mean=module.input_mean or 0,
        input_std=module.input_std or 255,
    )


def _only_input(graph_def: GraphDef, path: Path) -> str:
    inputs = image_input.placeholders(graph_def)
    if len(inputs) != 1:
        raise BadRequest(
            "graph '{path}' has {count} inputs ({names}). Name one with {input_tensor_name}.",
            path=path,
            count=len(inputs),
            names=", ".join(inputs[:10]) or "none",
        )
    return inputs[0]


def _last_output(graph_def: GraphDef) -> str:
    """Return the output that depends on the most ops: the network's own, not an auxiliary head's."""

    def op_count(name: str) -> int:
        return len(tf.compat.v1.graph_util.extract_sub_graph(graph_def, [name]).node)

    return max(likely_outputs(graph_def), key=op_count)


def _has_maps(operation: tf.Operation) -> bool:
    """Return whether an op computes float32 [n, height, width, channels] for any number n of images."""
    if len(operation.outputs) != 1 or operation.outputs[0].dtype != tf.float32 or not operation.inputs:
        return False
    shape = operation.outputs[0].shape
    return shape.rank == 4 and shape[0] is None and None not in shape[1:]


def _layer(operation: tf.Operation, name: str) -> Layer:
    """Return the layer of an op; for a convolution with biases, the tensor is their sum."""
    (tensor,) = operation.outputs
    users = tensor.consumers()
    if operation.type in CONVOLUTIONS and [user.type for user in users] == ["BiasAdd"]:
        tensor = users[0].outputs[0]
    _, height, width, channels = tensor.shape
    return Layer(name, operation.name, tensor.name, operation.type, height, width, channels)


def _short_names(names: list[str]) -> list[str]:
    """Return the names of ops without the scopes that all share, nor a last part that is only an op's type.

    The last part stays where two names would otherwise be the same.
    """
    scope = _shared_scope(names)
    inner = [name.removeprefix(scope) for name in names]
    short = [_without_op_part(name) for name in inner]
    return [long if short.count(brief) > 1 else brief for long, brief in zip(inner, short, strict=True)]


def _shared_scope(names: list[str]) -> str:
    """Return the leading scopes that all names share, such as 'network/net/'."""
    scopes = [name.split("/")[:-1] for name in names]
    shared: list[str] = []
    for level in zip(*scopes, strict=False):
        if len(set(level)) > 1:
            break
        shared.append(f"{level[0]}/")
    return "".join(shared)


def _without_op_part(name: str) -> str:
    layer, _, last = name.rpartition("/")
    return layer if layer and last.lower() in _OP_PARTS else name
