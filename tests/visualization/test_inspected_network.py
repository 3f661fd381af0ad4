from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retraining import feature_maps
from retraining.arrays import ImageSize
from retraining.cli.programs import FEATURE_MAPS
from retraining.errors import BadRequest
from retraining.graphs.quiet_tensorflow import tf
from retraining.networks import construction
from retraining.visualization import feature_maps as maps_pages
from retraining.visualization import inspected_network
from retraining.visualization.inspected_network import InspectedNetwork
from tests.conftest import checked, save_tf1_hub

SIZE = 32
LABELS = ("cyan", "magenta", "yellow")


def layers_of(images: tf.Tensor) -> tf.Tensor:
    """A network of four convolutions, with the same weights in every test."""
    rng = np.random.default_rng(0)

    def kernel(*shape: int) -> tf.Tensor:
        return tf.constant(rng.normal(0, 0.4, shape), tf.float32)

    with tf.name_scope("net"):
        maps = images * 2.0 - 1.0
        maps = tf.nn.conv2d(maps, kernel(3, 3, 3, 6), 1, "VALID", name="first/Conv2D")
        maps = tf.nn.relu(tf.nn.bias_add(maps, [1.0] * 6, name="first/BiasAdd"))
        maps = tf.nn.conv2d(maps, kernel(3, 3, 6, 6), 2, "SAME", name="second/Conv2D")
        maps = tf.nn.depthwise_conv2d(tf.nn.relu(maps), kernel(3, 3, 6, 1), [1] * 4, "SAME", name="third")
        maps = tf.nn.conv2d(tf.nn.relu(maps), kernel(3, 3, 6, 8), 2, "SAME", name="last/Conv2D")
        return tf.reduce_mean(tf.nn.relu(maps), [1, 2], name="features")


def write_network(folder: Path) -> Path:
    """Write such a network to graph.pb, as retrain.py would export it, and its labels to labels.txt."""
    graph = tf.Graph()
    with graph.as_default():
        features = layers_of(tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "Placeholder"))
        weights = np.random.default_rng(1).normal(0, 1, (8, len(LABELS)))
        tf.nn.softmax(tf.matmul(features, tf.constant(weights, tf.float32)), name="final_result")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "labels.txt").write_text("".join(f"{label}\n" for label in LABELS))
    return folder / "graph.pb"


def write_tf1_hub_module(folder: Path) -> Path:
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, SIZE, SIZE, 3], "images")
        # A Hub module has variables; without one nothing is saved.
        scale = tf.compat.v1.get_variable("scale", initializer=1.0)
        features = layers_of(images) * scale
        session.run(scale.initializer)
        save_tf1_hub(session, folder, images, features)
    return folder


def write_known_graph(path: Path) -> Path:
    """Write a frozen graph that the program recognises as MobileNet v1, with the batch size fixed at 1."""
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [1, SIZE, SIZE, 3], "input")
        maps = tf.nn.conv2d(
            images, tf.ones([4, 4, 3, 5]), 4, "VALID", name="MobilenetV1/Conv2d_0/convolution"
        )
        pooled = tf.nn.avg_pool2d(maps, 8, 1, "VALID", name="MobilenetV1/Logits/AvgPool_1a/AvgPool")
        scores = tf.nn.conv2d(
            pooled, tf.ones([1, 1, 5, 3]), 1, "SAME", name="MobilenetV1/Logits/Conv2d_1c_1x1/convolution"
        )
        tf.nn.softmax(tf.reshape(scores, [1, 3]), name="MobilenetV1/Predictions/Softmax")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def load(*words: str | Path) -> InspectedNetwork:
    return inspected_network.load(checked(FEATURE_MAPS, [*map(str, words), "--list_layers"]).network)


def refusal(*words: str | Path) -> str:
    with pytest.raises(BadRequest) as caught:
        load(*words)
    return caught.value.message.text(setting_name=FEATURE_MAPS.flag_name)


LISTED = """\
first   Conv2D                 30x30x6
second  Conv2D                 15x15x6
third   DepthwiseConv2dNative  15x15x6
last    Conv2D                 8x8x8
4 convolutions"""


def test_retrained_graph_lists_its_convolutions_by_short_names(tmp_path: Path) -> None:
    network = load("--graph", write_network(tmp_path))
    assert network.image_size == ImageSize(SIZE, SIZE)
    assert network.list_layers() == LISTED


def test_module_lists_the_same_convolutions(tmp_path: Path) -> None:
    assert load("--tfhub_module", write_tf1_hub_module(tmp_path / "hub")).list_layers() == LISTED


def test_known_graph_gets_its_own_scale_and_its_main_path_ends_with_the_class_scores(
    tmp_path: Path,
) -> None:
    network = load("--graph", write_known_graph(tmp_path / "net.pb"))
    assert [layer.name for layer in network.main_path()] == ["Conv2d_0", "Logits/Conv2d_1c_1x1"]
    pixels = np.random.default_rng(0).random((SIZE, SIZE, 3), np.float32)
    (normalised,) = network.values([network.normalised_input()], pixels)
    np.testing.assert_allclose(normalised, pixels * 2 - 1, atol=1e-5)


