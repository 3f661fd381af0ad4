"""TensorBoard: the runs `train` and `validation` below one folder."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from retraining.classifier import Metrics, Report
from retraining.errors import WorkFailed
from retraining.frozen_graph import GraphDef
from retraining.quiet_tensorflow import tf

HISTOGRAM_BUCKETS = 30


class SummaryWriter:
    """Writes reports, and at the end the graph. Earlier runs' files stay; TensorBoard shows the latest."""

    def __init__(self, folder: Path, first_step: int = 0) -> None:
        """Begin at `first_step`: what an earlier run wrote from there on is no longer shown."""
        try:
            self._training = _writer(folder / "train", first_step)
            self._validation = _writer(folder / "validation", first_step)
        except (tf.errors.OpError, OSError) as error:
            raise WorkFailed(f"--summaries_dir '{folder}' cannot be written: {error}") from error

    def add_report(self, report: Report) -> None:
        """Write accuracy and cross entropy of both runs, and the new layer's weights and biases."""
        layer = report.layer
        training = _metrics(report.training)
        training.MergeFrom(_distribution("weights", layer.weights))
        training.MergeFrom(_distribution("biases", layer.biases))
        self._training.add_summary(training.SerializeToString(), report.step)
        if report.validation is not None:
            validation = _metrics(report.validation)
            self._validation.add_summary(validation.SerializeToString(), report.step)

    def add_graph(self, graph_def: GraphDef) -> None:
        """Write the structure of the graph; its weights would make the log as large as the model."""
        structure = GraphDef.FromString(graph_def.SerializeToString())
        for node in structure.node:
            if node.op == "Const":
                tensor = node.attr["value"].tensor
                shape, dtype = tensor.tensor_shape, tensor.dtype
                node.attr["value"].tensor.CopyFrom(type(tensor)(tensor_shape=shape, dtype=dtype))
        self._training.add_graph(None, graph_def=structure)

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._training.close()
        self._validation.close()


def _writer(folder: Path, first_step: int) -> tf.compat.v1.summary.FileWriter:
    with tf.Graph().as_default():  # the writer refuses eager mode, though it needs no graph
        writer = tf.compat.v1.summary.FileWriter(str(folder))
    # Tells TensorBoard that steps begin anew, so that it drops an earlier run's curves.
    start = tf.compat.v1.SessionLog(status=tf.compat.v1.SessionLog.START)
    writer.add_session_log(start, global_step=first_step)
    return writer


def _metrics(metrics: Metrics) -> Summary:
    return _scalars({"accuracy": metrics.accuracy, "cross_entropy": metrics.cross_entropy})


def _distribution(name: str, values: NDArray[np.float32]) -> Summary:
    statistics = {"mean": values.mean(), "stddev": values.std(), "max": values.max(), "min": values.min()}
    summary = _scalars({f"{name}/{statistic}": float(value) for statistic, value in statistics.items()})
    summary.MergeFrom(histogram_pb(f"{name}/histogram", values, buckets=HISTOGRAM_BUCKETS))
    return summary


def _scalars(values: dict[str, float]) -> Summary:
    # The simple form: a tensor for each number takes three times as long, over thousands of them.
    return Summary(value=[Summary.Value(tag=tag, simple_value=value) for tag, value in values.items()])
