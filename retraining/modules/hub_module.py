"""Loads a module from a folder, in TF2 SavedModel or TF1 Hub format."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from retraining.arrays import ImageSize
from retraining.errors import BadModule
from retraining.graphs import saved_model_folder
from retraining.graphs.freezing import freeze
from retraining.graphs.frozen_graph import FrozenGraph, for_inference, op_of
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import finished_classifier, hub_attachment
from retraining.modules.module import Module

TF1_HUB_FILE = "tfhub_module.pb"  # marks a folder as a TF1 Hub module

REQUIRED_FILES = (saved_model_folder.FILE, "variables/variables.index")

# In order of preference: the one made for this purpose, TF1 Hub's main one, TF2's main one.
SIGNATURES = ("image_feature_vector", "default", "serving_default")

# Besides TensorFlow's own.
_LOAD_ERRORS = (OSError, ValueError, KeyError, RuntimeError, TypeError, DecodeError)


def load(folder: Path, *, name: str) -> Module:
    """Return the module in a folder.

    A tfhub_module.pb in it marks the TF1 Hub format. Raises BadModule if the folder cannot be loaded or
    contains no function from images to features.
    """
    check_folder(folder, shown=str(folder))
    try:
        if (folder / TF1_HUB_FILE).exists():
            return _load_tf1_hub(folder, name)
        return Module(name, for_inference(_freeze_tf2(folder)), fingerprint(folder))
    except (tf.errors.OpError, *_LOAD_ERRORS) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadModule(
            "module '{folder}' cannot be loaded and may be damaged: {reason}",
            folder=folder,
            reason=reason,
        ) from error


def check_folder(folder: Path, *, shown: str) -> None:
    """Raise BadModule, naming what is missing, unless `folder` has all files of a module.

    `shown` is what messages call the folder.
    """
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        graph = saved_model_folder.constant_graph(folder)
        if graph is not None and finished_classifier.is_finished(graph.graph_def):
            raise finished_classifier.refusal(shown)
        raise BadModule(
            "module '{folder}' is incomplete: it has no {missing}. If a download was interrupted, delete the "
            "folder and run again.",
            folder=shown,
            missing=" and no ".join(missing),
        )


def fingerprint(folder: Path) -> str:
    """Return the SHA-256, in hex, of the names and contents of every file below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(os.fsencode(path.relative_to(folder).as_posix()) + b"\0" + content.encode())
    return digest.hexdigest()


def _load_tf1_hub(folder: Path, name: str) -> Module:
    """Freeze the graph in a session: three times as fast as hub.load, which rebuilds it as a function."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        # TF1 Hub saves the inference graph under the empty set of tags.
        meta_graph = tf.compat.v1.saved_model.load(session, [], str(folder))
        signature = meta_graph.signature_def[_signature_name(meta_graph.signature_def, folder)]
        input_name = signature.inputs[_main_name(signature.inputs, "input", folder)].name
        output_name = signature.outputs[_main_name(signature.outputs, "output", folder)].name
        graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [op_of(output_name)]
        )
    frozen = for_inference(FrozenGraph(graph_def, input_name, output_name))
    return Module(name, frozen, fingerprint(folder), recorded_size=_recorded_size(meta_graph))


def _recorded_size(meta_graph: Any) -> ImageSize | None:
    """Return the image size that a TF1 Hub module has attached, or None."""
    for attachment in meta_graph.collection_def["hub_module_attachments"].bytes_list.value:
        size = hub_attachment.image_size(attachment)
        if size is not None:
            return size
    return None


def _freeze_tf2(folder: Path) -> FrozenGraph:
    # Keep `module` alive until the end: its functions hold only weak references to its variables.
    module = tf.saved_model.load(str(folder))
    if module.signatures:
        function = module.signatures[_signature_name(module.signatures, folder)]
        names = sorted(function.structured_outputs)  # the order in which a signature returns them
        return freeze(function, names.index(_main_name(names, "output", folder)))
    if not callable(module):
        raise BadModule(
            "module '{folder}' has no signature and cannot be called. {expected}",
            folder=folder,
            expected=_EXPECTED,
        )
    images = tf.TensorSpec([None, None, None, 3], tf.float32)
    return freeze(tf.function(module).get_concrete_function(images))


_EXPECTED = f"An image module has one of {', '.join(SIGNATURES)}, or can be called with images."


def _signature_name(signatures: Any, folder: Path) -> str:
    for name in SIGNATURES:
        if name in signatures:
            return name
    raise BadModule(
        "module '{folder}' has the signatures {signatures}. {expected}",
        folder=folder,
        signatures=", ".join(sorted(signatures)),
        expected=_EXPECTED,
    )


def _main_name(names: Any, kind: str, folder: Path) -> str:
    """Return the only name there is, or 'default' if there are several."""
    if len(names) == 1:
        return str(next(iter(names)))
    if "default" in names:
        return "default"
    raise BadModule(
        "module '{folder}' has the {kind}s {names}, and none of them is named default. Use another module.",
        folder=folder,
        kind=kind,
        names=", ".join(sorted(names)),
    )
