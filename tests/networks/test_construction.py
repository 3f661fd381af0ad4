from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.errors import BadRequest
from retraining.graphs.frozen_graph import FrozenGraph, forward, static_shapes
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks import checkpoint, construction, keras_freezing
from retraining.networks.checkpoint import Description
from retraining.settings import architectures

THIN: dict[str, Any] = {"width": 0.125, "image_size": 80}

# At 1,000 classes: parameters, and the shapes that the papers give.
PUBLISHED: dict[str, tuple[int, dict[str, tuple[int, int, int]]]] = {
    "alexnet": (
        62_378_344,
        {"conv1": (55, 55, 96), "conv2": (27, 27, 256), "conv4": (13, 13, 384), "conv5_pool": (6, 6, 256)},
    ),
    "googlenet": (
        6_998_552,
        {
            "conv2d0": (112, 112, 64),
            "maxpool1": (28, 28, 192),
            "mixed3a": (28, 28, 256),
            "mixed4a": (14, 14, 512),
            "mixed4e": (14, 14, 832),
            "mixed5b": (7, 7, 1024),
        },
    ),
    "vgg16": (138_357_544, {"block1_conv2": (224, 224, 64), "block5_pool": (7, 7, 512)}),
    "resnet50": (25_636_712, {"conv1_conv": (112, 112, 64), "conv5_block3_out": (7, 7, 2048)}),
    "inception_v3": (23_851_784, {"mixed0": (35, 35, 256), "mixed3": (17, 17, 768), "mixed10": (8, 8, 2048)}),
    "xception": (22_910_480, {"block1_conv1": (149, 149, 32), "block14_sepconv2_act": (10, 10, 2048)}),
}

HEADS = {"head0_pool": (4, 4, 512), "head1_pool": (4, 4, 528), "head0_bottleneck": (4, 4, 128)}

QUICK = ("alexnet", "googlenet")
EACH = [name if name in QUICK else pytest.param(name, marks=pytest.mark.soak) for name in architectures.NAMES]


def random_images(size: int, count: int = 2) -> np.ndarray:
    return np.random.default_rng(0).random((count, size, size, 3), np.float32)


@pytest.mark.parametrize("name", EACH)
def test_full_network_has_the_parameters_and_shapes_of_its_paper(name: str) -> None:
    parameters, shapes = PUBLISHED[name]
    network = construction.build(name, classes=1000)
    size = architectures.ARCHITECTURES[name].image_size
    assert network.input_shape == (None, size, size, 3)
    assert construction.main_path(network).count_params() == parameters
    for layer, shape in (shapes | (HEADS if name == "googlenet" else {})).items():
        assert tuple(network.get_layer(layer).output.shape) == (None, *shape), layer
    assert [tuple(output.shape) for output in network.outputs] == [(None, 1000)] * (
        3 if name == "googlenet" else 1
    )


@pytest.mark.parametrize("name", EACH)
def test_thin_network_has_the_same_layers_with_fewer_filters(name: str) -> None:
    network = construction.build(name, classes=3, **THIN)
    thinner = construction.build(name, classes=3, **{**THIN, "width": 0.01})
    assert thinner.count_params() < network.count_params() < PUBLISHED[name][0] / 10
    assert [layer.name for layer in thinner.layers] == [layer.name for layer in network.layers]
    filters = [layer.filters for layer in thinner.layers if hasattr(layer, "filters")]
    assert min(filters) == construction.FEWEST_FILTERS
    probabilities = construction.main_path(network)(random_images(80)).numpy()
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)


def test_weights_depend_only_on_the_seed() -> None:
    tf.keras.utils.set_random_seed(1)
    first = construction.build("alexnet", classes=3, **THIN, seed=5).get_weights()
    tf.keras.utils.set_random_seed(2)
    same = construction.build("alexnet", classes=3, **THIN, seed=5).get_weights()
    other = construction.build("alexnet", classes=3, **THIN, seed=6).get_weights()
    assert all(np.array_equal(one, two) for one, two in zip(first, same, strict=True))
    assert not np.array_equal(first[0], other[0])
    assert not np.array_equal(first[2].ravel()[:100], first[0].ravel()[:100])


@pytest.mark.soak
def test_names_do_not_depend_on_what_was_built_before() -> None:
    first = construction.build("xception", classes=3, **THIN)
    tf.keras.layers.Conv2D(8, 3)
    again = construction.build("xception", classes=3, **THIN)
    assert [weight.path for weight in first.weights] == [weight.path for weight in again.weights]
    assert "conv2d/kernel" in {weight.path for weight in again.weights}


@functools.cache
def thin_graph(name: str) -> FrozenGraph:
    return construction.frozen_graph(name, **THIN, seed=3)


def test_googlenet_has_the_59_convolutions_of_the_published_network() -> None:
    graph = thin_graph("googlenet")
    convolutions = {node.name for node in graph.graph_def.node if node.op == "Conv2D"}
    tensors = static_shapes(graph.graph_def)
    blocks = ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    parts = ("1x1", "3x3_bottleneck", "3x3", "5x5_bottleneck", "5x5", "pool_reduce")
    expected = ["conv2d0", "conv2d1", "conv2d2", "head0_bottleneck", "head1_bottleneck"]
    expected += [f"mixed{block}_{part}" for block in blocks for part in parts]
    assert convolutions == {f"{name}_pre_relu/convolution" for name in expected}
    assert len(convolutions) == 59
    assert all(f"{name}_pre_relu:0" in tensors for name in expected)
    assert tensors["mixed3a_1x1_pre_relu:0"] == [None, 10, 10, 8]


