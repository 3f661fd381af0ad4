"""SavedModels: signature `serving_default`, input `image`, output `prediction`."""

from __future__ import annotations

import errno
from pathlib import Path

from retraining.arrays import Forward
from retraining.graphs.frozen_graph import FrozenGraph, forward_in
from retraining.graphs.quiet_tensorflow import tf
from retraining.storage.atomic_files import reason

_INPUT, _OUTPUT = "image", "prediction"


def write(frozen: FrozenGraph, folder: Path) -> None:
    """Write a graph as a SavedModel to a new folder. Raises OSError."""
    graph = tf.Graph()
    try:
        with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
            tf.graph_util.import_graph_def(frozen.graph_def, name="")
            tf.compat.v1.saved_model.simple_save(
                session,
                str(folder),
                inputs={_INPUT: graph.get_tensor_by_name(frozen.input_name)},
                outputs={_OUTPUT: graph.get_tensor_by_name(frozen.output_name)},
            )
    except tf.errors.OpError as error:
        # Like any other file that cannot be written: the caller knows the path that the user named.
        raise OSError(errno.EIO, reason(error)) from error


def read(folder: Path) -> Forward:
    """Return the function of a SavedModel's default signature."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        tags = [tf.compat.v1.saved_model.tag_constants.SERVING]
        signatures = tf.compat.v1.saved_model.load(session, tags, str(folder)).signature_def
    signature = signatures[tf.compat.v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
    return forward_in(graph, signature.inputs[_INPUT].name, signature.outputs[_OUTPUT].name)
