"""Any network, from a frozen graph, a module or a name -> one graph and the layers to look at."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.errors import BadRequest, Message
from retraining.features import extractor
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import (
    INPUT_OPS,
    FrozenGraph,
    GraphDef,
    imported,
    likely_outputs,
    op_of,
    tensor_of,
)
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import graph_module
from retraining.networks import construction
from retraining.settings.module import ModuleSettings
from retraining.settings.network import NetworkSettings
from retraining.suggestions import did_you_mean, nearest

CONVOLUTIONS = ("Conv2D", "DepthwiseConv2dNative")

# What frameworks call the op inside a layer; the layer's own name is what stands before it.
_OP_PARTS = ("conv2d", "convolution", "conv", "depthwise", "separable_conv2d")

Maps = NDArray[np.float32]


@dataclasses.dataclass(frozen=True)
class Layer:
    """An op that gives maps, float32 [n, height, width, channels], and the tensor that holds them.

    Of a convolution `tensor_name` is the one with its biases, and `name` is short: without the
    scopes that all convolutions share, and without a last part that only says what kind of op it is.
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
        """Height, width and number of channels, as people write them."""
        return f"{self.height}x{self.width}x{self.channels}"


@dataclasses.dataclass(frozen=True)
class InspectedNetwork:
    """A graph from float32 [n, height, width, 3] in [0, 1], and its convolutions in the graph's order.

    `others` are the further ops that give maps.
    """

    name: str
    graph: FrozenGraph
    image_size: ImageSize
    convolutions: tuple[Layer, ...]
    others: tuple[Layer, ...]

    def main_path(self) -> list[Layer]:
        """Return the convolutions that the network's result needs, which those of auxiliary heads are not."""
        output = op_of(self.graph.output_name)
        needed = tf.compat.v1.graph_util.extract_sub_graph(self.graph.graph_def, [output])
        names = {node.name for node in needed.node}
        return [layer for layer in self.convolutions if layer.op_name in names]

    def named(self, names: Iterable[str]) -> list[Layer]:
        """Return the layers of these names, short ones or those of ops.

        Raises BadRequest with the nearest names.
        """
        known = {layer.op_name: layer for layer in (*self.others, *self.convolutions)}
        known |= {layer.name: layer for layer in self.convolutions}
        for name in names:
            if name not in known:
                raise self._unknown(name)
        return [known[name] for name in names]

    def _unknown(self, name: str) -> BadRequest:
        near = nearest(name, [layer.name for layer in (*self.convolutions, *self.others)])
        return BadRequest(
            "{layers}: '{name}' is not a layer of {network} that gives maps. {remedy}",
            name=name,
            network=self.name,
            remedy=did_you_mean(near) if near else Message("{list_layers} prints its convolutions."),
        )

    def list_layers(self) -> str:
        """Return name, operation and shape of every convolution, a line each, and their count."""
        wide = max(len(layer.name) for layer in self.convolutions)
        kind = max(len(layer.operation) for layer in self.convolutions)
        lines = [
            f"{layer.name:{wide}}  {layer.operation:{kind}}  {layer.shape}" for layer in self.convolutions
        ]
        return "\n".join([*lines, f"{len(lines)} convolutions"])

    def values(self, tensor_names: Sequence[str], pixels: Pixels) -> list[Maps]:
        """Return what each tensor holds for one image, float32 [height, width, 3] in [0, 1]."""
        with tf.compat.v1.Session(graph=imported(self.graph.graph_def)) as session:
            values = session.run(list(tensor_names), {self.graph.input_name: pixels[np.newaxis]})
        return [value[0] for value in values]

    def normalised_input(self) -> str:
        """Return the name of the tensor that the first convolution takes: the image as it was scaled."""
        first = self.main_path()[0].op_name
        return tensor_of(next(node.input[0] for node in self.graph.graph_def.node if node.name == first))


