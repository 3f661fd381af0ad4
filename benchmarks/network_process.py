"""A network in a process of its own: TensorFlow sets up its thread pools and oneDNN once per process."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.figures import rate
from retraining.arrays import Forward, Pixels, Vectors
from retraining.features import extractor
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import frozen_graph
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules.hub_module import SIGNATURES
from retraining.settings.module import ModuleSettings

# Forms in which a module can run.
FROZEN = "frozen graph"
SAVED_MODEL = "loaded SavedModel"
XLA = "frozen graph, compiled by XLA"

IMAGES = 64  # in one measurement: one of the largest batches


class NetworkProcess:
    """A process that runs the module in `folder` in one of the forms, with changes to the environment."""

    def __init__(
        self, folder: Path, form: str = FROZEN, environment: Mapping[str, str] | None = None
    ) -> None:
        self._folder = folder
        self._form = form
        self._executor = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn"))
        with _environment(environment or {}):
            self._executor.submit(os.getpid).result()  # the process starts now, and inherits the environment

    def __enter__(self) -> NetworkProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self._executor.shutdown()

    def rate(self, batch_size: int) -> float:
        """Return the images per second over IMAGES random images, in batches of `batch_size`."""
        return self._executor.submit(_rate, self._folder, self._form, batch_size).result()


@contextlib.contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _rate(folder: Path, form: str, batch_size: int) -> float:
    network, run = _network(folder), _forward(folder, form)
    size = network.image_size
    pixels = np.random.default_rng(0).random((batch_size, size.height, size.width, 3), np.float32)
    batches = IMAGES // batch_size
    return rate(batches * batch_size, lambda: [run(pixels) for _ in range(batches)])


@functools.cache
def _network(folder: Path) -> FeatureExtractor:
    return extractor.load_extractor(ModuleSettings(str(folder)))


@functools.cache
def _forward(folder: Path, form: str) -> Forward:
    graph = _network(folder).graph
    if form == SAVED_MODEL:
        return _loaded(folder)
    return _compiled(graph) if form == XLA else frozen_graph.forward(graph)


def _loaded(folder: Path) -> Forward:
    module = tf.saved_model.load(str(folder))
    name = next(name for name in SIGNATURES if name in module.signatures)
    (argument,) = module.signatures[name].structured_input_signature[1]

    def run(pixels: Pixels) -> Vectors:
        outputs = module.signatures[name](**{argument: tf.constant(pixels)})
        vectors: Vectors = (
            outputs["default"] if "default" in outputs else next(iter(outputs.values()))
        ).numpy()
        return vectors

    return run


def _compiled(graph: FrozenGraph) -> Forward:
    imported = tf.compat.v1.wrap_function(
        lambda: tf.graph_util.import_graph_def(graph.graph_def, name=""), []
    )
    tensors = (imported.graph.get_tensor_by_name(name) for name in (graph.input_name, graph.output_name))
    function = tf.function(imported.prune(*tensors), jit_compile=True)

    def run(pixels: Pixels) -> Vectors:
        vectors: Vectors = function(tf.constant(pixels)).numpy()
        return vectors

    return run
