"""The new layer as a TensorFlow checkpoint with the variables `weights` and `biases`."""

from __future__ import annotations

import contextlib
from pathlib import Path

from retraining.errors import WorkFailed
from retraining.graphs.quiet_tensorflow import tf
from retraining.storage.atomic_files import reason, replacing, scratch_folder
from retraining.training.softmax_layer import SoftmaxLayer


def write(layer: SoftmaxLayer, prefix: Path) -> None:
    """Write the files of a checkpoint, all or none. Raises WorkFailed."""
    with contextlib.ExitStack() as places:
        stage(layer, prefix, places)


def stage(layer: SoftmaxLayer, prefix: Path, places: contextlib.ExitStack) -> None:
    """Write a checkpoint next to its place; it is moved there when `places` closes without an error."""
    variables = {"weights": tf.Variable(layer.weights), "biases": tf.Variable(layer.biases)}
    beside = places.enter_context(scratch_folder(prefix)) / prefix.name
    try:
        tf.train.Checkpoint(**variables).write(str(beside))
    except tf.errors.OpError as error:
        raise WorkFailed(
            "{checkpoint_path} '{prefix}' cannot be written: {reason}.", prefix=prefix, reason=reason(error)
        ) from error
    for path in sorted(beside.parent.iterdir()):
        place = places.enter_context(replacing(prefix.with_name(path.name)))
        path.replace(place)
