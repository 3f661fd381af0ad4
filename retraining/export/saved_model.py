"""SavedModels: signature `serving_default`, input `image`, output `prediction`."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from pathlib import Path

from google.protobuf import any_pb2, descriptor_pool, message_factory

from retraining.arrays import Forward
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs.frozen_graph import FrozenGraph, forward_in
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import saved_model_assets
from retraining.inference.saved_model_assets import Assets
from retraining.storage.atomic_files import reason

_INPUT, _OUTPUT = "image", "prediction"

# The collection of a graph in which SavedModel readers look for the files that come with it.
_ASSETS = "saved_model_assets"


def write_classifier(classifier: ClassifierGraph, folder: Path) -> None:
    """Write a classifier as a SavedModel to a new folder, with its labels inside. Raises OSError."""
    write(classifier.frozen, folder, files=assets_of(classifier).files())


def write(frozen: FrozenGraph, folder: Path, *, files: Mapping[str, bytes] | None = None) -> None:
    """Write a graph as a SavedModel to a new folder; `files` are its assets by name. Raises OSError."""
    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(frozen.graph_def, name="")
        inputs = {_INPUT: graph.get_tensor_by_name(frozen.input_name)}
        outputs = {_OUTPUT: graph.get_tensor_by_name(frozen.output_name)}
    save(graph, folder, inputs=inputs, outputs=outputs, files=files or {})


def save(
    graph: tf.Graph,
    folder: Path,
    *,
    inputs: Mapping[str, tf.Tensor],
    outputs: Mapping[str, tf.Tensor],
    files: Mapping[str, bytes],
) -> None:
    """Save a graph without variables, with this signature, to a new folder; `files` are its assets by name.

    Raises OSError.
    """
    try:
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            for name in files:
                _record_asset(name)
            tf.compat.v1.saved_model.simple_save(session, str(folder), inputs=inputs, outputs=outputs)
    except tf.errors.OpError as error:
        # Like any other file that cannot be written: the caller knows the path that the user named.
        raise OSError(errno.EIO, reason(error)) from error
    for name, content in files.items():
        path = folder / saved_model_assets.FOLDER / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)


def assets_of(classifier: ClassifierGraph) -> Assets:
    """Return what a SavedModel records of a classifier."""
    return Assets(
        classifier.labels,
        classifier.size,
        mean=classifier.mean,
        std=classifier.std,
        significant_bits=classifier.significant_bits,
    )


def read(folder: Path) -> Forward:
    """Return the function of a SavedModel's default signature."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        tags = [tf.compat.v1.saved_model.tag_constants.SERVING]
        signatures = tf.compat.v1.saved_model.load(session, tags, str(folder)).signature_def
    signature = signatures[tf.compat.v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
    return forward_in(graph, signature.inputs[_INPUT].name, signature.outputs[_OUTPUT].name)


def _record_asset(name: str) -> None:
    """Make a file known as an asset: readers give its path to the tensor that it is recorded with.

    TensorFlow's own builder copies the file from the tensor's value, and so leaves a temporary path in there.
    """
    pool = descriptor_pool.Default()
    definition = message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.AssetFileDef"))(
        filename=name
    )
    definition.tensor_info.name = tf.constant(name, name=f"asset_{name.partition('.')[0]}").name
    packed = any_pb2.Any()
    packed.Pack(definition)
    tf.compat.v1.add_to_collection(_ASSETS, packed)
