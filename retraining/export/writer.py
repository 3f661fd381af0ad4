"""The files the user asked for: frozen graph, labels, checkpoint, SavedModel. Written and read back here."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import re
from pathlib import Path

import numpy as np

from retraining.data import images
from retraining.errors import BadImage, BadRequest, WorkFailed
from retraining.features.bottlenecks import Bottlenecks, BottleneckSet
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, forward, parse
from retraining.graphs.precision import FLOAT32
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.options import OutputOptions
from retraining.storage.atomic_files import reason, replacing, replacing_folder, scratch_folder, write_bytes
from retraining.training.softmax_layer import SoftmaxLayer

INPUT_OP = "Placeholder"  # the name that existing label_image samples expect

CHECKED_IMAGES = 100

# Largest difference in a probability between the file read back and the layer in memory. Rounding of
# float32 comes to 1e-6; a graph with another layer, or other pixels, is off by far more.
AGREEMENT = 1e-3

log = logging.getLogger(__name__)


def build(extractor: FeatureExtractor, layer: SoftmaxLayer, final_tensor_name: str) -> FrozenGraph:
    """Return module and new layer as one graph: `Placeholder` to the softmax `final_tensor_name`.

    Input float32 [None, height, width, 3] in [0, 1], output float32 [None, classes].
    """
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(
            tf.float32, [None, extractor.image_size.height, extractor.image_size.width, 3], INPUT_OP
        )
        (features,) = tf.graph_util.import_graph_def(
            extractor.graph.graph_def,
            input_map={extractor.graph.input_name: pixels},
            return_elements=[extractor.graph.output_name],
            name="module",
        )
        with tf.name_scope("final_layer"):
            weights = tf.constant(layer.weights, name="weights")
            biases = tf.constant(layer.biases, name="biases")
            logits = tf.nn.bias_add(tf.matmul(features, weights, name="matmul"), biases, name="logits")
        tf.nn.softmax(logits, name=final_tensor_name)
    graph_def = tf.compat.v1.graph_util.extract_sub_graph(graph.as_graph_def(), [final_tensor_name])
    return FrozenGraph(graph_def, f"{INPUT_OP}:0", f"{final_tensor_name}:0")


class IntermediateGraphs:
    """Stores checkpoint and graph every so many training steps."""

    def __init__(self, extractor: FeatureExtractor, options: OutputOptions) -> None:
        self._extractor = extractor
        self._options = options

    def is_due(self, step: int) -> bool:
        """Return whether this step is one after which to store."""
        frequency = self._options.intermediate_store_frequency
        return frequency > 0 and step > 0 and step % frequency == 0

    def __call__(self, step: int, layer: SoftmaxLayer) -> None:
        """Store the layer. Raises WorkFailed."""
        path = self._options.intermediate_output_graphs_dir / f"intermediate_{step}.pb"
        write_checkpoint(layer, self._options.checkpoint_path)
        write_graph(build(self._extractor, layer, self._options.final_tensor_name), path)
        log.info("Intermediate graph: %s", path)


def write_all(
    frozen: FrozenGraph,
    options: OutputOptions,
    *,
    layer: SoftmaxLayer,
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
) -> int:
    """Write every output that `options` name; return how many images the written graph agreed on.

    All are written beside their places and checked first, and only then put there, so that a full
    disk leaves an earlier graph with its own labels. Raises WorkFailed.
    """
    with contextlib.ExitStack() as places:
        if options.saved_model_dir is not None:
            _write_saved_model(frozen, options.saved_model_dir, places)
        _write_checkpoint(layer, options.checkpoint_path, places)
        labels = places.enter_context(replacing(options.output_labels))
        labels.write_bytes(encoded_labels(bottlenecks.dataset.labels))
        graph = places.enter_context(replacing(options.output_graph))
        graph.write_bytes(_serialized(frozen))
        read_back = FrozenGraph(read_graph(graph), frozen.input_name, frozen.output_name)
        return _check_agreement(
            read_back, options.output_graph, layer=layer, bottlenecks=bottlenecks, extractor=extractor
        )


def write_graph(frozen: FrozenGraph, path: Path) -> None:
    """Write the graph at `path`, whole or not at all. Raises WorkFailed."""
    write_bytes(path, _serialized(frozen))


def read_graph(path: Path) -> GraphDef:
    """Return the GraphDef in a file. Raises BadRequest if there is none."""
    try:
        graph_def = parse(path.read_bytes())
    except OSError as error:
        raise BadRequest(f"graph '{path}' cannot be read: {error.strerror}.") from error
    if graph_def is None:
        raise BadRequest(
            f"'{path}' is not a frozen graph, or is cut short. Give the file that retrain.py wrote."
        )
    return graph_def


def encoded_labels(labels: tuple[str, ...]) -> bytes:
    """Return what a labels file holds: a label a line, its line ends as \\n or \\r, its backslashes twice."""
    escapes = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
    return b"".join(os.fsencode(label.translate(escapes)) + b"\n" for label in labels)


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels in a file, one per line. Raises BadRequest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"labels '{path}' cannot be read: {error.strerror}.") from error
    if not content.strip(b"\r\n"):
        raise BadRequest(f"labels '{path}' is empty. Give the file that retrain.py wrote with the graph.")
    lines = content.removesuffix(b"\n").split(b"\n")
    return tuple(_decoded_label(os.fsdecode(line.removesuffix(b"\r"))) for line in lines)


def _decoded_label(line: str) -> str:
    originals = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
    return re.sub(r"\\[\\nr]", lambda match: originals[match[0]], line)


def write_checkpoint(layer: SoftmaxLayer, prefix: Path) -> None:
    """Write the new layer as a TensorFlow checkpoint with `weights` and `biases`. Raises WorkFailed."""
    with contextlib.ExitStack() as places:
        _write_checkpoint(layer, prefix, places)


def _write_checkpoint(layer: SoftmaxLayer, prefix: Path, places: contextlib.ExitStack) -> None:
    """Write the checkpoint beside its place; it is put there when `places` close without an error."""
    variables = {"weights": tf.Variable(layer.weights), "biases": tf.Variable(layer.biases)}
    beside = places.enter_context(scratch_folder(prefix)) / prefix.name
    try:
        tf.train.Checkpoint(**variables).write(str(beside))
    except tf.errors.OpError as error:
        raise WorkFailed(f"--checkpoint_path '{prefix}' cannot be written: {reason(error)}.") from error
    for path in sorted(beside.parent.iterdir()):
        place = places.enter_context(replacing(prefix.with_name(path.name)))
        path.replace(place)


def _write_saved_model(frozen: FrozenGraph, folder: Path, places: contextlib.ExitStack) -> None:
    """Write a SavedModel with the signature `serving_default`, input `image`, output `prediction`.

    It is written beside its place, and put there when `places` close without an error.
    """
    graph = tf.Graph()
    whole = places.enter_context(replacing_folder(folder))
    try:
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            tf.graph_util.import_graph_def(frozen.graph_def, name="")
            tf.compat.v1.saved_model.simple_save(
                session,
                str(whole),
                inputs={"image": graph.get_tensor_by_name(frozen.input_name)},
                outputs={"prediction": graph.get_tensor_by_name(frozen.output_name)},
            )
    except tf.errors.OpError as error:
        raise WorkFailed(f"--saved_model_dir '{folder}' cannot be written: {reason(error)}.") from error


def _serialized(frozen: FrozenGraph) -> bytes:
    content: bytes = frozen.graph_def.SerializeToString(deterministic=True)
    return content


def _check_agreement(
    read_back: FrozenGraph,
    path: Path,
    *,
    layer: SoftmaxLayer,
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
) -> int:
    sets = (bottlenecks.testing, bottlenecks.validation, bottlenecks.training)
    chosen = next(images for images in sets if len(images))
    run = forward(read_back)
    # The graph computes in float32: vectors of another precision do not tell what it is to give.
    exact = dataclasses.replace(extractor, precision=FLOAT32)
    agreed = 0
    candidates = range(min(len(chosen), CHECKED_IMAGES))
    for start in range(0, len(candidates), BATCH_SIZE):
        rows, pixels = _pixels(chosen, candidates[start : start + BATCH_SIZE], extractor)
        if not rows:
            continue
        vectors = chosen.vectors[rows] if extractor.precision == FLOAT32 else exact.extract(pixels)
        difference = np.abs(run(pixels) - layer.probabilities(vectors)).max(axis=1)
        if not (difference <= AGREEMENT).all():  # so written, NaN fails too
            worst = chosen.paths[rows[int(difference.argmax())]]
            raise WorkFailed(
                f"the exported graph disagrees with the classifier by {difference.max():.3g} on {worst}; "
                f"'{path}' was not written. Remove the folder of --bottleneck_dir and run again; if it "
                "happens again, it is a bug: please report it."
            )
        agreed += len(rows)
    return agreed


def _pixels(
    chosen: BottleneckSet, rows: range, extractor: FeatureExtractor
) -> tuple[list[int], images.Pixels]:
    """Return the rows whose files still hold what their vectors were computed of, and their pixels."""
    kept, pixels = [], []
    for row in rows:
        try:
            content = images.read(chosen.paths[row])
            if images.digest(content) == chosen.keys[row]:
                pixels.append(images.decode(content, extractor.image_size))
                kept.append(row)
        except BadImage:
            continue  # gone since it was computed: nothing to compare with
    return kept, np.array(pixels, np.float32)
