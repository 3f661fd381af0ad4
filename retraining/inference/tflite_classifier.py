"""Image classifiers in .tflite files, this program's or others', run by LiteRT -> an ImageClassifier."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np

from retraining.arrays import Pixels, Probabilities
from retraining.errors import BadRequest, WorkFailed, setting_named
from retraining.inference import input_size, tflite_novelty
from retraining.inference import labels as label_names
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.inference.novelty_run import NoveltyRun
from retraining.runtimes import litert, requirements, tflite_metadata
from retraining.runtimes.batches import BATCH_SIZE
from retraining.runtimes.litert import Network, Tensor
from retraining.runtimes.tflite_metadata import Metadata
from retraining.runtimes.tflite_model import Novelty
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import LITERT
from retraining.storage.atomic_files import reason

_NUMBERS = ("float32", "uint8", "int8")


@dataclasses.dataclass(frozen=True)
class _Scaling:
    """How pixel values of 0 to 255 are scaled: (value - mean) / std, with one number or one a channel."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def is_one_for_all(self) -> bool:
        return len(set(self.mean)) == len(set(self.std)) == 1

    def __call__(self, pixels: Pixels) -> Pixels:
        """Return pixels in [0, 1], scaled."""
        mean, std = (np.array(numbers, np.float32) for numbers in (self.mean, self.std))
        scaled: Pixels = (pixels * np.float32(255) - mean) / std
        return scaled


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in a .tflite file.

    Settings that were not given are read from the file. Raises BadRequest.
    """
    content = _content(settings.graph)
    recorded = tflite_novelty.recorded(content, settings.graph) if settings.is_novelty_wanted else None
    network = _network(content, recorded, settings.graph)
    outputs = network.outputs if recorded is None else network.outputs[:-1]
    source, result = _only(network.inputs, "inputs", settings), _only(outputs, "outputs", settings)
    _check_names(source, result, settings)
    _check_takes_images(source, settings.graph)
    _check_gives_scores(result, settings.graph)
    about = _metadata(content, settings.graph)
    labels = label_names.find(settings, about.labels)
    check_width(int(np.prod(result.shape[1:])), labels)
    scaling = _scaling(source, about, settings)
    is_plain = scaling.is_one_for_all()
    run, novelty = _run(network, None if is_plain else scaling), None
    if recorded is not None:
        novelty = NoveltyRun(run, tflite_novelty.detector(recorded, network, settings.graph))
    return ImageClassifier(
        run=run if novelty is None else novelty.scores(len(labels)),
        labels=labels,
        size=input_size.find(source.shape[1], source.shape[2], settings),
        batch_size=BATCH_SIZE,
        mean=scaling.mean[0] if is_plain else 0,
        std=scaling.std[0] if is_plain else 255,
        significant_bits=settings.significant_bits or about.significant_bits,
        novelty=novelty,
    )


def _content(path: Path) -> bytes:
    missing = requirements.REQUIREMENTS[LITERT].missing()
    if missing:
        raise BadRequest(
            "graph '{path}' needs {packages}, not installed here. Run pip install {packages}.",
            path=path,
            packages=" ".join(missing),
        )
    try:
        return path.read_bytes()
    except OSError as error:
        raise BadRequest(
            "graph '{path}' cannot be read: {reason}.", path=path, reason=reason(error)
        ) from error


def _network(content: bytes, novelty: Novelty | None, path: Path) -> Network:
    whole = content if novelty is None else tflite_novelty.with_vectors(content, novelty, path)
    try:
        return litert.Network(whole)
    except (ValueError, RuntimeError) as error:
        raise _damaged(path, _reason(error)) from error


def _metadata(content: bytes, path: Path) -> Metadata:
    try:
        return tflite_metadata.read(content)
    except tflite_metadata.DAMAGE as error:
        raise _damaged(path, "what it says of itself cannot be read") from error


def _damaged(path: Path, reason: str) -> BadRequest:
    return BadRequest(
        "graph '{path}' cannot be loaded, it may be damaged or cut short: {reason}.", path=path, reason=reason
    )


def _only(tensors: list[Tensor], kind: str, settings: GraphSettings) -> Tensor:
    if len(tensors) != 1:
        raise BadRequest(
            "graph '{path}' has {count} {kind} ({names}); a classifier of images has one. Give another file.",
            path=settings.graph,
            count=len(tensors),
            kind=kind,
            names=", ".join(tensor.name for tensor in tensors) or "none",
        )
    return tensors[0]


def _check_names(source: Tensor, result: Tensor, settings: GraphSettings) -> None:
    """Raise BadRequest if the settings name other layers than the only ones that there are."""
    layers = (("input_layer", settings.input_layer, source), ("output_layer", settings.output_layer, result))
    for setting, layer, tensor in layers:
        if layer is not None and _op_of(layer) != _op_of(tensor.name):
            raise BadRequest(
                "{setting} '{layer}' is not in the graph, which has '{name}'. Leave it out.",
                setting=setting_named(setting),
                layer=layer,
                name=tensor.name,
            )


def _op_of(layer: str) -> str:
    return layer.removeprefix("import/").partition(":")[0]  # as older samples write it


def _check_takes_images(source: Tensor, path: Path) -> None:
    shape = source.shape
    is_image = len(shape) == 4 and shape[0] in (1, -1) and min(shape[1:]) > 0 and shape[3] == 3
    if not is_image or source.dtype.name not in _NUMBERS:
        raise BadRequest(
            "graph '{path}' takes {dtype} {shape}; images are float32, uint8 or int8 [1, height, width, 3]. "
            "Convert it again for one image of one size.",
            path=path,
            dtype=source.dtype.name,
            shape=list(shape),
        )


def _check_gives_scores(result: Tensor, path: Path) -> None:
    if result.dtype.name not in _NUMBERS or min(result.shape[1:], default=0) < 1:
        raise BadRequest(
            "graph '{path}' gives {dtype} {shape}; scores are float32, uint8 or int8 [1, classes]. Give "
            "another file.",
            path=path,
            dtype=result.dtype.name,
            shape=list(result.shape),
        )


def _scaling(source: Tensor, about: Metadata, settings: GraphSettings) -> _Scaling:
    """Return the scaling of the settings, or else of the file, or else what quantized pixels stand for."""
    if about.mean and about.std:
        read = _Scaling(about.mean, about.std)
    elif source.is_quantized:  # uint8 are pixel values, and int8 those minus 128
        read = _Scaling((source.zero_point - float(np.iinfo(source.dtype).min),), (1 / source.scale,))
    else:
        read = _Scaling((0.0,), (255.0,))
    return _Scaling(
        read.mean if settings.input_mean is None else (settings.input_mean,),
        read.std if settings.input_std is None else (settings.input_std,),
    )


def _run(network: Network, scaling: _Scaling | None) -> Callable[[Pixels], Probabilities]:
    """Return the function that runs a network, on scaled pixels, raising WorkFailed if it cannot be run."""

    def run(pixels: Pixels) -> Probabilities:
        try:
            return network.run(pixels if scaling is None else scaling(pixels))
        except (ValueError, RuntimeError) as error:
            raise WorkFailed("the graph cannot be run: {reason}.", reason=_reason(error)) from error

    return run


def _reason(error: Exception) -> str:
    return reason(error).rstrip(".")
