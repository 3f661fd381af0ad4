"""Reads the graph of a classifier, from a frozen graph's file or a SavedModel's folder."""

from __future__ import annotations

from pathlib import Path

from retraining.errors import BadRequest
from retraining.graphs import graph_file, saved_model_folder
from retraining.graphs.frozen_graph import GraphDef, op_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import hub_module


def read(path: Path) -> GraphDef:
    """Return the graph in a file, or in a SavedModel's folder up to the output of its signature.

    Variables become constants. Raises BadRequest.
    """
    if not path.is_dir():
        return graph_file.read(path)
    if (path / hub_module.TF1_HUB_FILE).exists():
        raise BadRequest(
            "graph '{path}' is a module of TensorFlow Hub, not a classifier of your classes. Give it to "
            "retrain.py with {tfhub_module}, and then what that writes to {graph}.",
            path=path,
        )
    if not (path / saved_model_folder.FILE).is_file():
        raise BadRequest(
            "graph '{path}' is a folder without {file}. Give the frozen graph or the SavedModel that "
            "retrain.py wrote.",
            path=path,
            file=saved_model_folder.FILE,
        )
    frozen = saved_model_folder.constant_graph(path) or hub_module.load(path, name=path.name).graph
    return tf.compat.v1.graph_util.extract_sub_graph(frozen.graph_def, [op_of(frozen.output_name)])
