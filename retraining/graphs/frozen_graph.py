"""A frozen graph: a GraphDef with its variables turned into constants, and how to run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Forward, Pixels
from retraining.graphs.quiet_tensorflow import GraphDef as GraphDef
from retraining.graphs.quiet_tensorflow import NodeDef as NodeDef
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.module import BFLOAT16, FLOAT32

INPUT_OPS = ("Placeholder", "PlaceholderWithDefault")
CALL_OPS = ("PartitionedCall", "StatefulPartitionedCall")


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenGraph:
    """A GraphDef and the tensor names (`op:0`) of its input and its output."""

    graph_def: GraphDef = dataclasses.field(repr=False)  # thousands of lines
    input_name: str
    output_name: str

    def __eq__(self, other: object) -> bool:
        """Return whether the other is the same graph, whether it was read yet or not."""
        if not isinstance(other, FrozenGraph):
            return NotImplemented
        names = (self.input_name, self.output_name) == (other.input_name, other.output_name)
        return names and bool(self.graph_def == other.graph_def)

    def with_graph_def(self, graph_def: GraphDef) -> FrozenGraph:
        """Return the graph with the same input and output in another GraphDef."""
        return FrozenGraph(graph_def, self.input_name, self.output_name)

    def content(self) -> bytes:
        """Return the serialized GraphDef, the same bytes for the same graph."""
        content: bytes = self.graph_def.SerializeToString(deterministic=True)
        return content


class UnreadGraph(FrozenGraph):
    """A frozen graph whose serialized GraphDef is read, with TensorFlow, when it is first asked for."""

    def __init__(self, content: bytes, input_name: str, output_name: str) -> None:
        # As a frozen dataclass does it; `graph_def` is left for the property below.
        for name, value in (("_content", content), ("input_name", input_name), ("output_name", output_name)):
            object.__setattr__(self, name, value)

    @cached_property
    def graph_def(self) -> Any:
        """The GraphDef."""
        return GraphDef.FromString(self._content)  # type: ignore[attr-defined]

    def content(self) -> bytes:
        """Return the serialized GraphDef, without TensorFlow."""
        content: bytes = self._content  # type: ignore[attr-defined]
        return content


def op_of(tensor_name: str) -> str:
    """Return the op's name in a tensor name (`op:0`), an input (`op`) or a control input (`^op`)."""
    return tensor_name.lstrip("^").partition(":")[0]


def tensor_of(name: str) -> str:
    """Return `name` as a tensor name; an op name stands for the op's first output, `op:0`."""
    return name if ":" in name else f"{name}:0"


def likely_outputs(graph_def: GraphDef) -> list[str]:
    """Return the names of the ops whose output no other op uses."""
    used = {op_of(name) for node in graph_def.node for name in node.input}
    unused = (node for node in graph_def.node if node.name not in used)
    return [node.name for node in unused if node.op not in ("Const", "NoOp")]


def static_shapes(graph_def: GraphDef) -> dict[str, list[int | None]]:
    """Return the shape of every tensor (`op:0`) of known rank, with None for unknown dimensions."""
    tensors = (tensor for op in imported(graph_def).get_operations() for tensor in op.outputs)
    return {tensor.name: tensor.shape.as_list() for tensor in tensors if tensor.shape.rank is not None}


def count_parameters(graph: FrozenGraph) -> int:
    """Return how many weights a frozen graph has: the floating-point numbers in constants, except scalars.

    Weights that are stored as bytes must have been turned into float32 first.
    """
    tensors = (node.attr["value"].tensor for node in graph.graph_def.node if node.op == "Const")
    floating = (tensor for tensor in tensors if tf.as_dtype(tensor.dtype).is_floating)
    shapes = [tf.TensorShape(tensor.tensor_shape) for tensor in floating]
    return sum(shape.num_elements() for shape in shapes if shape.rank)


