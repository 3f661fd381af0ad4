"""The blocks of networks, by the rule that the module states."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from retraining.graphs import blocks
from retraining.graphs.frozen_graph import forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.simplification import for_training
from tests import toy_networks
from tests.graphs.test_weights import images
from tests.toy_networks import Layers, network

relu = tf.nn.relu


def widths(build: Callable[[tf.Tensor, Layers], tf.Tensor]) -> list[list[int]]:
    """Return for each block the last dimensions of its filters."""
    found = blocks.blocks_of(for_training(network(build)))
    return [[value.shape[-1] for value in block.weights.values() if value.ndim == 4] for block in found]


def test_each_convolution_of_a_chain_is_a_block_with_its_norm_and_activation() -> None:
    def chain(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = relu(layers.norm(layers.conv(x, 4)))
        x = tf.nn.max_pool2d(relu(layers.conv(x, 5)), 2, 2, "SAME")
        return relu(layers.conv(x, 6))

    assert widths(chain) == [[4], [5], [6]]
    found = blocks.blocks_of(for_training(network(chain)))
    assert [len(block.weights) for block in found] == [4, 2, 2]


def test_residual_block_is_one_block_with_its_shortcut() -> None:
    def residual(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = relu(layers.conv(x, 4))
        x = relu(layers.conv(relu(layers.conv(x, 5)), 6) + layers.conv(x, 6, size=1))
        return relu(layers.conv(x, 6) + x)

    assert widths(residual) == [[4], [5, 6, 6], [6]]


def test_parallel_branches_are_one_block() -> None:
    def inception(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = relu(layers.conv(x, 4))
        x = tf.concat([relu(layers.conv(x, 5)), layers.conv(layers.conv(x, 6, size=1), 7)], 3)
        return layers.conv(x, 8)

    assert [sorted(block) for block in widths(inception)] == [[4], [5, 6, 7], [8]]


def test_inverted_bottleneck_is_one_block_without_a_residual_sum_too() -> None:
    def bottlenecks(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = relu(layers.conv(x, 4))
        for width in (5, 6):
            wide = relu(layers.norm(layers.conv(x, 8, size=1)))
            x = layers.conv(relu(layers.norm(layers.depthwise(wide))), width, size=1)
        return relu(layers.conv(x, 9, size=1))

    assert widths(bottlenecks) == [[4], [8, 1, 5], [8, 1, 6], [9]]


def test_depthwise_convolution_is_a_block_with_the_convolution_after_it() -> None:
    def separable(x: tf.Tensor, layers: Layers) -> tf.Tensor:
        x = relu(layers.conv(x, 4))
        for width in (5, 6):
            x = relu(layers.conv(relu(layers.depthwise(x)), width, size=1))
        return x

    assert widths(separable) == [[4], [1, 5], [1, 6]]


def test_network_without_weights_has_no_blocks() -> None:
    assert blocks.blocks_of(for_training(network(lambda x, _: relu(x)))) == ()


@pytest.mark.parametrize("number", range(4))
def test_network_that_is_cut_before_a_block_computes_the_same(number: int) -> None:
    graph = for_training(network(toy_networks.residual))
    source = blocks.blocks_of(graph)[number].source
    inputs = forward(blocks.before(graph, source))(images())
    np.testing.assert_array_equal(forward(blocks.after(graph, source))(inputs), forward(graph)(images()))
    assert len(blocks.blocks_of(blocks.after(graph, source))) == 4 - number