def test_flags_set_the_scale_of_a_graph(tmp_path: Path) -> None:
    network = load("--graph", write_network(tmp_path), "--input_mean", "0", "--input_std", "510")
    pixels = np.ones((SIZE, SIZE, 3), np.float32)
    (normalised,) = network.values([network.normalised_input()], pixels)
    np.testing.assert_allclose(normalised, 0, atol=1e-6)  # 2 * 255 / 510 - 1


@pytest.mark.soak
def test_googlenet_has_the_59_convolutions_of_the_published_network() -> None:
    network = load("--network", "googlenet", "--image_size", "65")
    names = [layer.name for layer in network.convolutions]
    assert len(names) == 59
    assert names[:3] == ["conv2d0_pre_relu", "conv2d1_pre_relu", "conv2d2_pre_relu"]
    assert names[-2:] == ["head0_bottleneck_pre_relu", "head1_bottleneck_pre_relu"]
    assert {"mixed3a_1x1_pre_relu", "mixed5b_pool_reduce_pre_relu"} < set(names)
    assert [layer.name for layer in network.main_path()] == names[:-2]
    chosen = maps_pages.chosen_layers(network, "")
    assert [layer.height for layer in chosen] == [33, 17, 9, 5, 3]
    assert chosen[-1].name == names[-3]


def test_network_trained_by_compare_is_read_with_its_weights_and_size(alexnet_weights: Path) -> None:
    network = load("--network", "alexnet", "--weights", alexnet_weights)
    assert network.image_size == ImageSize(67, 67)
    pixels = np.random.default_rng(0).random((67, 67, 3), np.float32)
    (scores,) = network.values([network.graph.output_name], pixels)
    expected = construction.read_network(alexnet_weights)(pixels[np.newaxis]).numpy()[0]
    np.testing.assert_allclose(scores, expected, atol=1e-6)


def test_value_of_a_convolution_includes_its_biases(tmp_path: Path) -> None:
    network = load("--graph", write_network(tmp_path))
    grey = np.full((SIZE, SIZE, 3), 0.5, np.float32)  # which the network scales to 0
    (maps,) = network.values([network.layers_named(["first"])[0].tensor_name], grey)
    np.testing.assert_allclose(maps, 1, atol=1e-6)


def test_layer_can_be_named_by_its_op_even_if_it_is_not_a_convolution(tmp_path: Path) -> None:
    network = load("--graph", write_network(tmp_path))
    short, long, other = network.layers_named(["first", "network/net/first/Conv2D", "network/net/Relu"])
    assert short == long
    assert (other.operation, other.shape) == ("Relu", "30x30x6")


def test_unknown_layer_is_refused_with_the_nearest_name(tmp_path: Path) -> None:
    network = load("--graph", write_network(tmp_path))
    with pytest.raises(BadRequest) as caught:
        network.layers_named(["first", "secnd"])
    assert (
        str(caught.value) == "layers 'secnd' is not a layer of graph with feature maps. Did you mean second?"
    )
    with pytest.raises(BadRequest) as caught:
        network.layers_named(["?"])
    assert str(caught.value) == (
        "layers '?' is not a layer of graph with feature maps. list_layers prints the names of all convolutions."
    )


def test_network_without_convolutions_is_refused(tf2_module: Path) -> None:
    assert refusal("--tfhub_module", tf2_module) == (
        "colour_grid has no convolutions, so there is nothing to see. Give another network."
    )


def test_graph_with_several_inputs_is_refused_with_their_names(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        for name in ("left", "right"):
            tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], name)
    path = tmp_path / "net.pb"
    path.write_bytes(graph.as_graph_def().SerializeToString())
    assert refusal("--graph", path) == (
        f"graph '{path}' has 2 inputs (left, right). Name one with --input_tensor_name."
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "",
            "name the network with one of --graph, --tfhub_module and --network, received none. Give one, such as "
            "--tfhub_module builtin.",
        ),
        (
            "--tfhub_module builtin --network vgg16",
            "name the network with one of --graph, --tfhub_module and --network, received --tfhub_module and --network. "
            "Give one, such as --tfhub_module builtin.",
        ),
        ("--graph /nowhere.pb", "--graph '/nowhere.pb' does not exist. retrain.py writes one."),
        (
            "--tfhub_module builtin --weights net.npz",
            "--weights needs --network. Name the network, or leave the weights out.",
        ),
        (
            "--network vgg16 --weights /nowhere",
            "--weights '/nowhere' does not exist. compare writes weights.",
        ),
        (
            "--network vgg16 --weights net.npz --image_size 64",
            "--image_size is recorded in the file of --weights. Leave it out.",
        ),
        (
            "--network gogglenet",
            "'gogglenet' is not a network that can be trained from scratch. Did you mean googlenet, alexnet or resnet50?",
        ),
        (
            "--network vgg16 --input_std 5",
            "--input_std is for a frozen graph (.pb). Leave it out with --network.",
        ),
        (
            "--tfhub_module builtin --input_mean 5",
            "--input_mean is for a frozen graph (.pb), but the module is 'builtin'. Leave it out.",
        ),
    ],
)
def test_network_that_cannot_be_used_is_refused(
    words: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert feature_maps.main([*words.split(), "--list_layers"]) == 2
    assert capsys.readouterr().err == f"feature_maps: error: {message}\n"
