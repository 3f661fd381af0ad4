from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.module import ModuleSettings
from tests import old_graphs


def write(path: Path, graph: tf.Graph) -> Path:
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def named_graph(path: Path, output: str, *, batch: int | None) -> Path:
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [batch, 16, 16, 3], "input")
        tf.nn.avg_pool2d(images, 16, 1, "VALID", name=output)
    return write(path, graph)


def unknown_graph(path: Path, *, keeps_batch: bool = True) -> Path:
    """A graph as people wrote them before Hub: for one image only, which it squeezes and reshapes."""
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [1, 8, 8, 3], "data")
        pooled = tf.nn.avg_pool2d(images, 8, 1, "VALID")
        squeezed = tf.squeeze(pooled) if keeps_batch else tf.reduce_sum(pooled, [0, 1, 2])
        vector = tf.reshape(squeezed, [1, 3], name="vector")
        tf.nn.softmax(vector * 2.0, name="scores")
    return write(path, graph)


def load(path: Path, **settings: Any) -> FeatureExtractor:
    return load_extractor(ModuleSettings(str(path), **settings))


def refusal(path: Path, **settings: Any) -> str:
    with pytest.raises(BadModule) as caught:
        load(path, **settings)
    return str(caught.value)


def means(pixels: np.ndarray) -> np.ndarray:
    values: np.ndarray = pixels.mean(axis=(1, 2))
    return values


def random_pixels(size: int, count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).random((count, size, size, 3), np.float32)


SETTINGS = {
    "input_tensor_name": "data",
    "bottleneck_tensor_name": "vector:0",
    "input_mean": 100.0,
    "input_std": 50.0,
}


@pytest.mark.parametrize(
    ("output", "mean", "std"),
    [
        ("InceptionV3/Logits/AvgPool_1a_8x8/AvgPool", 0, 255),
        ("MobilenetV1/Logits/AvgPool_1a/AvgPool", 127.5, 127.5),
    ],
)
@pytest.mark.parametrize("batch", [1, None])
def test_known_graphs_are_recognised_with_their_scaling(
    output: str, mean: float, std: float, batch: int | None, tmp_path: Path
) -> None:
    extractor = load(named_graph(tmp_path / "net.pb", output, batch=batch))
    assert (extractor.name, extractor.image_size, extractor.feature_size) == ("net", ImageSize(16, 16), 3)
    pixels = random_pixels(16)
    np.testing.assert_allclose(extractor.extract(pixels), (means(pixels) * 255 - mean) / std, atol=1e-4)


def test_any_other_graph_is_used_as_the_settings_say_and_in_batches(tmp_path: Path) -> None:
    extractor = load(unknown_graph(tmp_path / "net.pb"), **SETTINGS)
    pixels = random_pixels(8)
    np.testing.assert_allclose(extractor.extract(pixels), (means(pixels) * 255 - 100) / 50, atol=1e-4)
    scores = load(unknown_graph(tmp_path / "net.pb"), **{**SETTINGS, "bottleneck_tensor_name": "scores"})
    np.testing.assert_allclose(scores.extract(pixels).sum(axis=1), 1, rtol=1e-5)
    assert scores.fingerprint != extractor.fingerprint


def test_unknown_graph_without_settings_is_refused_with_what_to_set(tmp_path: Path) -> None:
    path = unknown_graph(tmp_path / "net.pb")
    assert refusal(path) == (
        f"module '{path}' is a frozen graph that is not a well-known one. To use it, set input_tensor_name, "
        "bottleneck_tensor_name, input_mean, input_std. Likely inputs: data; likely outputs: AvgPool2D, scores."
    )


def test_only_what_cannot_be_read_from_the_graph_is_asked_for(tmp_path: Path) -> None:
    def build() -> None:
        pool = old_graphs.colours(old_graphs.decoded(size=16) / 255.0, "conv", "pool")
        tf.reshape(pool, [1, 3], name="vector")

    path = old_graphs.write(tmp_path / "net.pb", build)
    assert refusal(path) == (
        f"module '{path}' is a frozen graph that is not a well-known one. To use it, set bottleneck_tensor_name. "
        "Likely inputs: none; likely outputs: pool, vector."
    )
    extractor = load(path, bottleneck_tensor_name="vector")
    assert (extractor.image_size, extractor.feature_size) == (ImageSize(16, 16), 3)


def test_op_that_does_not_exist_is_refused_with_likely_ones(tmp_path: Path) -> None:
    path = unknown_graph(tmp_path / "net.pb")
    assert refusal(path, **{**SETTINGS, "bottleneck_tensor_name": "pool"}) == (
        f"bottleneck_tensor_name 'pool:0' is not in module '{path}'. Likely inputs: data; likely outputs: "
        "AvgPool2D, scores."
    )


def test_graph_for_one_image_that_cannot_take_more_is_refused(tmp_path: Path) -> None:
    path = unknown_graph(tmp_path / "net.pb", keeps_batch=False)
    message = refusal(path, **SETTINGS)
    assert message.startswith(f"module '{path}' ")
    assert "cannot be" in message


def test_size_that_contradicts_the_graph_is_refused_with_both_sizes(tmp_path: Path) -> None:
    path = unknown_graph(tmp_path / "net.pb")
    assert refusal(path, **SETTINGS, image_size=224) == (
        f"image_size 224 contradicts module {path}, which takes 8x8. Leave it out."
    )


def test_file_that_is_not_a_graph_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.pb"
    path.write_bytes(b"<html>")
    assert refusal(path) == f"module '{path}' is not a frozen graph, or is cut short."
