"""Exported graphs without the ops that compute nothing: the same numbers, and nothing that orders matters lost."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from retraining.features.extractor import load_extractor
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.simplification import simplified, with_float32_weights
from retraining.settings.module import ModuleSettings

Build = Callable[[tf.Tensor], tf.Tensor]


def frozen(build: Build) -> FrozenGraph:
    """Return the graph from `Placeholder`, float32 [n, 2], to `result`, which `build` makes from it."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 2], "Placeholder")
        build(pixels)
    return FrozenGraph(graph.as_graph_def(), "Placeholder:0", "result:0")


def values(rows: list[list[float]]) -> np.ndarray:
    return np.array(rows, np.float32)


def ops(graph: FrozenGraph) -> dict[str, str]:
    return {node.name: node.op for node in graph.graph_def.node}


def control_inputs(graph_def: GraphDef) -> list[str]:
    return [name for node in graph_def.node for name in node.input if name.startswith("^")]


@pytest.mark.parametrize(
    "kind",
    [
        "tf2_module",
        "tf1_hub_module",
        "builtin_small",
        pytest.param("keras:MobileNetV2?weights=random", marks=pytest.mark.soak),
    ],
)
def test_every_kind_of_module_gives_the_same_vectors_bit_for_bit(
    kind: str, request: pytest.FixtureRequest
) -> None:
    handle = str(request.getfixturevalue(kind)) if kind.endswith("_module") else kind
    extractor = load_extractor(ModuleSettings(handle, image_size=64 if "keras" in kind else None))
    size = extractor.image_size
    pixels = np.random.default_rng(0).random((3, size.height, size.width, 3), np.float32)
    expected = forward(extractor.graph)(pixels)
    plain = simplified(extractor.graph)
    for graph in (plain, with_float32_weights(plain)):
        np.testing.assert_array_equal(forward(graph)(pixels), expected)
        assert (graph.input_name, graph.output_name) == (
            extractor.graph.input_name,
            extractor.graph.output_name,
        )
        inner = {op for name, op in ops(graph).items() if f"{name}:0" != graph.output_name}
        assert not inner & {"Identity", "NoOp"}
        assert control_inputs(graph.graph_def) == []


def test_half_precision_stays_unless_float32_is_asked_for() -> None:
    half = np.array([1 / 3, 65504], np.float16)
    graph = simplified(
        frozen(lambda x: tf.multiply(x, tf.cast(tf.constant(half), tf.float32), name="result"))
    )
    assert sorted(ops(graph).values()) == ["Cast", "Const", "Mul", "Placeholder"]
    single = with_float32_weights(graph)
    assert sorted(ops(single).values()) == ["Const", "Mul", "Placeholder"]
    pixels = values([[3, 1e-3]])
    np.testing.assert_array_equal(forward(single)(pixels), pixels * half.astype(np.float32))


def test_weights_stored_as_bytes_are_multiplied_by_their_steps_once() -> None:
    stored, steps = np.array([[-127, 5], [64, 127]], np.int8), np.array([0.1, 3e-5], np.float32)

    def build(x: tf.Tensor) -> tf.Tensor:
        weights = tf.cast(tf.constant(stored), tf.float32) * tf.constant(steps)
        return tf.matmul(x, weights, name="result")

    graph = simplified(frozen(build))
    assert sorted(ops(graph).values()) == ["Cast", "Const", "Const", "MatMul", "Mul", "Placeholder"]
    single = with_float32_weights(graph)
    assert sorted(ops(single).values()) == ["Const", "MatMul", "Placeholder"]
    pixels = values([[3, 1e-3], [0, -7]])
    np.testing.assert_array_equal(forward(single)(pixels), forward(graph)(pixels))


def test_same_graph_gives_the_same_bytes() -> None:
    graph = frozen(lambda x: tf.identity(tf.identity(x) * 2.0, "result"))
    assert graph_file.encode(simplified(graph)) == graph_file.encode(simplified(graph))


def test_input_keeps_its_attributes_and_an_identity_stays_where_it_is_the_output() -> None:
    graph = frozen(lambda x: tf.identity(tf.identity(x, "inner"), "result"))
    graph.graph_def.node[0].attr["_significant_bits"].i = 12
    plain = simplified(graph)
    assert ops(plain) == {"Placeholder": "Placeholder", "result": "Identity"}
    assert plain.graph_def.node[0] == graph.graph_def.node[0]
    assert plain.graph_def.versions == graph.graph_def.versions


def test_given_graph_is_left_as_it_is() -> None:
    graph = frozen(lambda x: tf.identity(tf.identity(x), "result"))
    before = graph_file.encode(graph)
    with_float32_weights(simplified(graph))
    assert graph_file.encode(graph) == before


def _branch(x: tf.Tensor) -> tf.Tensor:
    """Add 1 if the first value is positive, or else 2: each constant waits for its branch to be taken."""
    below, above = tf.raw_ops.Switch(data=x, pred=x[0, 0] > 0)
    with tf.control_dependencies([tf.identity(above, "anchor")]):
        one = tf.constant(1.0)
    with tf.control_dependencies([tf.identity(below)]):
        two = tf.constant(2.0)
    return tf.raw_ops.Merge(inputs=[above + one, tf.identity(below) + two], name="result")[0]


def _assertion(x: tf.Tensor) -> tf.Tensor:
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(x >= 0), ["negative"])]):
        return tf.identity(x, "result")


def test_condition_still_takes_its_branch() -> None:
    run = forward(simplified(frozen(_branch)))
    np.testing.assert_array_equal(run(values([[5, 5]])), [[6, 6]])
    np.testing.assert_array_equal(run(values([[-5, 5]])), [[-3, 7]])
    assert "anchor" in ops(simplified(frozen(_branch)))


def test_assertion_still_fails() -> None:
    run = forward(simplified(frozen(_assertion)))
    np.testing.assert_array_equal(run(values([[1, 2]])), [[1, 2]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="negative"):
        run(values([[-1, 2]]))


def test_check_of_numbers_still_fails() -> None:
    run = forward(
        simplified(frozen(lambda x: tf.multiply(tf.debugging.check_numerics(x, "odd"), 2.0, "result")))
    )
    np.testing.assert_array_equal(run(values([[1, 2]])), [[2, 4]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="odd"):
        run(values([[np.nan, 2]]))
