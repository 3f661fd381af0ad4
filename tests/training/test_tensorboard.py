from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.plugins.histogram.summary_v2 import histogram_pb

from retraining.errors import WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.storage import records
from retraining.training.metrics import Metrics
from retraining.training.softmax_layer import SoftmaxLayer
from retraining.training.tensorboard import HISTOGRAM_BUCKETS, SummaryWriter
from retraining.training.trainer import TrainingStep
from tests.conftest import MODULE_FEATURES


def report(step: int, accuracy: float) -> TrainingStep:
    layer = SoftmaxLayer(np.full((4, 3), step, np.float32), np.arange(3, dtype=np.float32))
    return TrainingStep(
        step, layer, Metrics(accuracy, 1 - accuracy, 100), Metrics(accuracy / 2, 2 - accuracy, 50)
    )


@contextlib.contextmanager
def tensorboard(folder: Path) -> Iterator[str]:
    """Run TensorBoard on `folder` and yield its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(folder), "--port", "0"]
    command += ["--host", "127.0.0.1", "--load_fast", "false"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stderr is not None
            for line in server.stderr:
                if "http://127.0.0.1:" in line:
                    yield next(word for word in line.split() if word.startswith("http://"))
                    break
            else:
                pytest.fail("TensorBoard did not start")
        finally:
            server.kill()  # it sometimes swallows SIGTERM


def get(address: str) -> Any:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(address, timeout=20) as response:
        return json.load(response)


def eventually(address: str) -> Any:
    """Ask until TensorBoard, which reads the logs in the background, has an answer."""
    deadline = time.monotonic() + 60
    while not (answer := get(address)):
        assert time.monotonic() < deadline, address
        time.sleep(0.2)
    return answer


@pytest.mark.soak
def test_tensorboard_serves_what_was_written(tmp_path: Path, extractor: FeatureExtractor) -> None:
    with SummaryWriter(tmp_path) as writer:
        for step in (0, 10, 20):
            writer.add_report(report(step, step / 100))
    with SummaryWriter(tmp_path) as writer:  # a second run into the same folder
        for step in (0, 10):
            writer.add_report(report(step, 0.5 + step / 100))
        writer.add_graph(extractor.graph.graph_def.SerializeToString())
    with tensorboard(tmp_path) as address:
        assert eventually(f"{address}data/runs") == ["train", "validation"]
        tags = eventually(f"{address}data/plugin/scalars/tags")
        assert {"accuracy", "cross_entropy", "weights/mean", "weights/stddev", "weights/max"} <= set(
            tags["train"]
        )
        assert {"weights/min", "biases/mean", "biases/stddev", "biases/max", "biases/min"} <= set(
            tags["train"]
        )
        assert set(tags["validation"]) == {"accuracy", "cross_entropy"}
        scalars = eventually(f"{address}data/plugin/scalars/scalars?run=train&tag=accuracy")
        assert [tuple(point[1:]) for point in scalars] == [(0, 0.5), (10, pytest.approx(0.6))]
        validation = eventually(f"{address}data/plugin/scalars/scalars?run=validation&tag=accuracy")
        assert [tuple(point[1:]) for point in validation] == [(0, 0.25), (10, pytest.approx(0.3))]
        histograms = eventually(f"{address}data/plugin/histograms/tags")
        assert set(histograms["train"]) == {"weights/histogram", "biases/histogram"}
        assert eventually(f"{address}data/plugin/graphs/info")["train"]["run_graph"]


def test_graph_in_the_log_leaves_out_the_weights(tmp_path: Path, extractor: FeatureExtractor) -> None:
    with SummaryWriter(tmp_path) as writer:
        writer.add_graph(extractor.graph.graph_def.SerializeToString())
    logged = b"".join(path.read_bytes() for path in (tmp_path / "train").iterdir())
    assert b"AvgPool" in logged
    weights = tf.linspace(1.0, 8.0, MODULE_FEATURES).numpy()
    assert weights.tobytes() in extractor.graph.graph_def.SerializeToString()
    assert weights.tobytes() not in logged


@pytest.mark.parametrize("values", [np.random.default_rng(0).normal(size=(50, 3)), np.full((4, 3), 0.1)])
def test_histograms_are_those_of_tensorboard(values: np.ndarray, tmp_path: Path) -> None:
    layer = SoftmaxLayer(values.astype(np.float32), np.arange(3, dtype=np.float32))
    with SummaryWriter(tmp_path) as writer:
        writer.add_report(TrainingStep(7, layer, Metrics(1, 0, 1), None))
    (path,) = (tmp_path / "train").iterdir()
    *_, event = map(Event.FromString, records.read(path))
    written = {value.tag: value for value in event.summary.value}
    for name in ("weights", "biases"):
        tag = f"{name}/histogram"
        assert histogram_pb(tag, getattr(layer, name), buckets=HISTOGRAM_BUCKETS).value[0] == written[tag]


def test_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WorkFailed, match=rf"^summaries_dir '{tmp_path}/file' cannot be written: "):
        SummaryWriter(tmp_path / "file")
