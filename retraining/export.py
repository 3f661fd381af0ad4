"""The files the user asked for: frozen graph, labels, checkpoint, SavedModel. Written and read back here."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path

import numpy as np

from retraining import images
from retraining.bottlenecks import Bottlenecks, BottleneckSet
from retraining.classifier import SoftmaxLayer
from retraining.errors import BadImage, BadRequest, WorkFailed
from retraining.extractor import BATCH_SIZE, FeatureExtractor
from retraining.files import replacing, write_bytes
from retraining.frozen_graph import FrozenGraph, GraphDef, forward, parse
from retraining.options import OutputOptions
from retraining.quiet_tensorflow import tf

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
    """Called after every training step; stores checkpoint and graph every so many steps."""

    def __init__(self, extractor: FeatureExtractor, options: OutputOptions) -> None:
        self._extractor = extractor
        self._options = options

    def __call__(self, step: int, layer: SoftmaxLayer) -> None:
        """Store the layer if this step is one at which to do so. Raises WorkFailed."""
        frequency = self._options.intermediate_store_frequency
        if frequency == 0 or step == 0 or step % frequency:
            return
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

    Raises WorkFailed.
    """
    path = options.output_graph
    agreed = write_checked_graph(frozen, path, layer=layer, bottlenecks=bottlenecks, extractor=extractor)
    write_labels(bottlenecks.dataset.labels, options.output_labels)
    write_checkpoint(layer, options.checkpoint_path)
    if options.saved_model_dir is not None:
        write_saved_model(frozen, options.saved_model_dir)
    return agreed


def write_graph(frozen: FrozenGraph, path: Path) -> None:
    """Write the graph at `path`, whole or not at all. Raises WorkFailed."""
    write_bytes(path, _serialized(frozen))


def write_checked_graph(
    frozen: FrozenGraph,
    path: Path,
    *,
    layer: SoftmaxLayer,
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
) -> int:
    """Write the graph, read it back, and only then put it in its place; return how many images agreed.

    The file must give up to CHECKED_IMAGES test images the probabilities that the classifier in
    memory does. Raises WorkFailed, with what was at `path` untouched, if it does not.
    """
    with replacing(path) as beside:
        beside.write_bytes(_serialized(frozen))
        read_back = FrozenGraph(read_graph(beside), frozen.input_name, frozen.output_name)
        return _check_agreement(read_back, path, layer=layer, bottlenecks=bottlenecks, extractor=extractor)


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


def write_labels(labels: tuple[str, ...], path: Path) -> None:
    """Write one label per line. Raises WorkFailed."""
    write_bytes(path, b"".join(os.fsencode(label) + b"\n" for label in labels))


def read_labels(path: Path) -> tuple[str, ...]:
    """Return the labels in a file, one per line. Raises BadRequest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(f"labels '{path}' cannot be read: {error.strerror}.") from error
    return tuple(os.fsdecode(line.rstrip(b"\r")) for line in content.removesuffix(b"\n").split(b"\n"))


def write_checkpoint(layer: SoftmaxLayer, prefix: Path) -> None:
    """Write the new layer as a TensorFlow checkpoint with `weights` and `biases`. Raises WorkFailed."""
    variables = {"weights": tf.Variable(layer.weights), "biases": tf.Variable(layer.biases)}
    try:
        prefix.parent.mkdir(parents=True, exist_ok=True)
        tf.train.Checkpoint(**variables).write(str(prefix))
    except (OSError, tf.errors.OpError) as error:
        raise WorkFailed(f"--checkpoint_path '{prefix}' cannot be written: {error}") from error


def write_saved_model(frozen: FrozenGraph, folder: Path) -> None:
    """Write a SavedModel with the signature `serving_default`, input `image`, output `prediction`.

    Raises WorkFailed.
    """
    graph = tf.Graph()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
            whole = Path(beside) / "saved_model"
            with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
                tf.graph_util.import_graph_def(frozen.graph_def, name="")
                tf.compat.v1.saved_model.simple_save(
                    session,
                    str(whole),
                    inputs={"image": graph.get_tensor_by_name(frozen.input_name)},
                    outputs={"prediction": graph.get_tensor_by_name(frozen.output_name)},
                )
            whole.replace(folder)
    except (OSError, tf.errors.OpError) as error:
        raise WorkFailed(f"--saved_model_dir '{folder}' cannot be written: {error}") from error


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
    agreed = 0
    candidates = range(min(len(chosen), CHECKED_IMAGES))
    for start in range(0, len(candidates), BATCH_SIZE):
        rows, pixels = _pixels(chosen, candidates[start : start + BATCH_SIZE], extractor)
        if not rows:
            continue
        difference = np.abs(run(pixels) - layer.probabilities(chosen.vectors[rows])).max(axis=1)
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