def load(settings: NetworkSettings) -> InspectedNetwork:
    """Return the network that the settings name. Raises BadRequest."""
    name, graph = _frozen(settings)
    runnable = imported(graph.graph_def)
    _, height, width, _ = runnable.get_tensor_by_name(graph.input_name).shape
    operations = [operation for operation in runnable.get_operations() if _gives_maps(operation)]
    is_convolution = [operation.type in CONVOLUTIONS for operation in operations]
    found = [op for op, is_one in zip(operations, is_convolution, strict=True) if is_one]
    if not found:
        raise BadRequest(
            "{network} has no convolution, so there is nothing to see. Give another network.", network=name
        )
    return InspectedNetwork(
        name=name,
        graph=graph,
        image_size=ImageSize(height, width),
        convolutions=tuple(map(_layer, found, _short([op.name for op in found]))),
        others=tuple(
            _layer(op, op.name) for op, is_one in zip(operations, is_convolution, strict=True) if not is_one
        ),
    )


def _frozen(settings: NetworkSettings) -> tuple[str, FrozenGraph]:
    """Return the name and the graph, of a fixed image size, of the network."""
    if settings.network:
        graph = construction.frozen(
            settings.network, weights=settings.weights, image_size=settings.image_size
        )
        return settings.network, graph
    loaded = extractor.load_extractor(_module_options(settings))
    return loaded.name, loaded.graph


def _module_options(settings: NetworkSettings) -> ModuleSettings:
    """Return how the extractor is to read the module, or the graph, in which the rest is found."""
    module = settings.module()
    if settings.graph is None:
        return module
    graph_def = graph_file.read(settings.graph)
    output = module.bottleneck_tensor_name or _last_output(graph_def)
    module = dataclasses.replace(module, bottleneck_tensor_name=output)
    if graph_module.well_known_spec(graph_def):
        return module
    # As label_image.py reads it: one input, in [0, 1].
    return dataclasses.replace(
        module,
        input_tensor_name=module.input_tensor_name or _only_input(graph_def, settings.graph),
        input_mean=module.input_mean or 0,
        input_std=module.input_std or 255,
    )


def _only_input(graph_def: GraphDef, path: Path) -> str:
    inputs: list[str] = [node.name for node in graph_def.node if node.op in INPUT_OPS]
    if len(inputs) != 1:
        listed = ", ".join(inputs[:10]) or "none"
        raise BadRequest(
            "graph '{path}' has {count} inputs ({listed}). Name one with {input_tensor_name}.",
            path=path,
            count=len(inputs),
            listed=listed,
        )
    return inputs[0]


def _last_output(graph_def: GraphDef) -> str:
    """Return the output that needs the most ops: with auxiliary heads, the network's own."""

    def needed(name: str) -> int:
        return len(tf.compat.v1.graph_util.extract_sub_graph(graph_def, [name]).node)

    return max(likely_outputs(graph_def), key=needed)


def _gives_maps(operation: tf.Operation) -> bool:
    """Return whether an op gives float32 [n, height, width, channels] for any number n of images."""
    if len(operation.outputs) != 1 or operation.outputs[0].dtype != tf.float32 or not operation.inputs:
        return False
    shape = operation.outputs[0].shape
    return shape.rank == 4 and shape[0] is None and None not in shape[1:]


def _layer(operation: tf.Operation, name: str) -> Layer:
    (tensor,) = operation.outputs
    users = tensor.consumers()
    if operation.type in CONVOLUTIONS and [user.type for user in users] == ["BiasAdd"]:
        tensor = users[0].outputs[0]
    _, height, width, channels = tensor.shape
    return Layer(name, operation.name, tensor.name, operation.type, height, width, channels)


def _short(names: list[str]) -> list[str]:
    """Return the names of ops without shared scopes and needless last parts, where they stay apart."""
    scope = _shared_scope(names)
    inner = [name.removeprefix(scope) for name in names]
    short = [_without_op_part(name) for name in inner]
    return [long if short.count(brief) > 1 else brief for long, brief in zip(inner, short, strict=True)]


def _shared_scope(names: list[str]) -> str:
    """Return the leading scopes, with their '/', that all names share."""
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
