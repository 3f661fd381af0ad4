"""Loads a module from a frozen graph (.pb), the format from before TensorFlow Hub."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retraining.arrays import ImageSize
from retraining.errors import BadModule, setting_named, settings_named
from retraining.graphs.frozen_graph import (
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
from retraining.modules import finished_classifier, found_input, image_input
from retraining.modules.found_input import ImageInput
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


def load(path: Path, settings: ModuleSettings, *, name: str) -> Module:
    """Return the module in a frozen graph.

    What `settings` do not say is known of well-known graphs, or read from the ops that images pass. A batch
    size that the graph fixes at 1 is made variable. Raises BadModule.
    """
    content = _read(path)
    graph_def = parse(content)
    if graph_def is None:
        raise BadModule(
            "module '{path}' is not a frozen graph, or is cut short.",
            path=path,
        )
    return from_graph(graph_def, settings, path=path, name=name, content=content)


def from_graph(
    graph_def: GraphDef, settings: ModuleSettings, *, path: Path, name: str, content: bytes
) -> Module:
    """Return the module in a graph that was read from `path`, where it was stored as `content`.

    Raises BadModule.
    """
    spec = _spec(graph_def, path, settings)
    graph = _with_any_batch_size(graph_def, spec, path)
    _check_batches(graph, path)
    if None in (settings.input_mean, settings.input_std):
        found_input.report(ImageInput(op_of(spec.input_name), spec.mean, spec.std, spec.size))
    used_as = f"{spec.input_name} {spec.output_name} {spec.mean:g} {spec.std:g}"
    return Module(
        name=name,
        graph=_with_scaling(graph, spec),
        fingerprint=hashlib.sha256(content + used_as.encode()).hexdigest(),
        recorded_size=spec.size,
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
    """Return how to use the graph: as the settings say, and otherwise as is known of it or read from it."""
    if finished_classifier.is_finished(graph_def) and not settings.bottleneck_tensor_name:
        raise finished_classifier.refusal(path)
    _check_given_ops(settings, graph_def, path)
    given = settings.input_tensor_name
    images = image_input.find(graph_def, None if given is None else op_of(given))
    known = image_input.known(graph_def)
    values: dict[str, Any] = {
        "input_tensor_name": given or (images and images.op),
        "bottleneck_tensor_name": settings.bottleneck_tensor_name or (known and known.features),
        "input_mean": _first_given(settings.input_mean, images.mean if images else None),
        "input_std": _first_given(settings.input_std, images.std if images else None),
    }
    _check_all_known(values, graph_def, path)
    op = op_of(str(values["input_tensor_name"]))
    return GraphSpec(
        tensor_of(str(values["input_tensor_name"])),
        tensor_of(str(values["bottleneck_tensor_name"])),
        mean=float(values["input_mean"]),
        std=float(values["input_std"]),
        size=images.size if images else image_input.placeholder_size(op, graph_def),
    )


def _check_all_known(values: Mapping[str, Any], graph_def: GraphDef, path: Path) -> None:
    missing = [name for name, value in values.items() if value is None]
    if missing:
        raise BadModule(
            "module '{path}' is a frozen graph that is not a well-known one. To use it, set {missing}. "
            "{likely}",
            path=path,
            missing=settings_named(missing),
            likely=_likely_tensors(graph_def),
        )


def _first_given(given: float | None, found: float | None) -> float | None:
    return found if given is None else given


def _check_given_ops(settings: ModuleSettings, graph_def: GraphDef, path: Path) -> None:
    ops = {node.name for node in graph_def.node}
    for setting in ("input_tensor_name", "bottleneck_tensor_name"):
        given = getattr(settings, setting)
        if given and op_of(given) not in ops:
            raise BadModule(
                "{setting} '{tensor}' is not in module '{path}'. {likely}",
                setting=setting_named(setting),
                tensor=tensor_of(given),
                path=path,
                likely=_likely_tensors(graph_def),
            )


def _likely_tensors(graph_def: GraphDef) -> str:
    inputs = image_input.placeholders(graph_def)
    pools = [node.name for node in graph_def.node if node.op in ("AvgPool", "Mean")]
    outputs = pools[-3:] + likely_outputs(graph_def)[:3]
    return (
        f"Likely inputs: {', '.join(inputs[:5]) or 'none'}; likely outputs: {', '.join(outputs) or 'none'}."
    )


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
