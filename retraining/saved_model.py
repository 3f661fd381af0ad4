"""A module's folder, in TF2 SavedModel or TF1 Hub form -> one frozen graph."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError

from retraining.errors import BadModule
from retraining.frozen_graph import FrozenGraph, for_inference, op_of
from retraining.quiet_tensorflow import convert_variables_to_constants_v2, tf

REQUIRED_FILES = ("saved_model.pb", "variables/variables.index")
SIGNATURES = ("image_feature_vector", "serving_default", "default")

_LOAD_ERRORS = (tf.errors.OpError, OSError, ValueError, KeyError, RuntimeError, DecodeError)


def check_folder(folder: Path) -> None:
    """Raise BadModule, naming what is missing, unless `folder` looks like a whole module."""
    if not folder.is_dir():
        raise BadModule(f"module '{folder}' is not a folder. Give the folder that holds saved_model.pb.")
    missing = [name for name in REQUIRED_FILES if not (folder / name).is_file()]
    if missing:
        raise BadModule(
            f"module '{folder}' is incomplete: it has no {' and no '.join(missing)}. If it came from a "
            "download that was cut off, remove the folder and run again."
        )


def fingerprint(folder: Path) -> str:
    """Return the SHA-256, in hex, of the names and contents of every file below `folder`."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(os.fsencode(path.relative_to(folder).as_posix()) + b"\0" + content.encode())
    return digest.hexdigest()


def freeze(folder: Path) -> FrozenGraph:
    """Return the module's function from images to features as a frozen graph.

    The TF1 Hub form is told by its tfhub_module.pb. Raises BadModule if the folder cannot be loaded
    or holds no such function.
    """
    check_folder(folder)
    try:
        is_tf1_hub = (folder / "tfhub_module.pb").exists()
        return for_inference(_freeze_tf1_hub(folder) if is_tf1_hub else _freeze_tf2(folder))
    except _LOAD_ERRORS as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadModule(f"module '{folder}' cannot be loaded, it may be damaged: {reason}") from error


def _freeze_tf1_hub(folder: Path) -> FrozenGraph:
    """Freeze by the session way: three times as fast as hub.load, which rebuilds it as a function."""
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        # The form keeps its inference graph under the empty set of tags.
        meta_graph = tf.compat.v1.saved_model.load(session, [], str(folder))
        signature = meta_graph.signature_def[_signature_name(meta_graph.signature_def, folder)]
        input_name = _only(signature.inputs, "input", folder).name
        output_name = _only(signature.outputs, "output", folder).name
        graph_def = tf.compat.v1.graph_util.convert_variables_to_constants(
            session, graph.as_graph_def(), [op_of(output_name)]
        )
    return FrozenGraph(graph_def, input_name, output_name)


def _freeze_tf2(folder: Path) -> FrozenGraph:
    module = tf.saved_model.load(str(folder))
    if module.signatures:
        function = module.signatures[_signature_name(module.signatures, folder)]
    else:
        images = tf.TensorSpec([None, None, None, 3], tf.float32)
        function = tf.function(module).get_concrete_function(images)
    # `module` must outlive this line: its functions hold its variables by weak references only.
    frozen = convert_variables_to_constants_v2(function)
    (result,) = frozen.outputs if len(frozen.outputs) == 1 else (_default_output(function, frozen, folder),)
    return FrozenGraph(frozen.graph.as_graph_def(), frozen.inputs[0].name, result.name)


def _default_output(function: Any, frozen: Any, folder: Path) -> Any:
    names = sorted(function.structured_outputs)
    if "default" not in names:
        raise BadModule(f"module '{folder}' has the outputs {', '.join(names)}, none of them 'default'.")
    return frozen.outputs[names.index("default")]


def _signature_name(signatures: Any, folder: Path) -> str:
    for name in SIGNATURES:
        if name in signatures:
            return name
    raise BadModule(
        f"module '{folder}' offers the signatures {', '.join(sorted(signatures)) or 'none'}; an image "
        f"module offers one of {', '.join(SIGNATURES)}."
    )


def _only(tensors: Any, kind: str, folder: Path) -> Any:
    if "default" in tensors:
        return tensors["default"]
    if len(tensors) != 1:
        raise BadModule(f"module '{folder}' has the {kind}s {', '.join(sorted(tensors))}; one is needed.")
    return next(iter(tensors.values()))
