"""Logs for TensorBoard: the runs `train` and `validation` in one folder."""

from __future__ import annotations

import contextlib
import os
import platform
import time
import uuid
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.graph_pb2 import GraphDef
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.tensor_shape_pb2 import TensorShapeProto
from tensorboard.compat.proto.types_pb2 import DT_DOUBLE
from tensorboard.plugins.histogram import metadata as histogram_plugin

from retraining.errors import WorkFailed
from retraining.storage import records
from retraining.storage.atomic_files import reason
from retraining.training.metrics import Metrics
from retraining.training.trainer import TrainingStep

HISTOGRAM_BUCKETS = 30


class SummaryWriter:
    """Writes reports, and the graph. Files of earlier runs stay; TensorBoard shows the latest run.

    Every method raises WorkFailed if the disk cannot be written.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Start at `first_step`: what an earlier run wrote for that step or later is no longer shown."""
        with contextlib.ExitStack() as files:
            self._training = files.enter_context(contextlib.closing(_EventFile(folder / "train", first_step)))
            validation = _EventFile(folder / "validation", first_step)
            self._validation = files.enter_context(contextlib.closing(validation))
            self._files = files.pop_all()

    def add_report(self, report: TrainingStep) -> None:
        """Write accuracy and cross entropy of both runs, and the new layer's weights and biases."""
        layer = report.layer
        training = _metrics(report.training)
        training.MergeFrom(_distribution("weights", layer.weights))
        training.MergeFrom(_distribution("biases", layer.biases))
        self._training.add(Event(summary=training, step=report.step))
        if report.validation is not None:
            validation = _metrics(report.validation)
            self._validation.add(Event(summary=validation, step=report.step))

    def add_graph(self, graph_def: bytes) -> None:
        """Write the structure of a serialized GraphDef.

        Its weights would make the log as large as the model.
        """
        structure = GraphDef.FromString(graph_def)
        for node in structure.node:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                shape, dtype = tensor.tensor_shape, tensor.dtype
                node.attr["value"].tensor.CopyFrom(type(tensor)(tensor_shape=shape, dtype=dtype))
        self._training.add(Event(graph_def=structure.SerializeToString()))

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()


class _EventFile:
    """One of TensorBoard's files: records of Event messages. The first names the version.

    Not written by TensorFlow's or TensorBoard's own writer: they ignore a full disk, or load TensorFlow.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self._path = _new_path(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            # O_EXCL: fails if another user has put a link there.
            self._file = os.fdopen(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666), "wb")
        except OSError as error:
            raise self._write_failed(error) from error
        self.add(Event(file_version="brain.Event:2"))
        # Tells TensorBoard that steps begin anew, so that it drops an earlier run's curves.
        self.add(Event(session_log=SessionLog(status=SessionLog.START), step=first_step))

    def add(self, event: Event) -> None:
        event.wall_time = time.time()
        try:
            self._file.write(records.encode(event.SerializeToString()))
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):  # closing it would write the rest
                self._file.close()
            raise self._write_failed(error) from error

    def close(self) -> None:
        try:
            self._file.close()
        except OSError as error:
            raise self._write_failed(error) from error

    def _write_failed(self, error: OSError) -> WorkFailed:
        return WorkFailed(
            "{summaries_dir} '{folder}' cannot be written: {reason}.",
            folder=self._path.parents[1],
            reason=reason(error),
        )


def _new_path(folder: Path) -> Path:
    """Return a name that sorts after those of all earlier runs: TensorBoard reads the files in that order."""
    seconds = int(time.time())
    for path in folder.glob("events.out.tfevents.*"):
        begun = path.name.split(".")[3]
        if begun.isdecimal():
            seconds = max(seconds, int(begun) + 1)  # even if the clock was set back
    return (
        folder / f"events.out.tfevents.{seconds:010d}.{platform.node()}.{os.getpid()}.{uuid.uuid4().hex[:8]}"
    )


def _metrics(metrics: Metrics) -> Summary:
    return _scalars({"accuracy": metrics.accuracy, "cross_entropy": metrics.cross_entropy})


def _distribution(name: str, values: NDArray[np.float32]) -> Summary:
    statistics = {"mean": values.mean(), "stddev": values.std(), "max": values.max(), "min": values.min()}
    summary = _scalars({f"{name}/{statistic}": float(value) for statistic, value in statistics.items()})
    summary.value.append(_histogram(f"{name}/histogram", values.astype(np.float64).ravel()))
    return summary


def _histogram(tag: str, values: NDArray[np.float64]) -> Summary.Value:
    """Return what TensorBoard's `histogram_pb` returns for float64 [n], in a fifth of the time."""
    low, high = values.min(), values.max()
    if low == high:
        edges = np.full(HISTOGRAM_BUCKETS + 1, low)
        buckets = np.full(len(values), HISTOGRAM_BUCKETS - 1)
    else:
        edges = np.linspace(low, high, HISTOGRAM_BUCKETS + 1)
        width = (high - low) / HISTOGRAM_BUCKETS
        buckets = np.minimum((values - low) / width, HISTOGRAM_BUCKETS - 1).astype(np.int64)
    table = np.stack([edges[:-1], edges[1:], np.bincount(buckets, minlength=HISTOGRAM_BUCKETS)], axis=1)
    shape = TensorShapeProto(dim=[TensorShapeProto.Dim(size=size) for size in table.shape])
    tensor = TensorProto(dtype=DT_DOUBLE, tensor_shape=shape, tensor_content=table.tobytes())
    metadata = histogram_plugin.create_summary_metadata(display_name=None, description=None)
    return Summary.Value(tag=tag, metadata=metadata, tensor=tensor)


def _scalars(values: dict[str, float]) -> Summary:
    # simple_value: a tensor for each number would take three times as long, and there are thousands.
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
