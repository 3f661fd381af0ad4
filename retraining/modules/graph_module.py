"""Loads a module from a frozen graph (.pb), the format from before TensorFlow Hub."""

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
class GraphSpec:
    """How to use a graph: its input and output tensors, and the scaling and size of its images.

    A pixel value p of 0 to 255 goes in as (p - mean) / std.
    """

    input_name: str
    output_name: str
    mean: float
    std: float
    size: ImageSize | None = None


# The graphs that tutorials have passed around for ten years, recognised by ops that no other graph has.
_WELL_KNOWN = (
    # inception-2015-12-05.tgz, with the settings of the older retrain.py.
    GraphSpec("Mul:0", "pool_3/_reshape:0", mean=128, std=128, size=ImageSize(299, 299)),
    # inception_v3_2016_08_28_frozen.pb, with the defaults of TensorFlow's label_image/main.cc.
    GraphSpec("input:0", "InceptionV3/Logits/AvgPool_1a_8x8/AvgPool:0", mean=0, std=255),
    # MobileNet v1 frozen graphs; mobilenet_v1.md says that they are scaled to [-1, 1].
    GraphSpec("input:0", "MobilenetV1/Logits/AvgPool_1a/AvgPool:0", mean=127.5, std=127.5),
)


def load(path: Path, settings: ModuleSettings, *, name: str) -> Module:
    """Return the module in a frozen graph.

    Well-known graphs are recognised by their ops; any other is used as `settings` say. A batch size that the
    graph fixes at 1 is made variable. Raises BadModule.
    """
    content = _read(path)
    graph_def = parse(content)
    if graph_def is None:
        raise BadModule(
            "module '{path}' is not a frozen graph, or is cut short.",
            path=path,
        )
    spec = _spec(graph_def, path, settings)
    graph = _with_any_batch_size(graph_def, spec, path)
    _check_batches(graph, path)
    used_as = f"{spec.input_name} {spec.output_name} {spec.mean:g} {spec.std:g}"
    return Module(
        name=name,
        graph=_with_scaling(graph, spec),
        fingerprint=hashlib.sha256(content + used_as.encode()).hexdigest(),
        recorded_size=spec.size or _placeholder_size(graph_def, spec),
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


def _spec(graph_def: GraphDef, path: Path, settings: ModuleSettings) -> GraphSpec:
    """Return how to use the graph: as the settings say, and otherwise as is known of a well-known one."""
    spec = well_known_spec(graph_def)
    if spec is None:
        _check_all_given(settings, graph_def, path)
        spec = GraphSpec("", "", mean=0, std=1)  # the settings replace all of it
    if settings.input_tensor_name:
        spec = dataclasses.replace(spec, input_name=tensor_of(settings.input_tensor_name), size=None)
    if settings.bottleneck_tensor_name:
        spec = dataclasses.replace(spec, output_name=tensor_of(settings.bottleneck_tensor_name))
    if settings.input_mean is not None:
        spec = dataclasses.replace(spec, mean=settings.input_mean)
    if settings.input_std is not None:
        spec = dataclasses.replace(spec, std=settings.input_std)
    _check_ops(spec, graph_def, path)
    return spec


def well_known_spec(graph_def: GraphDef) -> GraphSpec | None:
    """Return how to use a graph that tutorials have passed around, or None for any other graph."""
    ops = {node.name for node in graph_def.node}
    fitting = (spec for spec in _WELL_KNOWN if {op_of(spec.input_name), op_of(spec.output_name)} <= ops)
    return next(fitting, None)


def _check_all_given(settings: ModuleSettings, graph_def: GraphDef, path: Path) -> None:
    """Raise BadModule unless the settings say everything about a graph that is not well known."""
    needed = {
        "input_tensor_name": settings.input_tensor_name,
        "bottleneck_tensor_name": settings.bottleneck_tensor_name,
        "input_mean": settings.input_mean,
        "input_std": settings.input_std,
    }
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        raise BadModule(
            "module '{path}' is a frozen graph that is not a well-known one. To use it, set {missing}. "
            "{likely}",
            path=path,
            missing=settings_named(missing),
            likely=_likely_tensors(graph_def),
        )


def _check_ops(spec: GraphSpec, graph_def: GraphDef, path: Path) -> None:
    ops = {node.name for node in graph_def.node}
    for setting, tensor in (
        ("input_tensor_name", spec.input_name),
        ("bottleneck_tensor_name", spec.output_name),
    ):
        if op_of(tensor) not in ops:
            raise BadModule(
                "{setting} '{tensor}' is not in module '{path}'. {likely}",
                setting=setting_named(setting),
                tensor=tensor,
                path=path,
                likely=_likely_tensors(graph_def),
            )


def _likely_tensors(graph_def: GraphDef) -> str:
    inputs = [node.name for node in graph_def.node if node.op in INPUT_OPS]
    pools = [node.name for node in graph_def.node if node.op in ("AvgPool", "Mean")]
    outputs = pools[-3:] + likely_outputs(graph_def)[:3]
    return (
        f"Likely inputs: {', '.join(inputs[:5]) or 'none'}; likely outputs: {', '.join(outputs) or 'none'}."
    )


def _placeholder_size(graph_def: GraphDef, spec: GraphSpec) -> ImageSize | None:
    node = next(node for node in graph_def.node if node.name == op_of(spec.input_name))
    sizes = [dimension.size for dimension in node.attr["shape"].shape.dim]
    return ImageSize(sizes[1], sizes[2]) if len(sizes) == 4 and min(sizes[1:3]) > 0 else None


def _with_any_batch_size(graph_def: GraphDef, spec: GraphSpec, path: Path) -> FrozenGraph:
    """Return the graph from its input on, with a placeholder for any number of images there."""
    shapes = _static_shapes(graph_def, path)
    changed = GraphDef.FromString(graph_def.SerializeToString())
    constants = {node.name: node for node in graph_def.node if node.op == "Const"}
    for node in changed.node:
        if node.name == op_of(spec.input_name):
            _become_placeholder(node, shapes.get(spec.input_name))
        elif node.op == "Reshape" and op_of(node.input[1]) in constants:
            _reshape_any_batch(changed, node, constants[op_of(node.input[1])], shapes.get(f"{node.name}:0"))
        elif node.op == "Squeeze":
            _squeeze_any_batch(node, shapes.get(op_of(node.input[0]) + ":0"))
    needed = tf.compat.v1.graph_util.extract_sub_graph(changed, [op_of(spec.output_name)])
    return FrozenGraph(needed, spec.input_name, spec.output_name)


def _static_shapes(graph_def: GraphDef, path: Path) -> dict[str, list[int | None]]:
    try:
        return static_shapes(graph_def)
    except (ValueError, tf.errors.OpError) as error:
        reason = str(error).splitlines()[0]
        raise BadModule(
            "module '{path}' cannot be loaded and may be damaged: {reason}",
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


def _reshape_any_batch(
    graph_def: GraphDef, node: NodeDef, constant: NodeDef, shape: list[int | None] | None
) -> None:
    """Change a Reshape to [1, ...], which fits one image only, into one to [-1, ...]."""
    sizes = tf.make_ndarray(constant.attr["value"].tensor)
    if sizes.ndim != 1 or len(sizes) < 2 or sizes[0] != 1 or shape is None or None in shape[1:]:
        return
    batch_shape = GraphDef().node.add()
    batch_shape.name, batch_shape.op = f"{node.name}/batch_shape", "Const"
    batch_shape.attr["dtype"].type = constant.attr["dtype"].type
    values = np.array([-1, *shape[1:]], sizes.dtype)
    batch_shape.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values))
    graph_def.node.append(batch_shape)
    node.input[1] = batch_shape.name


