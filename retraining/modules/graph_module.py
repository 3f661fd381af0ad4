"""A frozen GraphDef (.pb) of the days before Hub -> a Module."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import numpy as np

from retraining.arrays import ImageSize
from retraining.errors import BadModule, setting_named, settings_named
from retraining.graphs.frozen_graph import (
    INPUT_OPS,
    FrozenGraph,
    GraphDef,
    NodeDef,
    forward,
    likely_outputs,
    op_of,
    static_shapes,
    tensor_of,
)
from retraining.graphs.graph_file import parse
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules.module import Module
from retraining.settings.module import ModuleSettings


@dataclasses.dataclass(frozen=True)
class Reading:
    """How a graph is to be used: its tensors, and what it takes for a pixel value of 0 to 255."""

    input_name: str
    output_name: str
    mean: float
    std: float
    size: ImageSize | None = None


# The graphs that ten years of tutorials handed round, by ops that no other has.
KNOWN = (
    # inception-2015-12-05.tgz, and the older retrain.py's settings for it.
    Reading("Mul:0", "pool_3/_reshape:0", mean=128, std=128, size=ImageSize(299, 299)),
    # inception_v3_2016_08_28_frozen.pb, with the defaults of TensorFlow's label_image/main.cc.
    Reading("input:0", "InceptionV3/Logits/AvgPool_1a_8x8/AvgPool:0", mean=0, std=255),
    # MobileNet v1 frozen graphs; mobilenet_v1.md gives the scaling to [-1, 1].
    Reading("input:0", "MobilenetV1/Logits/AvgPool_1a/AvgPool:0", mean=127.5, std=127.5),
)


def load(path: Path, settings: ModuleSettings, *, name: str) -> Module:
    """Return the module in a frozen graph.

    Known graphs are recognised by their ops; any other is read as `settings` say. A batch size that
    the graph fixes at 1 is opened up. Raises BadModule.
    """
    content = _read(path)
    graph_def = parse(content)
    if graph_def is None:
        raise BadModule(
            "module '{path}' is not a frozen graph, or is cut short.",
            path=path,
        )
    reading = _reading(graph_def, path, settings)
    graph = _batched(_opened(graph_def, reading, path), path)
    read_as = f"{reading.input_name} {reading.output_name} {reading.mean:g} {reading.std:g}"
    return Module(
        name=name,
        graph=_scaled(graph, reading),
        fingerprint=hashlib.sha256(content + read_as.encode()).hexdigest(),
        recorded_size=reading.size or _placeholder_size(graph_def, reading),
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadModule(
            "module '{path}' cannot be read: {reason}.",
            path=path,
            reason=error.strerror,
        ) from error


def _reading(graph_def: GraphDef, path: Path, settings: ModuleSettings) -> Reading:
    """Return the known reading, changed by what the settings say, or the settings' own."""
    reading = known(graph_def) or _guess(graph_def, path, settings)
    if settings.input_tensor_name:
        reading = dataclasses.replace(reading, input_name=tensor_of(settings.input_tensor_name), size=None)
    if settings.bottleneck_tensor_name:
        reading = dataclasses.replace(reading, output_name=tensor_of(settings.bottleneck_tensor_name))
    if settings.input_mean is not None:
        reading = dataclasses.replace(reading, mean=settings.input_mean)
    if settings.input_std is not None:
        reading = dataclasses.replace(reading, std=settings.input_std)
    _check_ops(reading, graph_def, path)
    return reading


def known(graph_def: GraphDef) -> Reading | None:
    """Return how one of the KNOWN graphs is used, or None for any other graph."""
    nodes = {node.name for node in graph_def.node}
    return next((reading for reading in KNOWN if _fits(reading, nodes)), None)


def _fits(reading: Reading, nodes: set[str]) -> bool:
    return {op_of(reading.input_name), op_of(reading.output_name)} <= nodes


def _guess(graph_def: GraphDef, path: Path, settings: ModuleSettings) -> Reading:
    """Return the settings' reading of a graph that is not a known one. Raises BadModule for gaps."""
    needed = {
        "input_tensor_name": settings.input_tensor_name,
        "bottleneck_tensor_name": settings.bottleneck_tensor_name,
        "input_mean": settings.input_mean,
        "input_std": settings.input_std,
    }
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise BadModule(
            "module '{path}' is a frozen graph that is not a well-known one. Say how to use it with "
            "{missing}. {likely}",
            path=path,
            missing=settings_named(missing),
            likely=_likely(graph_def),
        )
    return Reading("", "", 0, 1)


def _check_ops(reading: Reading, graph_def: GraphDef, path: Path) -> None:
    nodes = {node.name for node in graph_def.node}
    for setting, name in (
        ("input_tensor_name", reading.input_name),
        ("bottleneck_tensor_name", reading.output_name),
    ):
        if op_of(name) not in nodes:
            raise BadModule(
                "{setting} '{name}' is not an op of module '{path}'. {likely}",
                setting=setting_named(setting),
                name=name,
                path=path,
                likely=_likely(graph_def),
            )


