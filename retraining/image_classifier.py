"""Any frozen image classifier, with labels: image files -> best labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining import images, pipeline
from retraining.errors import BadImage, BadRequest
from retraining.export import read_graph, read_labels
from retraining.extractor import BATCH_SIZE
from retraining.frozen_graph import (
    INPUT_OPS,
    Forward,
    FrozenGraph,
    GraphDef,
    NodeDef,
    forward,
    likely_outputs,
    op_of,
)
from retraining.images import ImageSize, Pixels
from retraining.options import LabelImageOptions

UNKNOWN_DIMENSION = -1


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
        prepared = pipeline.ahead(paths, self._prepare, lookahead=2 * BATCH_SIZE)
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
        usable = [pixels for _, pixels in waiting if not isinstance(pixels, BadImage)]
        scores = iter(self._scores(np.stack(usable)) if usable else ())
        for path, pixels in waiting:
            if isinstance(pixels, BadImage):
                yield LabelledFile(path, reason=pixels.reason)
            else:
                yield LabelledFile(path, self._best(next(scores), best))

    def _scores(self, pixels: Pixels) -> NDArray[np.float32]:
        scores = self.run(pixels)
        scores = scores.reshape(len(pixels), -1)
        if scores.shape[1] != len(self.labels):
            raise BadRequest(
                f"the graph gives {scores.shape[1]} scores and --labels names {len(self.labels)}; "
                "they must be of the same training."
            )
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
    source = _input(nodes, options)
    result = _output(graph_def, nodes, options)
    shape = _shape(source)
    return ImageClassifier(
        run=forward(FrozenGraph(graph_def, f"{source.name}:0", f"{result.name}:0")),
        labels=labels,
        size=_size(shape, options),
        # Graphs of the pre-Hub days often take one image at a time.
        batch_size=shape[0] if shape and shape[0] != UNKNOWN_DIMENSION else BATCH_SIZE,
        mean=options.input_mean,
        std=options.input_std,
    )


def _input(nodes: dict[str, NodeDef], options: LabelImageOptions) -> NodeDef:
    candidates = [name for name, node in nodes.items() if node.op in INPUT_OPS]
    if options.input_layer is not None:
        return _named(nodes, options.input_layer, "--input_layer", candidates)
    if len(candidates) != 1:
        raise BadRequest(
            f"graph '{options.graph}' has {len(candidates)} inputs ({_listed(candidates)}). Name one with "
            "--input_layer."
        )
    return nodes[candidates[0]]


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


def _shape(node: NodeDef) -> list[int]:
    """Return the placeholder's dimensions, UNKNOWN_DIMENSION for open ones; [] if none are recorded."""
    shape = node.attr["shape"].shape
    return [] if shape.unknown_rank else [dimension.size for dimension in shape.dim]


def _size(shape: list[int], options: LabelImageOptions) -> ImageSize:
    recorded = shape[1:3] if len(shape) == 4 else [UNKNOWN_DIMENSION, UNKNOWN_DIMENSION]
    height = _dimension(recorded[0], options.input_height, "--input_height")
    return ImageSize(height, _dimension(recorded[1], options.input_width, "--input_width"))


def _dimension(recorded: int, given: int | None, flag: str) -> int:
    if recorded == UNKNOWN_DIMENSION and given is None:
        raise BadRequest(f"the graph takes images of any size: say which with {flag}.")
    if given is not None and recorded not in (UNKNOWN_DIMENSION, given):
        raise BadRequest(f"{flag} {given} is not what the graph takes, {recorded}. Leave the flag out.")
    return recorded if given is None else given


def image_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files among `paths` and, for folders, the visible files directly or deeper in them."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            below = (file for file in sorted(path.rglob("*")) if file.is_file())
            files.extend(file for file in below if not _is_hidden(file.relative_to(path)))
        else:
            files.append(path)
    return files


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)
