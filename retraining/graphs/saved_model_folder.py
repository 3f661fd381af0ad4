"""Folders in SavedModel format whose graph has constants in place of variables, as retrain.py writes them."""

from __future__ import annotations

from pathlib import Path

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.message import DecodeError

from retraining.graphs import quiet_tensorflow
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf

FILE = "saved_model.pb"

# The signature of a SavedModel that takes image files as they are: names of its input and its outputs.
BYTES_INPUT = "image_bytes"
LABELS_OUTPUT = "labels"
SCORES_OUTPUT = "scores"

_VARIABLES = ("VarHandleOp", "VariableV2", "Variable")
_LOAD_ERRORS = (OSError, ValueError, KeyError, RuntimeError, DecodeError)  # besides TensorFlow's own


def constant_graph(folder: Path) -> FrozenGraph | None:
    """Return the graph between input and output of the default signature, or None if there is no such graph.

    There is none if the folder has variables, or no signature with one input and one output.
    """
    saved_model = tf.compat.v1.saved_model
    try:
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            meta_graph = saved_model.load(session, [saved_model.tag_constants.SERVING], str(folder))
    except (tf.errors.OpError, *_LOAD_ERRORS):
        return None
    if any(node.op in _VARIABLES for node in meta_graph.graph_def.node):
        return None
    key = saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    signature = meta_graph.signature_def.get(key)
    if signature is None or not len(signature.inputs) == len(signature.outputs) == 1:
        return None
    (source,), (result,) = signature.inputs.values(), signature.outputs.values()
    return FrozenGraph(meta_graph.graph_def, source.name, result.name)


def takes_bytes(folder: Path) -> bool:
    """Return whether the default signature of a SavedModel takes the bytes of image files."""
    quiet_tensorflow.load()  # which tells protobuf of its messages
    message = descriptor_pool.Default().FindMessageTypeByName("tensorflow.SavedModel")
    try:
        saved = message_factory.GetMessageClass(message).FromString((folder / FILE).read_bytes())
    except (OSError, DecodeError):
        return False
    key = tf.compat.v1.saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY
    inputs = [graph.signature_def[key].inputs for graph in saved.meta_graphs if key in graph.signature_def]
    return any(BYTES_INPUT in names and names[BYTES_INPUT].dtype == tf.string for names in inputs)
