"""Any frozen image classifier, with labels: image files -> best labels."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.data import images, prefetching
from retraining.data.images import ImageSize, Pixels
from retraining.errors import BadImage, BadRequest, WorkFailed
from retraining.export.writer import read_graph, read_labels
from retraining.features.extractor import BATCH_SIZE
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
from retraining.settings.options import LabelImageOptions
from retraining.storage.atomic_files import reason


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A label and its score, in [0, 1] if the graph ends in a softmax."""

    label: str
    score: float


@dataclasses.dataclass(frozen=True)
class LabelledFile:
    """An image file with its best predictions, best first; or the reason why there are none."""

    path: Path
    predictions: tuple[Prediction, ...] = ()
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class ImageClassifier:
    """A graph ready to run, with what it takes: pixel value of 0 to 255, less `mean`, by `std`."""

    run: Forward
    labels: tuple[str, ...]
    size: ImageSize
    batch_size: int
    mean: float
    std: float

    def classify(self, paths: Sequence[Path], *, best: int) -> Iterator[LabelledFile]:
        """Yield the `best` predictions for each file, in order, those that are no images included."""
        prepared = prefetching.ahead(paths, self._prepare, lookahead=2 * BATCH_SIZE)
        waiting: list[tuple[Path, Pixels | BadImage]] = []
        for item in zip(paths, prepared, strict=True):
            waiting.append(item)
            if len(waiting) == self.batch_size:
                yield from self._classify(waiting, best)
                waiting = []
        yield from self._classify(waiting, best)

    def _prepare(self, path: Path) -> Pixels | BadImage:
        try:
            pixels = images.decode(images.read(path), self.size)
        except BadImage as error:
            return error
        if self.mean == 0 and self.std == 255:
            return pixels  # the training's own scale: to the bit what it was trained on
        return (pixels * np.float32(255) - np.float32(self.mean)) / np.float32(self.std)

    def _classify(self, waiting: list[tuple[Path, Pixels | BadImage]], best: int) -> Iterator[LabelledFile]:
        usable: list[Pixels] = [pixels for _, pixels in waiting if not isinstance(pixels, BadImage)]
        scores: Iterator[Any] = iter(self._scores(np.stack(usable)) if usable else ())
        for path, pixels in waiting:
            if isinstance(pixels, BadImage):
                yield LabelledFile(path, reason=pixels.reason)
                continue
            of_image = next(scores)
            if np.isfinite(of_image).all():
                yield LabelledFile(path, self._best(of_image, best))
            else:
                yield LabelledFile(path, reason="makes the graph give scores that are not numbers")

    def _scores(self, pixels: Pixels) -> NDArray[np.float32]:
        try:
            scores = self.run(pixels)
        except tf.errors.OpError as error:
            raise WorkFailed(f"the graph cannot be run: {reason(error)}.") from error
        scores = scores.reshape(len(pixels), -1)
        check_width(scores.shape[1], self.labels)
        return scores

    def _best(self, scores: NDArray[np.float32], best: int) -> tuple[Prediction, ...]:
        order = np.argsort(-scores, kind="stable")[:best]
        return tuple(Prediction(self.labels[index], float(scores[index])) for index in order)


def load(options: LabelImageOptions) -> ImageClassifier:
    """Return the classifier of a graph file; what the options leave open is read from the graph.

    Raises BadRequest.
    """
    graph_def = read_graph(options.graph)
    labels = read_labels(options.labels)
    nodes = {node.name: node for node in graph_def.node}
    source, result = _input(nodes, options), _output(graph_def, nodes, options)
    graph = _imported(graph_def, options)
    pixels, scores = _tensor(graph, source), _tensor(graph, result)
    _check_takes_images(pixels, _candidate_inputs(nodes))
    _check_gives_scores(scores, labels, likely_outputs(graph_def))
    shape = [] if pixels.shape.rank is None else pixels.shape.as_list()
    return ImageClassifier(
        run=forward_in(graph, pixels.name, scores.name),
        labels=labels,
        size=_size(shape, options),
        # Graphs of the pre-Hub days often take one image at a time.
        batch_size=shape[0] if shape and shape[0] is not None else BATCH_SIZE,
        mean=options.input_mean,
        std=options.input_std,
    )


