"""ONNX image classifiers, of retrain.py or with labels of their own, read without TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from retraining import optional_packages
from retraining.arrays import Forward, Pixels, Probabilities
from retraining.errors import BadRequest, Message, WorkFailed, setting_named
from retraining.inference import input_size, novelty_run, onnx_novelty
from retraining.inference import labels as label_names
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.native_output import native_output_captured
from retraining.runtimes import onnx_runtime
from retraining.runtimes.batches import padded
from retraining.settings.label_image import GraphSettings
from retraining.storage.atomic_files import reason

_FLOATS = "tensor(float)"


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in an ONNX file. Raises BadRequest."""
    try:
        content = settings.graph.read_bytes()
    except OSError as error:
        raise BadRequest(
            "{graph} '{path}' cannot be read: {reason}.", path=settings.graph, reason=reason(error)
        ) from error
    return of_content(content, settings)


def of_content(content: bytes, settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in the bytes of an ONNX model.

    Its input is float32 [n, height, width, 3] or [n, 3, height, width], n fixed or free. Settings that were
    not given are read from its metadata. Raises BadRequest.
    """
    session = _opened_for(content, settings)
    inside = _metadata(session, settings)
    given = _input(session, settings)
    wanted = _output(session, settings)
    labels = label_names.find(settings, tuple(inside.get("labels", ())))
    channels_first = given.shape[3] != 3
    _check_gives_scores(wanted, labels)
    height, width = given.shape[2:4] if channels_first else given.shape[1:3]
    count = _number(given.shape[0])
    vectors = (onnx_novelty.VECTORS,) if settings.is_novelty_wanted else ()
    run = _reporting_failures(onnx_runtime.forward(session, given.name, wanted.name, *vectors))
    if channels_first:
        run = _channels_first(run)
    if count:
        run = padded(run, count)
    novelty = onnx_novelty.load(session, run, settings.graph) if vectors else None
    return ImageClassifier(
        run=run if novelty is None else novelty.scores(len(labels)),
        labels=labels,
        size=input_size.find(_number(height), _number(width), settings),
        batch_size=count or onnx_runtime.BATCH_SIZE,
        mean=inside.get("input_mean", 0.0) if settings.input_mean is None else settings.input_mean,
        std=inside.get("input_std", 255.0) if settings.input_std is None else settings.input_std,
        significant_bits=settings.significant_bits or inside.get("significant_bits"),
        novelty=novelty,
    )


def _opened_for(content: bytes, settings: GraphSettings) -> Any:
    """Return the session of a model, which also gives feature vectors if novelty is wanted.

    Raises BadRequest.
    """
    if not settings.is_novelty_wanted:
        return _opened(content, settings.graph)
    try:
        return _opened(onnx_runtime.with_output(content, onnx_novelty.VECTORS), settings.graph)
    except BadRequest:
        _opened(content, settings.graph)  # which says if it is damaged
        raise novelty_run.missing(settings.graph) from None


def _opened(content: bytes, path: Path) -> Any:
    optional_packages.require("onnxruntime", purpose="reading an ONNX model", extra="onnx")
    try:
        with native_output_captured(is_shown_on_error=False):
            return onnx_runtime.opened(content)
    except Exception as error:  # its own classes have no common base
        raise BadRequest(
            "graph '{path}' cannot be loaded, it may be damaged or cut short: {reason}.",
            path=path,
            reason=_reason(error),
        ) from error


def _reason(error: Exception) -> str:
    """Return what ONNX Runtime says: "[ONNXRuntimeError] : 7 : INVALID_PROTOBUF : Load model failed ..."."""
    return reason(error).rpartition(" : ")[2].rstrip(".")


def _metadata(session: Any, settings: GraphSettings) -> dict[str, Any]:
    """Return what retrain.py has recorded; nothing for a model that another program wrote."""
    recorded = session.get_modelmeta().custom_metadata_map
    # What the user gives counts, and need not be read.
    wanted = [key for key in _METADATA if key in recorded and getattr(settings, key) is None]
    return {key: _value(key, recorded[key], settings.graph) for key in wanted}


def _value(key: str, text: str, path: Path) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not _METADATA[key](value):
        raise BadRequest(
            "graph '{path}' has no usable {key} in its metadata. Export it again, or set {setting}.",
            path=path,
            key=key,
            setting=setting_named(key),
        )
    return value


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and bool(np.isfinite(value))


def _are_labels(value: object) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(label, str) for label in value)


# What is read, and whether a value can be used.
_METADATA: Mapping[str, Callable[[Any], bool]] = {
    "labels": _are_labels,
    "input_mean": _is_number,
    "input_std": lambda value: _is_number(value) and value > 0,
    "significant_bits": lambda value: type(value) is int and 8 <= value <= 16,
}


def _input(session: Any, settings: GraphSettings) -> Any:
    given = _chosen(session.get_inputs(), "inputs", settings.input_layer, "input_layer")
    shape = given.shape
    takes_images = len(shape) == 4 and 3 in (shape[1], shape[3])
    if given.type != _FLOATS or not takes_images:
        raise BadRequest(
            "input layer '{op}' takes {dtype} {shape}; images are float32 [batch, height, width, 3] or "
            "[batch, 3, height, width].",
            op=given.name,
            dtype=_type(given),
            shape=_shown(shape),
        )
    return given


def _output(session: Any, settings: GraphSettings) -> Any:
    outputs = session.get_outputs()
    if settings.is_novelty_wanted:
        outputs = outputs[:-1]  # but for the vectors
    wanted = _chosen(outputs, "outputs", settings.output_layer, "output_layer")
    if wanted.type != _FLOATS:
        raise BadRequest(
            "output layer '{op}' gives {dtype}; scores are float32.", op=wanted.name, dtype=_type(wanted)
        )
    return wanted


def _chosen(tensors: list[Any], kind: str, name: str | None, setting: str) -> Any:
    """Return the only tensor, or the one that `name` names, with or without the ":0" of TensorFlow."""
    names = ", ".join(tensor.name for tensor in tensors[:10])
    if name is None and len(tensors) != 1:
        raise BadRequest(
            "the graph has {count} {kind} ({names}). Name one with {setting}.",
            count=len(tensors),
            kind=kind,
            names=names,
            setting=setting_named(setting),
        )
    for tensor in tensors:
        if name is None or tensor.name.removesuffix(":0") == name.removesuffix(":0"):
            return tensor
    raise BadRequest(
        "{setting} '{name}' is not one of the graph's {kind}: {names}.",
        setting=setting_named(setting),
        name=name,
        kind=kind,
        names=names,
    )


def _check_gives_scores(wanted: Any, labels: tuple[str, ...]) -> None:
    sides = [_number(side) for side in wanted.shape[1:]]
    if sides and None not in sides:
        check_width(int(np.prod(sides)), labels)  # type: ignore[arg-type]


def _number(side: object) -> int | None:
    """Return the length of a dimension, or None if it is free: then it has a name, or nothing."""
    return side if isinstance(side, int) and side > 0 else None


def _type(tensor: Any) -> str:
    name: str = tensor.type.removeprefix("tensor(").removesuffix(")")
    return "float32" if name == "float" else name


def _shown(shape: list[Any]) -> Message:
    return Message(
        "[{sides}]", sides=", ".join("any" if _number(side) is None else str(side) for side in shape)
    )


def _channels_first(forward: Forward) -> Forward:
    def run(pixels: Pixels) -> Probabilities:
        return forward(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))

    return run


def _reporting_failures(forward: Forward) -> Forward:
    """Return the same function, raising WorkFailed if the graph cannot be run."""

    def run(pixels: Pixels) -> Probabilities:
        try:
            return forward(pixels)
        except Exception as error:  # its own classes have no common base
            raise WorkFailed("the graph cannot be run: {reason}.", reason=_reason(error)) from error

    return run
