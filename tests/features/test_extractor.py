from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.features.extractor import load_extractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import catalogue
from retraining.settings.module import ModuleSettings
from tests.conftest import MODULE_FEATURES, MODULE_SIZE, save_tf1_hub


def save(folder: Path, function: object) -> Path:
    module = tf.Module()
    module.__call__ = function
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    return folder


def refusal(handle: str | Path, **settings: Any) -> str:
    with pytest.raises(BadModule) as caught:
        load_extractor(ModuleSettings(str(handle), **settings))
    return str(caught.value)


def random_pixels(count: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((count, MODULE_SIZE, MODULE_SIZE, 3), np.float32)


def test_module_gives_the_same_vectors_in_both_formats(tf1_hub_module: Path, tf2_module: Path) -> None:
    pixels = random_pixels()
    grid = pixels.reshape(5, 4, 8, 4, 8, 3).mean(axis=(2, 4)).reshape(5, -1)
    expected = grid * np.linspace(1, 8, MODULE_FEATURES)
    for folder in (tf1_hub_module, tf2_module):
        extractor = load_extractor(ModuleSettings(str(folder)))
        assert extractor.name == folder.name
        assert extractor.image_size == ImageSize(MODULE_SIZE, MODULE_SIZE)
        assert extractor.feature_size == MODULE_FEATURES
        np.testing.assert_allclose(extractor.extract(pixels), expected, rtol=1e-5)


def test_module_is_run_as_a_frozen_graph(tf1_hub_module: Path, tf2_module: Path) -> None:
    for folder in (tf1_hub_module, tf2_module):
        graph_def = load_extractor(ModuleSettings(str(folder))).graph.graph_def
        assert len(graph_def.library.function) == 0
        ops = {node.op for node in graph_def.node}
        assert not ops & {"VarHandleOp", "VariableV2", "ReadVariableOp", "Switch", "Merge", "PartitionedCall"}


@pytest.mark.parametrize(
    ("handle", "name", "size", "features"),
    [("builtin", "efficientnet_lite0", 224, 1280), ("builtin_small", "small_resnet_128", 128, 768)],
)
def test_two_modules_ship_with_the_program(handle: str, name: str, size: int, features: int) -> None:
    extractor = load_extractor(ModuleSettings(handle))
    assert (extractor.name, extractor.image_size) == (name, ImageSize(size, size))
    vectors = extractor.extract(np.random.default_rng(0).random((2, size, size, 3), np.float32))
    assert vectors.shape == (2, extractor.feature_size) == (2, features)
    assert np.ptp(vectors, axis=0).max() > 0


def test_module_without_a_signature_is_called(tmp_path: Path) -> None:
    module = tf.Module()
    shape = tf.TensorSpec([None, None, None, 3], tf.float32)
    function = tf.function(lambda images: tf.reduce_mean(images, [1, 2]))
    function.get_concrete_function(shape)
    module.__call__ = function
    tf.saved_model.save(module, str(tmp_path / "mean_064"), signatures={})
    shutil.move(tmp_path / "mean_064", tmp_path / "mean_160")
    extractor = load_extractor(ModuleSettings(str(tmp_path / "mean_160")))
    assert extractor.image_size == ImageSize(160, 160)  # from the name, since the module takes any size
    np.testing.assert_allclose(extractor.extract(np.full((1, 160, 160, 3), 0.25, np.float32)), [[0.25] * 3])


def test_fingerprint_follows_the_weights_and_not_the_place(tf2_module: Path, tmp_path: Path) -> None:
    original = load_extractor(ModuleSettings(str(tf2_module))).fingerprint
    copy = shutil.copytree(tf2_module, tmp_path / "copy")
    assert load_extractor(ModuleSettings(str(copy))).fingerprint == original
    weights = copy / "variables" / "variables.data-00000-of-00001"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(BadModule):
        load_extractor(ModuleSettings(str(copy)))  # TensorFlow's own checksum
    (copy / "assets").mkdir(exist_ok=True)
    shutil.copy(tf2_module / "variables" / weights.name, weights)
    (copy / "assets" / "new.txt").write_text("another file")
    assert load_extractor(ModuleSettings(str(copy))).fingerprint != original


def test_missing_folder_is_named(tmp_path: Path) -> None:
    assert refusal(tmp_path / "nowhere") == (
        f"tfhub_module '{tmp_path / 'nowhere'}' is not an existing folder or file, a web address, a name from "
        "list_modules, 'keras:NAME' or 'builtin'."
    )


def test_incomplete_module_is_named_with_what_is_missing(tf2_module: Path, tmp_path: Path) -> None:
    half = shutil.copytree(tf2_module, tmp_path / "half")
    (half / "variables" / "variables.index").unlink()
    assert refusal(half) == (
        f"module '{half}' is incomplete: it has no variables/variables.index. If a download was interrupted, "
        "delete the folder and run again."
    )


def test_damaged_module_is_named(tf2_module: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(tf2_module, tmp_path / "damaged")
    content = (damaged / "saved_model.pb").read_bytes()
    (damaged / "saved_model.pb").write_bytes(content[: len(content) // 2])
    assert refusal(damaged).startswith(f"module '{damaged}' cannot be loaded and may be damaged: ")


def test_module_for_text_is_refused_with_what_it_takes(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "sentences")])
    def embed(sentences: tf.Tensor) -> tf.Tensor:
        return tf.cast(tf.strings.length(sentences), tf.float32)[:, tf.newaxis] * tf.ones([1, 3])

    folder = save(tmp_path / "text", embed)
    assert refusal(folder) == (
        f"module {folder} takes string (None,) at 'sentences'; an image module takes float32 "
        "[batch, height, width, 3]."
    )


def test_module_that_gives_one_number_is_refused_with_what_it_gives(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def total(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(images)

    folder = save(tmp_path / "pixels", total)
    assert refusal(folder) == (
        f"module {folder} gives float32 (); an image module gives float32 [batch, features], or feature maps "
        "[batch, height, width, features]."
    )


def test_feature_maps_are_averaged_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def double(images: tf.Tensor) -> tf.Tensor:
        return images * 2.0

    extractor = load_extractor(ModuleSettings(str(save(tmp_path / "maps", double))))
    pixels = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    np.testing.assert_allclose(extractor.extract(pixels), 2 * pixels.mean(axis=(1, 2)), rtol=1e-5)
    assert "Module maps gives feature maps (8, 8, 3); they are averaged." in caplog.messages


def test_feature_maps_of_one_pixel_become_vectors_without_a_message(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def pooled(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(images, [1, 2], keepdims=True)

    extractor = load_extractor(ModuleSettings(str(save(tmp_path / "pooled", pooled))))
    assert extractor.extract(np.ones((2, 8, 8, 3), np.float32)).shape == (2, 3)
    assert not caplog.messages


def test_output_named_default_is_used_if_there_are_several(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def several(images: tf.Tensor) -> dict[str, tf.Tensor]:
        mean = tf.reduce_mean(images, [1, 2])
        return {"another": mean * 5.0, "default": mean * 2.0, "third": mean}

    extractor = load_extractor(ModuleSettings(str(save(tmp_path / "several", several))))
    np.testing.assert_allclose(extractor.extract(np.ones((1, 8, 8, 3), np.float32)), [[2, 2, 2]])


def test_several_outputs_without_a_default_are_refused(tmp_path: Path) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def several(images: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"logits": tf.reduce_mean(images, [1, 2]), "boxes": images}

    folder = save(tmp_path / "several", several)
    assert refusal(folder) == (
        f"module '{folder}' has the outputs boxes, logits, and none of them is named default. Use another "
        "module."
    )


def test_signature_for_feature_vectors_is_preferred(tmp_path: Path) -> None:
    specification = tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")
    signatures = {
        name: tf.function(lambda images, factor=factor: tf.reduce_mean(images, [1, 2]) * factor)
        for name, factor in (("serving_default", 1.0), ("default", 2.0), ("image_feature_vector", 3.0))
    }
    concrete = {name: function.get_concrete_function(specification) for name, function in signatures.items()}
    tf.saved_model.save(tf.Module(), str(tmp_path / "net"), signatures=concrete)
    extractor = load_extractor(ModuleSettings(str(tmp_path / "net")))
    np.testing.assert_allclose(extractor.extract(np.ones((1, 8, 8, 3), np.float32)), [[3, 3, 3]])


def test_module_with_other_signatures_is_refused_with_their_names(tmp_path: Path) -> None:
    embed = tf.function(lambda text: tf.strings.length(text)).get_concrete_function(
        tf.TensorSpec([None], tf.string, "text")
    )
    tf.saved_model.save(tf.Module(), str(tmp_path / "net"), signatures={"question": embed, "answer": embed})
    assert refusal(tmp_path / "net") == (
        f"module '{tmp_path / 'net'}' has the signatures answer, question. An image module has one of "
        "image_feature_vector, default, serving_default, or can be called with images."
    )


def any_size(folder: Path) -> Path:
    @tf.function(input_signature=[tf.TensorSpec([None, None, None, 3], tf.float32, "images")])
    def mean(images: tf.Tensor) -> tf.Tensor:
        return tf.reduce_mean(images, [1, 2])

    return save(folder, mean)


@pytest.mark.parametrize(
    ("name", "given", "size"),
    [
        ("net_130_224", None, 224),
        ("net_130_224", 160, 160),
        ("net-96", None, 96),
        ("net", 100, 100),
        ("set-300/net_130_224/feature_vector/4", None, 224),
    ],
)
def test_size_for_a_module_that_takes_any_is_the_given_one_or_the_one_in_its_name(
    name: str, given: int | None, size: int, tmp_path: Path
) -> None:
    extractor = load_extractor(ModuleSettings(str(any_size(tmp_path / name)), image_size=given))
    assert extractor.image_size == ImageSize(size, size)


def test_size_that_is_not_known_is_asked_for(tmp_path: Path) -> None:
    folder = any_size(tmp_path / "photos-300" / "net")
    assert refusal(folder) == (
        f"module {folder} takes images of any size, and its name does not say which to use. Set image_size."
    )


def test_size_that_contradicts_the_module_is_refused_with_both_sizes(tf2_module: Path) -> None:
    assert refusal(tf2_module, image_size=96) == (
        f"image_size 96 contradicts module {tf2_module}, which takes 32x32. Leave it out."
    )


def test_size_of_a_tf1_module_is_read_from_its_image_module_info(tmp_path: Path) -> None:
    # ModuleAttachment(key="image_module_info", value=ImageModuleInfo(default_image_size=(40, 48))).
    attachment = b"\n\x11image_module_info\x12\x06\n\x04\x08\x28\x10\x30"
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, None, None, 3], "images")
        scale = tf.compat.v1.get_variable("scale", initializer=tf.constant(2.0))
        features = tf.reduce_mean(images, [1, 2]) * scale
        graph.add_to_collection("hub_module_attachments", attachment)
        session.run(scale.initializer)
        save_tf1_hub(session, tmp_path / "net_224", images, features)
    assert load_extractor(ModuleSettings(str(tmp_path / "net_224"))).image_size == ImageSize(40, 48)


def test_module_for_quantization_runs_and_the_log_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "images")])
    def quantized(images: tf.Tensor) -> tf.Tensor:
        return tf.quantization.fake_quant_with_min_max_args(tf.reduce_mean(images, [1, 2]), 0.0, 1.0)

    extractor = load_extractor(ModuleSettings(str(save(tmp_path / "net", quantized))))
    vectors = extractor.extract(np.full((1, 8, 8, 3), 0.501, np.float32))
    np.testing.assert_allclose(vectors, [[128 / 255] * 3], rtol=1e-5)
    assert "Module net is instrumented for quantization (FakeQuant ops)." in caplog.messages


def test_web_module_that_cannot_be_downloaded_suggests_alternatives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # No proxy listens there, so no request leaves this machine, whether it has a network or not.
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("TFHUB_CACHE_DIR", "")
    address = catalogue.address_of("inception_v3")
    message = refusal(address, model_dir=tmp_path)
    assert message == (
        f"module {address} cannot be downloaded ([Errno 111] Connection refused). Instead, try: "
        "tfhub_module builtin, the network that ships with this program; tfhub_module FOLDER, a module that "
        "you have downloaded and unpacked; tfhub_module keras:NAME, the network from Keras's own server; or set "
        "TFHUB_CACHE_DIR to the folder of an earlier download."
    )


def test_web_module_is_read_from_the_cache_of_tensorflow_hub(
    tf1_hub_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = "https://tfhub.dev/google/some_net/feature_vector/3"
    # tensorflow_hub names the folder by the SHA-1 of the address.
    name = hashlib.sha1(handle.encode()).hexdigest()
    shutil.copytree(tf1_hub_module, tmp_path / name)
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path))
    extractor = load_extractor(ModuleSettings(handle))
    assert extractor.name == "some_net_feature_vector_3"
    assert extractor.feature_size == MODULE_FEATURES
    monkeypatch.delenv("TFHUB_CACHE_DIR")
    assert load_extractor(ModuleSettings(handle, model_dir=tmp_path)).fingerprint == extractor.fingerprint
    assert [path.name for path in tmp_path.iterdir()] == [name]