@pytest.mark.parametrize("name", EACH)
def test_frozen_graph_gives_the_same_results_as_the_network(name: str) -> None:
    network = construction.build(name, classes=1000, **THIN, seed=3)
    graph = thin_graph(name)
    assert len(graph.graph_def.library.function) == 0
    expected = construction.main_path(network)(random_images(80), training=False).numpy()
    np.testing.assert_allclose(forward(graph)(random_images(80)), expected, rtol=1e-3, atol=1e-6)
    unexpected = {node.name.split("/")[0] for node in graph.graph_def.node}
    assert unexpected <= {layer.name for layer in network.layers} | {"images"}


def test_weights_of_a_frozen_graph_are_in_the_same_order_in_every_process() -> None:
    # TensorFlow's own order depends on the process; with it, cached vectors were never found again.
    nodes = thin_graph("googlenet").graph_def.node
    weights = [node.name for node in nodes if node.op == "Const"]
    reads = [node.name for node in nodes if node.name.endswith("/ReadVariableOp")]
    assert len(weights) >= len(reads) > 59
    assert [node.name for node in nodes][: len(weights) + len(reads)] == sorted(weights) + sorted(reads)


def test_layer_before_a_dropout_keeps_its_name() -> None:
    network = construction.build("alexnet", classes=3, **THIN)
    features = tf.keras.Model(network.input, network.get_layer("predictions").input, name="alexnet")
    assert keras_freezing.freeze_network(features).output_name == "fc7:0"


def test_unknown_network_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(BadRequest) as caught:
        construction.build("gogglenet", classes=3)
    assert str(caught.value) == (
        "'gogglenet' is not a network that can be trained from scratch. Did you mean googlenet, alexnet or resnet50?"
    )


def test_size_too_small_for_a_network_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        construction.build("xception", classes=3, image_size=64)
    assert str(caught.value) == (
        "image_size of xception must be at least 71, received 64. Raise it, or leave the network out."
    )


@pytest.mark.parametrize("name", EACH)
def test_network_works_at_its_smallest_size(name: str) -> None:
    size = architectures.ARCHITECTURES[name].smallest_size
    network = construction.build(name, classes=3, width=0.01, image_size=size)
    assert construction.main_path(network).output_shape == (None, 3)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    network = construction.build("alexnet", classes=2, **THIN, seed=4)
    path = tmp_path_factory.mktemp("stored") / "alexnet.npz"
    checkpoint.write(network, path, Description("alexnet", ("ä", "b\udcff"), 80, 0.125))
    return network, path


def test_network_is_read_as_it_was_written(stored: tuple[Any, Path]) -> None:
    network, path = stored
    expected = network(random_images(80), training=False).numpy()
    np.testing.assert_array_equal(
        construction.read_network(path)(random_images(80), training=False).numpy(), expected
    )
    graph = construction.frozen_graph("alexnet", weights=path)
    np.testing.assert_allclose(forward(graph)(random_images(80)), expected, rtol=1e-4)
    assert checkpoint.read(path).description == Description("alexnet", ("ä", "b\udcff"), 80, 0.125)


def refusal(path: Path, name: str | None = None) -> str:
    with pytest.raises(BadRequest) as caught:
        construction.read_network(path, name=name)
    return str(caught.value)


def test_weights_of_another_network_are_refused(stored: tuple[Any, Path]) -> None:
    assert refusal(stored[1], "vgg16") == (
        f"weights '{stored[1]}' belong to alexnet, but the network asked for is vgg16."
    )


def test_missing_weights_are_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.npz") == f"weights '{tmp_path / 'none.npz'}' do not exist."


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_incomplete_file_is_refused(stored: tuple[Any, Path], tmp_path: Path, share: float) -> None:
    content = stored[1].read_bytes()
    (tmp_path / "short.npz").write_bytes(content[: int(len(content) * share)])
    assert refusal(tmp_path / "short.npz").startswith(
        f"weights '{tmp_path / 'short.npz'}' were not written by compare, or the file is incomplete ("
    )


def test_changed_byte_is_detected(stored: tuple[Any, Path], tmp_path: Path) -> None:
    content = bytearray(stored[1].read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "changed.npz").write_bytes(content)
    assert "Bad CRC-32" in refusal(tmp_path / "changed.npz")


def test_pickled_objects_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickled.npz", conv=np.array([{"a": 1}], object))
    assert "allow_pickle=False" in refusal(tmp_path / "pickled.npz")


def test_description_that_makes_no_sense_is_refused(stored: tuple[Any, Path], tmp_path: Path) -> None:
    network, path = stored[0], tmp_path / "odd.npz"
    checkpoint.write(network, path, Description("alexnet", ("a", "b"), 80, 4.0))
    assert "its description gives image size 80 and width 4.0" in refusal(path)
    checkpoint.write(network, path, Description("lenet", ("a", "b"), 80, 1.0))
    assert "'lenet' is not a known network" in refusal(path)


def test_weights_of_another_width_are_refused(tmp_path: Path) -> None:
    network = construction.build("alexnet", classes=2, image_size=80, width=0.25)
    path = tmp_path / "wide.npz"
    checkpoint.write(network, path, Description("alexnet", ("a", "b"), 80, 0.125))
    assert refusal(path) == (
        f"weights '{path}' do not fit alexnet: conv1_pre_relu/kernel must have shape [11, 11, 3, 12], but in the "
        "file it has shape [11, 11, 3, 24]. Train the network again with compare."
    )
