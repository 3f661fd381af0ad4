"""The weights of a graph: which they are, and how others are put in their place."""

from __future__ import annotations

import numpy as np
import pytest

from retraining.graphs import weights
from retraining.graphs.frozen_graph import FrozenGraph, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.simplification import for_training
from tests import toy_networks
from tests.toy_networks import SIZE, Layers, network


def all_weights(graph: FrozenGraph) -> dict[str, np.ndarray]:
    return {name: value for own in weights.weights_by_op(graph).values() for name, value in own.items()}


def constant_types(graph: FrozenGraph) -> list[str]:
    constants = (node.attr["dtype"].type for node in graph.graph_def.node if node.op == "Const")
    return sorted(tf.as_dtype(dtype).name for dtype in constants)


def images(count: int = 4) -> np.ndarray:
    return np.random.default_rng(1).random((count, SIZE, SIZE, 3), np.float32)


def test_weights_are_filters_biases_and_scales_but_not_pixel_scaling_and_not_measured_statistics() -> None:
    graph = for_training(network(lambda x, layers: layers.norm(layers.conv(x, 6)) * 2.0))
    assert [value.shape for value in all_weights(graph).values()] == [(3, 3, 3, 6), (6,), (6,), (6,)]


def test_norm_that_is_spelt_out_has_the_two_weights_that_it_comes_down_to() -> None:
    graph = for_training(network(lambda x, layers: layers.spelt_out_norm(layers.conv(x, 6))))
    _, _, scale, _ = all_weights(graph).values()
    np.testing.assert_allclose(scale, np.full(6, 1 / np.sqrt(1.001)), rtol=1e-6)


@pytest.mark.parametrize("form", ["float", "half", "bytes"])
def test_weights_put_back_unchanged_change_nothing(form: str) -> None:
    graph = for_training(network(lambda x, layers: layers.conv(x, 6, form=form)))
    again = weights.with_weights(graph, all_weights(graph))
    assert constant_types(again) == constant_types(graph)
    np.testing.assert_array_equal(forward(again)(images()), forward(graph)(images()))


def test_other_weights_are_stored_in_the_form_of_the_old_ones() -> None:
    graph = for_training(network(toy_networks.residual))
    other = all_weights(for_training(network(toy_networks.residual, seed=1)))
    changed = weights.with_weights(graph, other)
    assert constant_types(changed).count("int8") == constant_types(graph).count("int8") == 4
    assert constant_types(changed).count("float16") == constant_types(graph).count("float16") == 2
    for name, value in all_weights(changed).items():
        np.testing.assert_allclose(value, other[name], atol=np.abs(other[name]).max() / 250)


@pytest.mark.parametrize("depthwise", [True, False])
def test_each_output_channel_of_bytes_has_a_step_of_its_own(depthwise: bool) -> None:
    def build(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = layers.conv(x, 4)
        return layers.depthwise(x, form="bytes") if depthwise else layers.conv(x, 5, form="bytes")

    graph = for_training(network(build))
    values = all_weights(graph)
    (name,) = (name for name in values if name.startswith("mul"))
    channels = np.float32(1000) ** np.arange(4 if depthwise else 5, dtype=np.float32)
    value = values[name] * (channels[:, None] if depthwise else channels)
    stored = all_weights(weights.with_weights(graph, {name: value}))[name]
    axes = (0, 1, 3) if depthwise else (0, 1, 2)
    np.testing.assert_array_less(
        np.abs(stored - value) - 1e-6,
        np.broadcast_to(np.abs(value).max(axes, keepdims=True) / 253, value.shape),
    )


def test_channel_of_zeros_and_numbers_beyond_half_precision_stay_finite() -> None:
    graph = for_training(
        network(lambda x, layers: layers.conv(layers.conv(x, 4, form="bytes"), 4, form="half"))
    )
    factors = {True: np.float32(0), False: np.float32(1e9)}
    values = {name: value * factors["mul" in name] for name, value in all_weights(graph).items()}
    assert np.isfinite(forward(weights.with_weights(graph, values))(images())).all()


def test_whether_weights_are_bytes() -> None:
    assert weights.are_bytes(for_training(network(lambda x, layers: layers.conv(x, 4, form="bytes"))))
    assert not weights.are_bytes(for_training(network(lambda x, layers: layers.conv(x, 4, form="half"))))
