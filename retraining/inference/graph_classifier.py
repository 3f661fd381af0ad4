"""Any image classifier: a graph's file or a SavedModel, and its labels -> an ImageClassifier."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Forward, ImageSize, Pixels
from retraining.errors import BadRequest, Message, WorkFailed, setting_named
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import (
    INPUT_OPS,
    FrozenGraph,
    GraphDef,
    NodeDef,
    forward_in,
    imported,
    likely_outputs,
    op_of,
)
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import graph_novelty, input_size
from retraining.inference import labels as label_names
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.modules import classifier_source, found_input, image_input
from retraining.modules.found_input import ImageInput
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.label_image import GraphSettings
from retraining.storage.atomic_files import reason


class LoadedGraph(NamedTuple):
    """A classifier that TensorFlow runs, the graph that it was made from, and the labels inside that."""

    classifier: ImageClassifier
    frozen: FrozenGraph
    labels: tuple[str, ...]


def load(settings: GraphSettings) -> LoadedGraph:
    """Return the classifier in a graph's file or a SavedModel's folder, with the graph itself.

    Settings that were not given are read from the graph. Raises BadRequest.
    """
    graph_def = classifier_source.read(settings.graph)
    inside = recorded.labels(graph_def)
    labels = label_names.find(settings, inside)
    nodes = {node.name: node for node in graph_def.node}
    source, result = _input(graph_def, nodes, settings), _output(graph_def, nodes, settings)
    graph = _imported(graph_def, settings)
    pixels, scores = _tensor(graph, source), _tensor(graph, result)
    _check_takes_images(pixels, graph_def)
    _check_gives_scores(scores, labels, likely_outputs(graph_def), settings)
    shape = [] if pixels.shape.rank is None else pixels.shape.as_list()
    images = image_input.find(graph_def, source.name) or ImageInput(source.name, mean=0, std=255)
    height, width = shape[1:3] if shape else (None, None)
    if images.size is not None:
        height, width = height or images.size.height, width or images.size.width
    size = input_size.find(height, width, settings)
    mean, std = _scaling(images, size, settings)
    classifier = ImageClassifier(
        run=_reporting_failures(forward_in(graph, pixels.name, scores.name)),
        labels=labels,
        size=size,
        # Graphs from before TensorFlow Hub often take one image at a time.
        batch_size=shape[0] if shape and shape[0] is not None else BATCH_SIZE,
        mean=mean,
        std=std,
        significant_bits=settings.significant_bits or recorded.significant_bits(graph_def),
    )
    frozen = FrozenGraph(graph_def, pixels.name, scores.name)
    if settings.is_novelty_wanted:
        classifier = dataclasses.replace(classifier, novelty=graph_novelty.load(frozen, settings.graph))
    return LoadedGraph(classifier, frozen, inside)


def _scaling(images: ImageInput, size: ImageSize, settings: GraphSettings) -> tuple[float, float]:
    """Return mean and std: those of the settings, or else what the graph takes, which is then logged."""
    mean = images.mean if settings.input_mean is None else settings.input_mean
    std = images.std if settings.input_std is None else settings.input_std
    if None in (settings.input_mean, settings.input_std):
        found_input.report(ImageInput(images.op, mean, std, size))
    return mean, std


def _reporting_failures(forward: Forward) -> Forward:
    """Return the same function, raising WorkFailed if the graph cannot be run."""

    def run(pixels: Pixels) -> NDArray[np.float32]:
        try:
            return forward(pixels)
        except tf.errors.OpError as error:
            raise WorkFailed("the graph cannot be run: {reason}.", reason=reason(error)) from error

    return run


def _imported(graph_def: GraphDef, settings: GraphSettings) -> tf.Graph:
    try:
        return imported(graph_def)
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise BadRequest(
            "graph '{path}' cannot be loaded, it may be damaged or cut short: {reason}.",
            path=settings.graph,
            reason=reason(error),
        ) from error


def _tensor(graph: tf.Graph, node: NodeDef) -> tf.Tensor:
    outputs = graph.get_operation_by_name(node.name).outputs
    if not outputs:
        raise BadRequest("op '{op}' of the graph has no output. Name another layer.", op=node.name)
    return outputs[0]


def _check_takes_images(pixels: tf.Tensor, graph_def: GraphDef) -> None:
    shape = pixels.shape
    is_image = shape.rank is None or (shape.rank == 4 and shape[3] in (3, None))
    if pixels.dtype != tf.float32 or not is_image:
        raise BadRequest(
            "input layer '{op}' takes {dtype} {shape}; images are float32 [batch, height, width, 3]. "
            "{remedy}",
            op=pixels.op.name,
            dtype=pixels.dtype.name,
            shape=shape,
            remedy=_other_input(pixels.op.name, graph_def),
        )


def _other_input(refused: str, graph_def: GraphDef) -> Message:
    """Return which input to name instead of the refused one, with the scaling of its pixels."""
    images = image_input.find(graph_def)
    if images is not None and images.op != refused:
        return Message(
            "Use {input_layer} {op} {input_mean} {mean:g} {input_std} {std:g}, or leave these out.",
            op=images.op,
            mean=images.mean,
            std=images.std,
        )
    return _another("input_layer", refused, _candidate_inputs(graph_def))


def _another(setting: str, refused: str, candidates: list[str]) -> Message:
    others = [name for name in candidates if name != refused]
    if not others:
        return Message("Nothing else in the graph looks like one.")
    return Message(
        "Name another with {setting}: {names}.", setting=setting_named(setting), names=_listed(others)
    )


def _check_gives_scores(
    scores: tf.Tensor, labels: tuple[str, ...], candidates: list[str], settings: GraphSettings
) -> None:
    if scores.dtype != tf.float32:
        raise BadRequest(
            "output layer '{op}' gives {dtype}; scores are float32. {remedy}",
            op=scores.op.name,
            dtype=scores.dtype.name,
            remedy=_another("output_layer", scores.op.name, candidates),
        )
    if scores.shape.rank and None not in scores.shape.as_list()[1:]:
        width = math.prod(scores.shape.as_list()[1:])
        if settings.graph.is_dir() and width != len(labels):
            raise _not_of_these_labels(settings.graph, width, labels)
        check_width(width, labels)


def _not_of_these_labels(folder: Path, width: int, labels: tuple[str, ...]) -> BadRequest:
    return BadRequest(
        "graph '{path}' gives {width} numbers for an image, but {labels} names {count} classes: it is a "
        "module, which retrain.py takes with {tfhub_module}, or a classifier of other classes.",
        path=folder,
        width=width,
        count=len(labels),
    )


def _input(graph_def: GraphDef, nodes: dict[str, NodeDef], settings: GraphSettings) -> NodeDef:
    candidates = _candidate_inputs(graph_def)
    if settings.input_layer is not None:
        return _named(nodes, settings.input_layer, "input_layer", candidates)
    images = image_input.find(graph_def)
    if images is not None:
        return nodes[images.op]
    return _only(nodes, candidates, "inputs", settings=settings, setting="input_layer")


def _candidate_inputs(graph_def: GraphDef) -> list[str]:
    """Return the ops that images can be given to or, if there are none, all inputs."""
    images = image_input.find(graph_def)
    found = image_input.placeholders(graph_def) if images is None else [images.op]
    return found or [node.name for node in graph_def.node if node.op in INPUT_OPS]


def _output(graph_def: GraphDef, nodes: dict[str, NodeDef], settings: GraphSettings) -> NodeDef:
    candidates = likely_outputs(graph_def)
    if settings.output_layer is not None:
        return _named(nodes, settings.output_layer, "output_layer", candidates)
    return _only(nodes, candidates, "outputs", settings=settings, setting="output_layer")


def _only(
    nodes: dict[str, NodeDef], candidates: list[str], kind: str, *, settings: GraphSettings, setting: str
) -> NodeDef:
    """Return the only candidate; `setting` is for the user to name one if there are several or none."""
    if len(candidates) != 1:
        raise BadRequest(
            "graph '{path}' has {count} {kind} ({candidates}). Name one with {setting}.",
            path=settings.graph,
            count=len(candidates),
            kind=kind,
            candidates=_listed(candidates),
            setting=setting_named(setting),
        )
    return nodes[candidates[0]]


def _named(nodes: dict[str, NodeDef], layer: str, setting: str, candidates: list[str]) -> NodeDef:
    name = op_of(layer.removeprefix("import/"))  # as older samples write it
    if name not in nodes:
        raise BadRequest(
            "{setting} '{layer}' is not an op of the graph. Likely ones: {candidates}.",
            setting=setting_named(setting),
            layer=layer,
            candidates=_listed(candidates),
        )
    return nodes[name]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) or "none"
