from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.features.extractor import load_extractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import keras_module
from retraining.settings.module import ModuleSettings


def refusal(handle: str, **settings: Any) -> str:
    with pytest.raises(BadModule) as caught:
        load_extractor(ModuleSettings(handle, **settings))
    return str(caught.value)


def keras_vectors(name: str, pixels: np.ndarray, scaled: np.ndarray) -> np.ndarray:
    tf.keras.utils.set_random_seed(0)
    build = getattr(tf.keras.applications, name)
    network = build(include_top=False, weights=None, pooling="avg", input_shape=pixels.shape[1:])
    vectors: np.ndarray = network(scaled, training=False).numpy()
    return vectors


@pytest.mark.parametrize(
    ("name", "scaling"),
    [
        ("MobileNetV2", lambda pixels: pixels * 2 - 1),
        pytest.param("EfficientNetV2B0", lambda pixels: pixels * 255, marks=pytest.mark.soak),
        pytest.param(
            "ResNet50",
            lambda pixels: pixels[..., ::-1] * 255 - np.array([103.939, 116.779, 123.68]),
            marks=pytest.mark.soak,
        ),
        pytest.param("ConvNeXtTiny", lambda pixels: pixels * 255, marks=pytest.mark.soak),
    ],
)
def test_network_gives_what_keras_gives_with_its_own_scaling(name: str, scaling: Any) -> None:
    extractor = load_extractor(ModuleSettings(f"keras:{name}?weights=random", image_size=64))
    pixels = np.random.default_rng(0).random((2, 64, 64, 3), np.float32)
    expected = keras_vectors(name, pixels, scaling(pixels).astype(np.float32))
    np.testing.assert_allclose(extractor.extract(pixels), expected, rtol=1e-3, atol=1e-4)
    assert len(extractor.graph.graph_def.library.function) == 0
    assert extractor.name == f"keras_{name}"


def test_size_is_the_one_the_network_was_trained_at() -> None:
    extractor = load_extractor(ModuleSettings("keras:MobileNetV2?weights=random"))
    assert extractor.image_size == ImageSize(224, 224)
    assert keras_module.TRAINED_SIZES.keys() <= set(keras_module.names())


@pytest.mark.soak
def test_random_weights_are_the_same_in_every_run() -> None:
    settings = ModuleSettings("keras:MobileNet?weights=random", image_size=32)
    assert load_extractor(settings).fingerprint == load_extractor(settings).fingerprint


def test_weights_from_a_file_are_used(tmp_path: Path) -> None:
    tf.keras.utils.set_random_seed(5)
    network = tf.keras.applications.MobileNet(include_top=False, weights=None, input_shape=(32, 32, 3))
    network.save_weights(tmp_path / "mobilenet.weights.h5")
    extractor = load_extractor(
        ModuleSettings(f"keras:MobileNet?weights={tmp_path / 'mobilenet.weights.h5'}", image_size=32)
    )
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    expected = network(pixels * 2 - 1, training=False).numpy().mean(axis=(1, 2))
    np.testing.assert_allclose(extractor.extract(pixels), expected, rtol=1e-3, atol=1e-5)


def test_unknown_network_is_refused_with_the_nearest() -> None:
    assert refusal("keras:MobilNetV2") == (
        "'MobilNetV2' is not an image network in keras.applications. Did you mean MobileNetV2, MobileNet or "
        "MobileNetV3Small?"
    )


def test_weights_that_are_not_a_file_are_refused() -> None:
    assert refusal("keras:MobileNet?weights=/nowhere.h5") == (
        "the weights in 'keras:MobileNet?weights=/nowhere.h5' must be an existing file, 'imagenet' or 'random', "
        "received '/nowhere.h5'."
    )


def test_settings_other_than_weights_are_refused() -> None:
    assert refusal("keras:MobileNet?alpha=2") == (
        "'keras:MobileNet?alpha=2' has the unknown setting 'alpha'. The only setting is weights=FILE."
    )


def test_size_that_is_too_small_is_refused_with_the_reason_that_keras_gives() -> None:
    message = refusal("keras:InceptionV3?weights=random", image_size=32)
    assert message.startswith(
        "keras:InceptionV3?weights=random cannot be built for images of 32x32 pixels with random weights: "
    )
    assert "at least 75x75" in message


@pytest.mark.parametrize("handle", ["keras:MobileNet", "keras:MobileNet?weights=imagenet"])
def test_weights_that_cannot_be_downloaded_suggest_alternatives(
    handle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    message = refusal(handle, image_size=128)
    assert message.startswith(f"the weights of {handle} cannot be downloaded (")
    assert message.endswith(
        "). Instead, try: tfhub_module 'keras:MobileNet?weights=FILE', with a file that you have downloaded; "
        "tfhub_module builtin, the network that ships with this program."
    )


# The two largest ConvNeXts need 20 GB and more while they are frozen.
TOO_LARGE = ("ConvNeXtLarge", "ConvNeXtXLarge")


@pytest.mark.soak
@pytest.mark.parametrize("name", [name for name in keras_module.names() if name not in TOO_LARGE])
def test_every_network_of_keras_applications_runs_without_functions(name: str) -> None:
    # A process for each, because TensorFlow frees little memory before its process ends.
    code = (
        "import numpy as np\n"
        "from retraining.features.extractor import load_extractor\n"
        "from retraining.settings.module import ModuleSettings\n"
        f"extractor = load_extractor(ModuleSettings('keras:{name}?weights=random', image_size=96))\n"
        "vectors = extractor.extract(np.random.default_rng(0).random((2, 96, 96, 3), np.float32))\n"
        "assert vectors.shape == (2, extractor.feature_size)\n"
        "assert np.isfinite(vectors).all()\n"
        "assert len(extractor.graph.graph_def.library.function) == 0\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_weights_are_downloaded_where_there_is_no_standard_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "weights.h5").write_bytes(b"weights")

    def builder(**_: object) -> str:
        origin = (tmp_path / "weights.h5").as_uri()
        return str(tf.keras.utils.get_file(origin=origin, cache_dir=tmp_path))

    monkeypatch.setattr(sys, "stdout", None)
    downloaded = keras_module._build(builder, "keras:MobileNetV2", weights="imagenet", size=224)
    assert Path(downloaded).read_bytes() == b"weights"
