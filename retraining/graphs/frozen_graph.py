"""A network as one GraphDef: variables as constants, no function library, one input and one output."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.module import BFLOAT16, FLOAT32

GraphDef: TypeAlias = tf.compat.v1.GraphDef
NodeDef: TypeAlias = tf.compat.v1.NodeDef

INPUT_OPS = ("Placeholder", "PlaceholderWithDefault")
CALL_OPS = ("PartitionedCall", "StatefulPartitionedCall")

Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclasses.dataclass(frozen=True)
class FrozenGraph:
    """A GraphDef and the tensor names (`op:0`) of its input and its output."""

    graph_def: GraphDef = dataclasses.field(repr=False)  # thousands of lines
    input_name: str
    output_name: str


def op_of(tensor_name: str) -> str:
    """Return the name of the op behind `name`, `name:0` or the control input `^name`."""
    return tensor_name.lstrip("^").partition(":")[0]


def tensor_of(name: str) -> str:
    """Return the name of the tensor behind `name`, which of an op is its first: `op:0`."""
    return name if ":" in name else f"{name}:0"


def likely_outputs(graph_def: GraphDef) -> list[str]:
    """Return the names of the ops that no other uses."""
    used = {op_of(name) for node in graph_def.node for name in node.input}
    unused = (node for node in graph_def.node if node.name not in used)
    return [node.name for node in unused if node.op not in ("Const", "NoOp")]


def static_shapes(graph_def: GraphDef) -> dict[str, list[int | None]]:
    """Return the shape of every tensor (`op:0`) whose rank is known, None for open dimensions."""
    tensors = (tensor for op in imported(graph_def).get_operations() for tensor in op.outputs)
    return {tensor.name: tensor.shape.as_list() for tensor in tensors if tensor.shape.rank is not None}


def count_parameters(graph: FrozenGraph) -> int:
    """Return how many weights a frozen graph holds: all fractions in its constants except scalars."""
    tensors = (node.attr["value"].tensor for node in graph.graph_def.node if node.op == "Const")
    fractions = (tensor for tensor in tensors if tf.as_dtype(tensor.dtype).is_floating)
    shapes = [tf.TensorShape(tensor.tensor_shape) for tensor in fractions]
    return sum(shape.num_elements() for shape in shapes if shape.rank)


def imported(graph_def: GraphDef) -> tf.Graph:
    """Return the graph of a GraphDef. Raises ValueError if it is none that can be run."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
    return graph


def forward(frozen: FrozenGraph, precision: str = FLOAT32) -> Forward:
    """Return the function that runs the graph: batch of inputs -> batch of outputs, both float32.

    `precision` is one of PRECISIONS, of what is computed between the two.
    """
    graph = imported(frozen.graph_def)
    return forward_in(graph, frozen.input_name, frozen.output_name, precision=precision)


def forward_in(graph: tf.Graph, input_name: str, output_name: str, *, precision: str = FLOAT32) -> Forward:
    """Return the function that runs `graph` between two tensors: batch of inputs -> batch of outputs."""
    config = tf.compat.v1.ConfigProto()
    if precision == BFLOAT16:
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewrites.ON
    session = tf.compat.v1.Session(graph=graph, config=config)
    # A callable skips the bookkeeping that Session.run repeats for every call.
    run: Forward = session.make_callable(output_name, [input_name])
    return run


def for_inference(frozen: FrozenGraph) -> FrozenGraph:
    """Return the same function of its input, without what only training or loading needed.

    Placeholders with a default (a learning phase, say) become that default, branches that a
    constant then never takes go, and so does every op that the output does not need. TensorFlow
    can then fuse what stood on either side of a branch, which it cannot do across one.
    """
    graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
    for node in graph_def.node:
        node.device = ""
        node.attr.pop("_class", None)  # placement beside a variable that is no more
        if node.op == "PlaceholderWithDefault" and node.name != op_of(frozen.input_name):
            _become_identity(node, node.input[0])
    _take_constant_branches(graph_def)
    needed = tf.compat.v1.graph_util.extract_sub_graph(graph_def, [op_of(frozen.output_name)])
    return dataclasses.replace(frozen, graph_def=needed)


def _take_constant_branches(graph_def: GraphDef) -> None:
    """Turn Switch and Merge ops whose predicate is constant into the branch that is taken.

    Of a Switch, output 0 lives if the predicate is false and output 1 if it is true; what hangs on
    the other is dead, and a Merge passes on the one input that is not.
    """
    nodes = {node.name: node for node in graph_def.node}
    constants = {name: _constant_value(node, nodes) for name, node in nodes.items() if node.op == "Switch"}
    taken = {f"{name}:{int(value)}" for name, value in constants.items() if value is not None}
    dead = _dead_tensors(nodes, constants)
    for node in graph_def.node:
        if node.op == "Merge":
            living = [name for name in node.input if _port(name) not in dead]
            if len(living) == 1:
                _become_identity(node, living[0])
        elif constants.get(node.name) is not None:
            _become_identity(node, node.input[0])
    for node in graph_def.node:
        node.input[:] = [op_of(name) if name in taken else name for name in node.input]


def _dead_tensors(nodes: dict[str, NodeDef], constants: dict[str, bool | None]) -> set[str]:
    """Return the outputs (`op:port`) that no value ever reaches."""
    dead: set[str] = set()
    for name in _topological(nodes):
        node = nodes[name]
        arrivals = [_port(source) in dead for source in node.input]
        if arrivals and (all(arrivals) if node.op == "Merge" else any(arrivals)):
            # Every output, and the control edge; no op of an image network has more than ten.
            dead.update(f"{name}:{port}" for port in range(-1, 10))
        elif constants.get(name) is not None:
            dead.add(f"{name}:{int(not constants[name])}")
    return dead


def _topological(nodes: dict[str, NodeDef]) -> Iterable[str]:
    """Yield op names, inputs first; without recursion, since networks are deep."""
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
    """Return the value of a Switch's predicate, or None if only running the graph would tell."""
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