def _likely(graph_def: GraphDef) -> str:
    inputs = [node.name for node in graph_def.node if node.op in INPUT_OPS]
    pools = [node.name for node in graph_def.node if node.op in ("AvgPool", "Mean")]
    outputs = pools[-3:] + likely_outputs(graph_def)[:3]
    return (
        f"Likely inputs: {', '.join(inputs[:5]) or 'none'}; likely outputs: {', '.join(outputs) or 'none'}."
    )


def _placeholder_size(graph_def: GraphDef, reading: Reading) -> ImageSize | None:
    node = next(node for node in graph_def.node if node.name == op_of(reading.input_name))
    sizes = [dimension.size for dimension in node.attr["shape"].shape.dim]
    return ImageSize(sizes[1], sizes[2]) if len(sizes) == 4 and min(sizes[1:3]) > 0 else None


def _opened(graph_def: GraphDef, reading: Reading, path: Path) -> FrozenGraph:
    """Return the graph from the reading's input on, with a placeholder there for any batch size."""
    shapes = _single_shapes(graph_def, path)
    opened = GraphDef.FromString(graph_def.SerializeToString())
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for node in opened.node:
        if node.name == op_of(reading.input_name):
            _become_placeholder(node, shapes.get(reading.input_name))
        elif node.op == "Reshape" and op_of(node.input[1]) in constants:
            _open_reshape(opened, node, constants[op_of(node.input[1])], shapes.get(f"{node.name}:0"))
        elif node.op == "Squeeze":
            _open_squeeze(node, shapes.get(op_of(node.input[0]) + ":0"))
    needed = tf.compat.v1.graph_util.extract_sub_graph(opened, [op_of(reading.output_name)])
    return FrozenGraph(needed, reading.input_name, reading.output_name)


def _single_shapes(graph_def: GraphDef, path: Path) -> dict[str, list[int | None]]:
    try:
        return static_shapes(graph_def)
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise BadModule(
            "module '{path}' cannot be loaded, it may be damaged: {reason}",
            path=path,
            reason=reason,
        ) from error


def _become_placeholder(node: NodeDef, shape: list[int | None] | None) -> None:
    node.op = "Placeholder"
    node.input[:] = []
    node.attr.clear()
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    sizes = [None, *(shape[1:] if shape else (None, None, 3))]
    node.attr["shape"].shape.CopyFrom(tf.TensorShape(sizes).as_proto())


def _open_reshape(
    graph_def: GraphDef, node: NodeDef, constant: NodeDef, shape: list[int | None] | None
) -> None:
    """Let a Reshape to [1, ...] of one image be one to [-1, ...] of many."""
    sizes = tf.make_ndarray(constant.attr["value"].tensor)
    if sizes.ndim != 1 or len(sizes) < 2 or sizes[0] != 1 or shape is None or None in shape[1:]:
        return
    opened = GraphDef().node.add()
    opened.name, opened.op = f"{node.name}/batch_shape", "Const"
    opened.attr["dtype"].type = constant.attr["dtype"].type
    values = np.array([-1, *shape[1:]], sizes.dtype)
    opened.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    graph_def.node.append(opened)
    node.input[1] = opened.name


def _open_squeeze(node: NodeDef, shape: list[int | None] | None) -> None:
    """Let a Squeeze of every dimension of 1 leave the batch, which it would take at one image."""
    if shape and not node.attr["squeeze_dims"].list.i:
        dims = [index for index, size in enumerate(shape) if index > 0 and size == 1]
        node.attr["squeeze_dims"].list.i.extend(dims)


def _batched(graph: FrozenGraph, path: Path) -> FrozenGraph:
    """Return `graph` if two images at once give what each gives alone. Raises BadModule."""
    shape = static_shapes(graph.graph_def)[graph.input_name]
    if len(shape) != 4 or shape[3] not in (3, None):
        raise BadModule(
            "module '{path}' takes {shape} at '{op}'; an image module takes [batch, height, width, 3].",
            path=path,
            shape=shape,
            op=op_of(graph.input_name),
        )
    height, width = (size or 64 for size in shape[1:3])
    images = np.random.default_rng(0).uniform(-1, 1, (2, height, width, 3)).astype(np.float32)
    run = forward(graph)
    try:
        alone = np.concatenate([run(images[:1]), run(images[1:])])
        together = run(images)
    except tf.errors.OpError as error:
        reason = (str(error).splitlines() or [""])[0]
        raise BadModule(
            "module '{path}' cannot be run: {reason}",
            path=path,
            reason=reason,
        ) from error
    if together.shape != alone.shape or not np.allclose(together, alone, rtol=1e-3, atol=1e-5):
        raise BadModule(
            "module '{path}' has its batch size fixed at 1 in a way that cannot be changed.", path=path
        )
    return graph


def _scaled(frozen: FrozenGraph, reading: Reading) -> FrozenGraph:
    """Return the graph with an input in [0, 1] in front of the one it was trained with."""
    graph = tf.Graph()
    with graph.as_default():
        size = static_shapes(frozen.graph_def)[frozen.input_name]
        pixels = tf.compat.v1.placeholder(tf.float32, size, "pixels")
        scaled = (pixels * 255.0 - reading.mean) / reading.std
        (features,) = tf.graph_util.import_graph_def(
            frozen.graph_def,
            input_map={frozen.input_name: scaled},
            return_elements=[frozen.output_name],
            name="network",
        )
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [features.op.name])
    return FrozenGraph(needed, "pixels:0", features.name)