def _squeeze_any_batch(node: NodeDef, shape: list[int | None] | None) -> None:
    """Change a Squeeze of all dimensions of size 1 so that it keeps the batch's, even for one image."""
    if shape and not node.attr["squeeze_dims"].list.i:
        dims = [index for index, size in enumerate(shape) if index > 0 and size == 1]
        node.attr["squeeze_dims"].list.i.extend(dims)


def _check_batches(graph: FrozenGraph, path: Path) -> None:
    """Raise BadModule unless a batch of two images gives what each of them gives alone."""
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
            "module '{path}' takes one image at a time, which cannot be changed. Use another module.",
            path=path,
        )


def _with_scaling(frozen: FrozenGraph, spec: GraphSpec) -> FrozenGraph:
    """Return the graph with pixels in [0, 1] as its input, which it scales to what it was trained with."""
    graph = tf.Graph()
    with graph.as_default():
        shape = static_shapes(frozen.graph_def)[frozen.input_name]
        pixels = tf.compat.v1.placeholder(tf.float32, shape, "pixels")
        scaled = (pixels * 255.0 - spec.mean) / spec.std
        (features,) = tf.graph_util.import_graph_def(
            frozen.graph_def,
            input_map={frozen.input_name: scaled},
            return_elements=[frozen.output_name],
            name="network",
        )
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [features.op.name])
    return FrozenGraph(needed, "pixels:0", features.name)