def imported(graph_def: GraphDef) -> tf.Graph:
    """Return the graph of a GraphDef. Raises ValueError if it cannot be run."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    return graph


def forward(frozen: FrozenGraph, precision: str = FLOAT32) -> Forward:
    """Return the function that runs the graph, from a batch of inputs to a batch of outputs, both float32.

    `precision` is one of PRECISIONS: the number format in which everything between the two is computed.
    """
    graph = imported(frozen.graph_def)
    return forward_in(graph, frozen.input_name, frozen.output_name, precision=precision)


def forward_in(graph: tf.Graph, input_name: str, output_name: str, *, precision: str = FLOAT32) -> Forward:
    """Return the function that runs `graph` from a batch of one tensor to a batch of another."""
    config = tf.compat.v1.ConfigProto()
    if precision == BFLOAT16:
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    session = tf.compat.v1.Session(graph=graph, config=config)
    # A callable saves the bookkeeping that Session.run repeats in every call.
    run: Forward = session.make_callable(output_name, [input_name])
    return run


def joined_forward(session: tf.compat.v1.Session, input_name: str, output_names: Sequence[str]) -> Forward:
    """Return the function that runs a graph from a batch of one tensor to several, side by side."""
    run = session.make_callable(list(output_names), [input_name])

    def joined(images: Pixels) -> NDArray[np.float32]:
        return np.concatenate([rows.reshape(len(rows), -1) for rows in run(images)], axis=1)

    return joined


def for_inference(frozen: FrozenGraph) -> FrozenGraph:
    """Return a graph that computes the same, without the ops that only training or loading needs.

    Placeholders with a default (such as a learning phase) are replaced by the default. Branches that are
    then never taken are removed, and so is every op that the output does not depend on. TensorFlow can then
    fuse the ops on both sides of a former branch.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    for node in graph_def.node:
        node.device = ""
        node.attr.pop("_class", None)  # placement next to a variable, which is now a constant
        if node.op == "PlaceholderWithDefault" and node.name != op_of(frozen.input_name):
            _become_identity(node, node.input[0])
    _take_constant_branches(graph_def)
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(frozen.output_name)])
    return frozen.with_graph_def(needed)


def _take_constant_branches(graph_def: GraphDef) -> None:
    """Replace Switch and Merge ops whose predicate is constant by the branch that is taken.

    A Switch sends its value to output 0 if the predicate is false and to output 1 if it is true. Ops that
    depend on the other output are dead, and a Merge passes on its only input that is not dead.
    """
    nodes = {node.name: node for node in graph_def.node}
    constants = {name: _constant_value(node, nodes) for name, node in nodes.items() if node.op == "Switch"}
    taken = {f"{name}:{int(value)}" for name, value in constants.items() if value is not None}
    dead = _dead_tensors(nodes, constants)
    for node in graph_def.node:
        if node.op == "Merge":
            alive = [name for name in node.input if _port(name) not in dead]
            if len(alive) == 1:
                _become_identity(node, alive[0])
        elif constants.get(node.name) is not None:
            _become_identity(node, node.input[0])
    for node in graph_def.node:
        node.input[:] = [op_of(name) if name in taken else name for name in node.input]


def _dead_tensors(nodes: dict[str, NodeDef], constants: dict[str, bool | None]) -> set[str]:
    """Return the outputs (`op:port`) that never get a value."""
    dead: set[str] = set()
    for name in topological(nodes):
        node = nodes[name]
        are_dead = [_port(source) in dead for source in node.input]
        if are_dead and (all(are_dead) if node.op == "Merge" else any(are_dead)):
            # All outputs, and the control edge (-1); no op of an image network has more than ten outputs.
            dead.update(f"{name}:{port}" for port in range(-1, 10))
        elif constants.get(name) is not None:
            dead.add(f"{name}:{int(not constants[name])}")
    return dead


def topological(nodes: dict[str, NodeDef]) -> Iterable[str]:
    """Yield op names, inputs first; without recursion, because networks are deep."""
    done: set[str] = set()
    for root in nodes:
        stack = [root]
        while stack:
            name = stack[-1]
            waiting = [op_of(source) for source in nodes[name].input if op_of(source) not in done]
            if name in done or not waiting:
                stack.pop()
                if name not in done:
                    done.add(name)
                    yield name
            else:
                stack.extend(waiting)


def _port(name: str) -> str:
    if name.startswith("^"):
        return f"{name[1:]}:-1"
    return tensor_of(name)


def _constant_value(switch: NodeDef, nodes: dict[str, NodeDef]) -> bool | None:
    """Return the value of a Switch's predicate, or None if it is not constant."""
    node = nodes[op_of(switch.input[1])]
    while node.op == "Identity":
        node = nodes[op_of(node.input[0])]
    return bool(tf.make_ndarray(node.attr["value"].tensor)) if node.op == "Const" else None


def _become_identity(node: NodeDef, source: str) -> None:
    dtype = node.attr["T"].type or node.attr["dtype"].type
    node.op = "Identity"
    node.input[:] = [source]
    node.attr.clear()
    node.attr["T"].type = dtype
