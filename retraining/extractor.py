"""Any module handle -> one FeatureExtractor; the rest of the program does not know the kinds apart."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining import saved_model
from retraining.catalogue import BUILTIN
from retraining.errors import BadModule
from retraining.frozen_graph import Forward, FrozenGraph, forward, op_of
from retraining.images import PREPROCESSING, ImageSize
from retraining.quiet_tensorflow import tf

Vectors = NDArray[np.float32]

# Large enough to keep two cores busy, small enough for a wide network in 4 GB; benchmarks/ measures.
BATCH_SIZE = 32

_BUILTIN_FOLDER = Path(__file__).parent / "builtin" / "small_resnet_128"


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A pretrained network: float32 [n, height, width, 3] in [0, 1] to float32 [n, feature_size].

    `fingerprint` (hex) changes with anything that could change a vector.
    """

    name: str
    image_size: ImageSize
    feature_size: int
    fingerprint: str
    graph: FrozenGraph

    @functools.cached_property
    def _forward(self) -> Forward:
        return forward(self.graph)

    def extract(self, pixels: NDArray[np.float32]) -> Vectors:
        """Return float32 [n, feature_size] for float32 [n, height, width, 3] in [0, 1], n <= BATCH_SIZE.

        Fewer than BATCH_SIZE images are padded to it: a kernel chosen by the batch's size would
        make a vector depend on which images happened to be left for the last batch.
        """
        count = len(pixels)
        padding = np.zeros((BATCH_SIZE - count, *pixels.shape[1:]), np.float32)
        batch = np.concatenate([pixels, padding]) if len(padding) else pixels
        return self._forward(batch)[:count]


def load(handle: str, *, model_dir: Path | None = None) -> FeatureExtractor:
    """Return the extractor for a web address, a module's folder or 'builtin'.

    Downloads are kept in `model_dir`, or where TFHUB_CACHE_DIR says. Raises BadModule.
    """
    folder = _resolve(handle, model_dir)
    graph = saved_model.freeze(folder)
    image_size, feature_size = _sizes(graph, handle)
    settings = f"{saved_model.fingerprint(folder)} {image_size} {feature_size} {PREPROCESSING}"
    return FeatureExtractor(
        name=_name(handle, folder),
        image_size=image_size,
        feature_size=feature_size,
        fingerprint=hashlib.sha256(settings.encode()).hexdigest(),
        graph=graph,
    )


def _resolve(handle: str, model_dir: Path | None) -> Path:
    """Return the local folder of the module, downloading it if need be."""
    if handle == BUILTIN:
        return _BUILTIN_FOLDER
    if "://" not in handle:
        folder = Path(handle).expanduser()
        if not folder.exists():
            raise BadModule(
                f"--tfhub_module '{handle}' is neither an existing folder nor a web address nor '{BUILTIN}'."
            )
        return folder
    if model_dir is not None:
        os.environ["TFHUB_CACHE_DIR"] = str(model_dir)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of pkg_resources, which tensorflow_hub still imports
        import tensorflow_hub as hub  # here, not above: it takes a second that folders need not wait
    try:
        return Path(hub.resolve(handle))
    except (OSError, RuntimeError, ValueError, tf.errors.OpError) as error:
        reason = getattr(error, "reason", None) or str(error).splitlines()[0]
        raise BadModule(
            f"module {handle} cannot be fetched ({reason}). Ways on: --tfhub_module {BUILTIN} uses the "
            "small module that ships with this program; --tfhub_module FOLDER uses one that you have "
            "downloaded and unpacked; TFHUB_CACHE_DIR names the folder in which an earlier download lies."
        ) from error


def _sizes(graph: FrozenGraph, handle: str) -> tuple[ImageSize, int]:
    shapes = tf.Graph()
    with shapes.as_default():
        tf.graph_util.import_graph_def(graph.graph_def, name="")
    images = shapes.get_tensor_by_name(graph.input_name)
    features = shapes.get_tensor_by_name(graph.output_name)
    if images.dtype != tf.float32 or images.shape.rank != 4 or images.shape[3] != 3:
        raise BadModule(
            f"module {handle} takes {images.dtype.name} {images.shape} at '{op_of(graph.input_name)}'; an "
            "image module takes float32 [batch, height, width, 3]."
        )
    if features.shape.rank != 2 or features.shape[1] is None:
        raise BadModule(
            f"module {handle} gives {features.dtype.name} {features.shape}; a feature-vector module gives "
            "float32 [batch, features]. Hub addresses of these hold '/feature_vector/'."
        )
    return _image_size(images.shape, handle), int(features.shape[1])


def _image_size(shape: tf.TensorShape, handle: str) -> ImageSize:
    if shape[1] is not None and shape[2] is not None:
        return ImageSize(int(shape[1]), int(shape[2]))
    # Modules that take any size carry the one they were trained at in their names.
    match = re.search(r"_(96|1[0-9]{2}|[2-5][0-9]{2})(?![0-9])", handle)
    if match is None:
        raise BadModule(f"module {handle} takes images of any size and its name holds none.")
    return ImageSize(int(match[1]), int(match[1]))


def _name(handle: str, folder: Path) -> str:
    """Return a short name of the module that can be part of a folder's name."""
    parts = handle.split("://")[-1].rstrip("/").split("/")[-3:] if "://" in handle else [folder.name]
    return re.sub(r"[^A-Za-z0-9._-]+", "_", "_".join(parts)) or "module"