def _imported(graph_def: GraphDef, options: LabelImageOptions) -> tf.Graph:
    try:
        return imported(graph_def)
    except (ValueError, KeyError, tf.errors.OpError) as error:
        raise BadRequest(
            f"graph '{options.graph}' cannot be loaded, it may be damaged or cut short: {reason(error)}."
        ) from error


def _tensor(graph: tf.Graph, node: NodeDef) -> tf.Tensor:
    outputs = graph.get_operation_by_name(node.name).outputs
    if not outputs:
        raise BadRequest(f"op '{node.name}' of the graph gives nothing. Name another layer.")
    return outputs[0]


def _check_takes_images(pixels: tf.Tensor, candidates: list[str]) -> None:
    shape = pixels.shape
    is_image = shape.rank is None or (shape.rank == 4 and shape[3] in (3, None))
    if pixels.dtype != tf.float32 or not is_image:
        raise BadRequest(
            f"input layer '{pixels.op.name}' takes {pixels.dtype.name} {shape}; images go in as float32 "
            f"[batch, height, width, 3]. Name another with --input_layer: {_listed(candidates)}."
        )


def _check_gives_scores(scores: tf.Tensor, labels: tuple[str, ...], candidates: list[str]) -> None:
    if scores.dtype != tf.float32:
        raise BadRequest(
            f"output layer '{scores.op.name}' gives {scores.dtype.name}; scores are float32. Name another "
            f"with --output_layer: {_listed(candidates)}."
        )
    if scores.shape.rank and None not in scores.shape.as_list()[1:]:
        check_width(math.prod(scores.shape.as_list()[1:]), labels)


def check_width(width: int | None, labels: Sequence[str]) -> None:
    """Raise BadRequest if a graph that gives `width` scores was not trained with these labels."""
    if width != len(labels):
        raise BadRequest(
            f"the graph gives {width} scores and --labels names {len(labels)}; they must be of the same "
            "training."
        )


def _input(nodes: dict[str, NodeDef], options: LabelImageOptions) -> NodeDef:
    candidates = _candidate_inputs(nodes)
    if options.input_layer is not None:
        return _named(nodes, options.input_layer, "--input_layer", candidates)
    if len(candidates) != 1:
        raise BadRequest(
            f"graph '{options.graph}' has {len(candidates)} inputs ({_listed(candidates)}). Name one with "
            "--input_layer."
        )
    return nodes[candidates[0]]


def _candidate_inputs(nodes: dict[str, NodeDef]) -> list[str]:
    return [name for name, node in nodes.items() if node.op in INPUT_OPS]


def _output(graph_def: GraphDef, nodes: dict[str, NodeDef], options: LabelImageOptions) -> NodeDef:
    candidates = likely_outputs(graph_def)
    if options.output_layer is not None:
        return _named(nodes, options.output_layer, "--output_layer", candidates)
    if len(candidates) != 1:
        raise BadRequest(
            f"graph '{options.graph}' has {len(candidates)} outputs ({_listed(candidates)}). Name one with "
            "--output_layer."
        )
    return nodes[candidates[0]]


def _named(nodes: dict[str, NodeDef], layer: str, flag: str, candidates: list[str]) -> NodeDef:
    name = op_of(layer.removeprefix("import/"))  # as older samples write it
    if name not in nodes:
        raise BadRequest(f"{flag} '{layer}' is no op of the graph. Likely ones: {_listed(candidates)}.")
    return nodes[name]


def _listed(names: list[str]) -> str:
    return ", ".join(names[:10]) or "none"


def _size(shape: list[int | None], options: LabelImageOptions) -> ImageSize:
    recorded = shape[1:3] if shape else [None, None]
    height = _dimension(recorded[0], options.input_height, "--input_height")
    return ImageSize(height, _dimension(recorded[1], options.input_width, "--input_width"))


def _dimension(recorded: int | None, given: int | None, flag: str) -> int:
    if recorded is None and given is None:
        raise BadRequest(f"the graph takes images of any size: say which with {flag}.")
    if None not in (recorded, given) and recorded != given:
        raise BadRequest(f"{flag} {given} is not what the graph takes, {recorded}. Leave the flag out.")
    return recorded or given or 0
