"""Any frozen image classifier: a graph file and its labels -> an ImageClassifier."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels
from retraining.errors import BadRequest, WorkFailed, setting_named
from retraining.features.extractor import BATCH_SIZE
from retraining.graphs import graph_file, significant_bits
from retraining.graphs.frozen_graph import (
    INPUT_OPS,
    Forward,
    GraphDef,
    NodeDef,
    forward_in,
    imported,
    likely_outputs,
    op_of,
)
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.settings.label_image import GraphSettings
from retraining.storage import labels_file
from retraining.storage.atomic_files import reason


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in a graph file; settings that were not given are read from the graph.

    Raises BadRequest.
    """
    graph_def = graph_file.read(settings.graph)
    labels = labels_file.read(settings.labels)
    nodes = {node.name: node for node in graph_def.node}
    source, result = _input(nodes, settings), _output(graph_def, nodes, settings)
    graph = _imported(graph_def, settings)
    pixels, scores = _tensor(graph, source), _tensor(graph, result)
    _check_takes_images(pixels, _candidate_inputs(nodes))
    _check_gives_scores(scores, labels, likely_outputs(graph_def))
    shape = [] if pixels.shape.rank is None else pixels.shape.as_list()
    return ImageClassifier(
        run=_reporting_failures(forward_in(graph, pixels.name, scores.name)),
        labels=labels,
        size=_size(shape, settings),
        # Graphs from before TensorFlow Hub often take one image at a time.
        batch_size=shape[0] if shape and shape[0] is not None else BATCH_SIZE,
        mean=settings.input_mean,
        std=settings.input_std,
        significant_bits=settings.significant_bits or significant_bits.recorded(graph_def),
    )


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


def _check_takes_images(pixels: tf.Tensor, candidates: list[str]) -> None:
    shape = pixels.shape
    is_image = shape.rank is None or (shape.rank == 4 and shape[3] in (3, None))
    if pixels.dtype != tf.float32 or not is_image:
        raise BadRequest(
            "input layer '{op}' takes {dtype} {shape}; images are float32 [batch, height, width, 3]. Name "
            "another with {input_layer}: {candidates}.",
            op=pixels.op.name,
            dtype=pixels.dtype.name,
            shape=shape,
            candidates=_listed(candidates),
        )


def _check_gives_scores(scores: tf.Tensor, labels: tuple[str, ...], candidates: list[str]) -> None:
    if scores.dtype != tf.float32:
        raise BadRequest(
            "output layer '{op}' gives {dtype}; scores are float32. Name another with {output_layer}: "
            "{candidates}.",
            op=scores.op.name,
            dtype=scores.dtype.name,
            candidates=_listed(candidates),
        )
    if scores.shape.rank and None not in scores.shape.as_list()[1:]:
        check_width(math.prod(scores.shape.as_list()[1:]), labels)


def _input(nodes: dict[str, NodeDef], settings: GraphSettings) -> NodeDef:
    if settings.input_layer is not None:
        return _named(nodes, settings.input_layer, "input_layer", _candidate_inputs(nodes))
    return _only(nodes, _candidate_inputs(nodes), "inputs", settings=settings, setting="input_layer")


def _candidate_inputs(nodes: dict[str, NodeDef]) -> list[str]:
    return [name for name, node in nodes.items() if node.op in INPUT_OPS]


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


def _size(shape: list[int | None], settings: GraphSettings) -> ImageSize:
    recorded = shape[1:3] if shape else [None, None]
    height = _dimension(recorded[0], settings.input_height, "input_height")
    return ImageSize(height, _dimension(recorded[1], settings.input_width, "input_width"))


def _dimension(recorded: int | None, given: int | None, setting: str) -> int:
    named = setting_named(setting)
    if recorded is None and given is None:
        raise BadRequest("the graph takes images of any size: set {setting}.", setting=named)
    if None not in (recorded, given) and recorded != given:
        raise BadRequest(
            "{setting} {given} contradicts the graph, which takes {recorded}. Leave it out.",
            setting=named,
            given=given,
            recorded=recorded,
        )
    return recorded or given or 0
