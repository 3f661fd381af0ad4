from __future__ import annotations

import numpy as np
import pytest

from retraining.graphs.frozen_graph import FrozenGraph, for_inference, forward
from retraining.graphs.quiet_tensorflow import tf


def with_branch(*, is_training: bool) -> FrozenGraph:
    """x + 1 in training, x * 2 otherwise, behind a placeholder with a default."""
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 1], "x")
        training = tf.compat.v1.placeholder_with_default(is_training, [], "training")
        if_false, if_true = tf.raw_ops.Switch(data=x, pred=tf.identity(training))
        with tf.control_dependencies([if_true]):
            one = tf.constant(1.0)
        merged = tf.raw_ops.Merge(inputs=[if_false * 2.0, if_true + one])[0]
        tf.identity(merged, "y")
        tf.constant(np.zeros(1000, np.float32), name="unused")
    return FrozenGraph(graph.as_graph_def(), "x:0", "y:0")


@pytest.mark.parametrize("is_training", [False, True])
def test_constant_branch_is_taken_and_the_function_stays_the_same(is_training: bool) -> None:
    original = with_branch(is_training=is_training)
    simpler = for_inference(original)
    x = np.array([[1.0], [5.0]], np.float32)
    np.testing.assert_array_equal(forward(simpler)(x), forward(original)(x))
    np.testing.assert_array_equal(forward(simpler)(x), x + 1 if is_training else x * 2)
    ops = {node.op for node in simpler.graph_def.node}
    assert not ops & {"Switch", "Merge", "PlaceholderWithDefault"}
    assert "unused" not in {node.name for node in simpler.graph_def.node}


def test_branch_that_the_input_decides_is_kept() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [], "x")
        if_false, if_true = tf.raw_ops.Switch(data=x, pred=x > 3.0)
        tf.identity(tf.raw_ops.Merge(inputs=[if_false * 2.0, if_true + 1.0])[0], "y")
    run = forward(for_inference(FrozenGraph(graph.as_graph_def(), "x:0", "y:0")))
    np.testing.assert_array_equal([run(np.array(x, np.float32)) for x in (1, 10)], [2, 11])


def test_input_with_a_default_stays_an_input() -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder_with_default(tf.zeros([2]), [None], "x")
        tf.identity(x * 2.0, "y")
    run = forward(for_inference(FrozenGraph(graph.as_graph_def(), "x:0", "y:0")))
    np.testing.assert_array_equal(run(np.array([4], np.float32)), [8])
