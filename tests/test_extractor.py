from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import numpy as np
import pytest

from retraining import extractor
from retraining.catalogue import DEFAULT_MODULE
from retraining.errors import BadModule
from retraining.images import ImageSize
from retraining.quiet_tensorflow import tf
from tests.conftest import MODULE_FEATURES, MODULE_SIZE


def save(folder: Path, function: object) -> Path:
    module = tf.Module()
    module.__call__ = function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    return folder


def refusal(handle: str | Path, **settings: Path) -> str:
    with pytest.raises(BadModule) as caught:
        extractor.load(str(handle), **settings)
    return str(caught.value)


def random_pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((count, MODULE_SIZE, MODULE_SIZE, 3), np.float32)


def test_both_forms_of_a_module_give_its_function(tf1_hub_module: Path, tf2_module: Path) -> None:
    pixels = random_pixels()
    grid = pixels.reshape(5, 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(5, -1)
    expected = grid * np.linspace(1, 8, MODULE_FEATURES)
    for folder in (tf1_hub_module, tf2_module):
        network = extractor.load(str(folder))
        assert network.name == folder.name
        assert network.image_size == ImageSize(MODULE_SIZE, MODULE_SIZE)
        assert network.feature_size == MODULE_FEATURES
        np.testing.assert_allclose(network.extract(pixels), expected, rtol=1e-5)


def test_module_runs_frozen(tf1_hub_module: Path, tf2_module: Path) -> None:
    for folder in (tf1_hub_module, tf2_module):
        graph_def = extractor.load(str(folder)).graph.graph_def
        assert len(graph_def.library.function) == 0
        ops = {node.op for node in graph_def.node}
        assert not ops & {"VarHandleOp", "VariableV2", "ReadVariableOp", "Switch", "Merge", "PartitionedCall"}


def test_builtin_is_the_module_that_ships() -> None:
    network = extractor.load("builtin")
    assert (network.name, network.image_size, network.feature_size) == (
        "small_resnet_128",
        ImageSize(128, 128),
        768,
    )
    vectors = network.extract(np.random.default_rng(0).random((2, 128, 128, 3), np.float32))
    assert vectors.shape == (2, 768)
    assert np.ptp(vectors, axis=0).max() > 0


def test_module_without_signature_is_called(tmp_path: Path) -> None:
    module = tf.Module()
    shape = tf.TensorSpec([None, None, None, 3], tf.float32)
    function = tf.function(lambda images: tf.reduce_mean(images, [1, 2]))
    function.get_concrete_function(shape)
    module.__call__ = function
    tf.saved_model.save(module, str(tmp_path / "mean_064"), signatures={})
    shutil.move(tmp_path / "mean_064", tmp_path / "mean_160")
    network = extractor.load(str(tmp_path / "mean_160"))
    assert network.image_size == ImageSize(160, 160)  # of the name: the module takes any size
    np.testing.assert_allclose(network.extract(np.full((1, 160, 160, 3), 0.25, np.float32)), [[0.25] * 3])


def test_fingerprint_follows_the_weights_and_not_the_place(tf2_module: Path, tmp_path: Path) -> None:
    original = extractor.load(str(tf2_module)).fingerprint
    copy = shutil.copytree(tf2_module, tmp_path / "copy")
    assert extractor.load(str(copy)).fingerprint == original
    weights = copy / "variables" / "variables.data-00000-of-00001"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BadModule):
        extractor.load(str(copy))  # TensorFlow's own checksum
    (copy / "assets").mkdir(exist_ok=True)
    shutil.copy(tf2_module / "variables" / weights.name, weights)
    (copy / "assets" / "new.txt").write_text("another file")
    assert extractor.load(str(copy)).fingerprint != original


def test_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == (
        f"--tfhub_module '{tmp_path / 'nowhere'}' is neither an existing folder nor a web address nor 'builtin'."
    )


def test_half_a_module_is_named_with_what_it_lacks(tf2_module: Path, tmp_path: Path) -> None:
    half = shutil.copytree(tf2_module, tmp_path / "half")
    (half / "variables" / "variables.index").unlink()
    assert refusal(half) == (
        f"module '{half}' is incomplete: it has no variables/variables.index. If it came from a download that "
        "was cut off, remove the folder and run again."
    )


def test_damaged_module_is_named(tf2_module: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tf2_module, tmp_path / "damaged")
    content = (damaged / "saved_model.pb").read_bytes()
    (damaged / "saved_model.pb").write_bytes(content[: len(content) // 2])
    assert refusal(damaged).startswith(f"module '{damaged}' cannot be loaded, it may be damaged: ")


def test_module_for_text_is_refused_with_what_it_takes(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def embed(sentences: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.strings.length(sentences), tf.float32)[:, tf.newaxis] * tf.ones([1, 3])

    folder = save(tmp_path / "text", embed)
    assert refusal(folder) == (
        f"module {folder} takes string (None,) at 'sentences'; an image module takes float32 "
        "[batch, height, width, 3]."
    )


def test_classifier_of_pixels_is_refused_with_what_it_gives(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def same(images: tf.Tensor) -> tf.Tensor:
        return images * 2.0

    folder = save(tmp_path / "pixels", same)
    assert refusal(folder) == (
        f"module {folder} gives float32 (None, 8, 8, 3); a feature-vector module gives float32 "
        "[batch, features]. Hub addresses of these hold '/feature_vector/'."
    )


def test_default_module_that_cannot_be_fetched_names_the_ways_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A proxy that nothing listens on: no request leaves this machine, with a network or without.
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("TFHUB_CACHE_DIR", "")
    message = refusal(DEFAULT_MODULE, model_dir=tmp_path)
    assert message == (
        f"module {DEFAULT_MODULE} cannot be fetched ([Errno 111] Connection refused). Ways on: --tfhub_module "
        "builtin uses the small module that ships with this program; --tfhub_module FOLDER uses one that you "
        "have downloaded and unpacked; TFHUB_CACHE_DIR names the folder in which an earlier download lies."
    )


def test_web_module_is_taken_from_the_hub_cache(
    tf1_hub_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = "https://tfhub.dev/google/some_net/feature_vector/3"
    # tensorflow_hub's own naming: the SHA-1 of the address with its format.
    name = hashlib.sha1(handle.encode()).hexdigest()
    shutil.copytree(tf1_hub_module, tmp_path / name)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    network = extractor.load(handle)
    assert network.name == "some_net_feature_vector_3"
    assert network.feature_size == MODULE_FEATURES
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    assert extractor.load(handle, model_dir=tmp_path).fingerprint == network.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == [name]
