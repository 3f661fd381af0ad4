"""A network converted for an engine, and checked against TensorFlow before it is used."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from retraining.arrays import Vectors
from retraining.engines import tensorflow_engine
from retraining.engines.engine import Engine
from retraining.engines.kept import Place
from retraining.errors import Message
from retraining.graphs import simplification
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.native_output import native_output_captured
from retraining.runtimes.batches import Extract, Images
from retraining.settings.module import FLOAT32

# Largest difference of a number in a vector, as a share of the largest number in that vector: networks differ
# in scale. Rounding makes about 1e-5 in networks of a hundred layers.
TOLERANCE = 1e-4

CHECKED_PHOTOS = 16  # images that a check uses, at most

log = logging.getLogger(__name__)


class Conversion:
    """How an engine computes a network: converted when first needed, or read if an earlier run has kept it.

    The first photos that it is given decide: TensorFlow computes them too, and only if both agree is the
    conversion used and kept. Otherwise TensorFlow is used, which a line says, with a warning if the engine
    `is_asked_for` by name.
    """

    def __init__(
        self,
        engine: Engine,
        graph: FrozenGraph,
        *,
        name: str,
        network: str,
        bottleneck_dir: Path,
        is_asked_for: bool = False,
    ) -> None:
        """Prepare it; `network` is the fingerprint of the extractor as TensorFlow computes it in float32."""
        self.engine = engine
        self.graph = graph
        self.network = network
        self.refused = ""
        self.content = b""  # the network in the engine's format, once it is loaded
        self._name = name
        self._place = Place(bottleneck_dir, engine, name=name, network=network)
        self._is_asked_for = is_asked_for
        self._forward: Extract | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: not what has been loaded, which only this one can use."""
        return self.__dict__ | {"_forward": None, "content": b""}

    def __call__(self, images: Images) -> Vectors:
        """Return float32 [n, features] for n images."""
        return self._settled(lambda: images)(images)

    def settle(self, photos: Callable[[], Images]) -> bool:
        """Return whether the engine is used; `photos` gives the pixels to check it on, if it has to be."""
        self._settled(photos)
        return not self.refused

    def _settled(self, photos: Callable[[], Images]) -> Extract:
        if self._forward is None:
            self._forward = self._kept() or self._made(photos()[:CHECKED_PHOTOS])
        return self._forward

    def _kept(self) -> Extract | None:
        """Return what an earlier run has kept or decided, if one has."""
        kept = self._place.read()
        if kept is None:
            return None
        record, content = kept
        return self._refuse(record.refused) if record.refused else self._loaded(content)

    def _made(self, photos: Images) -> Extract:
        """Convert the network, check it and keep it."""
        log.info("Module %s is converted for %s, once.", self._name, self.engine.title)
        content = self._converted()
        if not content:
            return self._refuse("it cannot compute this network", keep=True)
        forward = self._loaded(content)
        if self.refused:
            return forward
        difference = largest_difference(forward(photos), self._in_tensorflow()(photos))
        if not difference <= TOLERANCE:  # written so that NaN also fails
            reason = f"its vectors differ from TensorFlow's by {difference:.2g} of the largest number in them"
            return self._refuse(reason, keep=True)
        self._place.keep(content, largest_difference=difference, photos=len(photos))
        return forward

    def _converted(self) -> bytes:
        """Return the network in the engine's format, or b'' if it cannot be converted."""
        try:
            return convert(self.engine, self.graph)
        except Exception as error:  # converters raise whatever the graph makes them stumble over
            log.debug("%s cannot convert %s: %s", self.engine.title, self._name, error)
            return b""

    def _loaded(self, content: bytes) -> Extract:
        try:
            with native_output_captured(is_shown_on_error=False):
                forward = self.engine.load(content)
        except Exception as error:  # a library that is missing, for example: not kept, since that may change
            log.debug("%s cannot load %s: %s", self.engine.title, self._name, error)
            return self._refuse("it does not start on this computer")
        self.content = content
        return forward

    def _refuse(self, reason: str, *, keep: bool = False) -> Extract:
        self.refused = reason
        if keep:
            self._place.refuse(reason)
        log.log(
            logging.WARNING if self._is_asked_for else logging.INFO,
            Message(
                "{title} is not used for module {name}, because {reason}; TensorFlow is used instead.",
                title=self.engine.title,
                name=self._name,
                reason=reason,
            ),
        )
        return self._in_tensorflow()

    def _in_tensorflow(self) -> Extract:
        return tensorflow_engine.load(self.graph, FLOAT32)


def convert(engine: Engine, graph: FrozenGraph) -> bytes:
    """Return a graph in an engine's format, printing nothing. Raises any exception if that fails."""
    return quietly(engine.convert, graph)


def quietly(converter: Callable[[FrozenGraph], bytes], graph: FrozenGraph) -> bytes:
    """Return what `converter` makes of a graph whose weights are float32, printing nothing.

    Raises any exception if that fails.
    """
    # An engine might turn stored bytes into float32 at every run.
    plain = simplification.with_float32_weights(simplification.simplified(graph))
    with native_output_captured(is_shown_on_error=False), _converters_silenced():
        return converter(plain)


@contextlib.contextmanager
def _converters_silenced() -> Iterator[None]:
    """Keep what converters tell developers out of an application's log."""
    loggers = [logging.getLogger(name) for name in ("absl", "tf2onnx")]
    levels = [logger.level for logger in loggers]
    handlers = list(logging.root.handlers)
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        # absl sets up the logging of the whole process before it logs anything.
        logging.root.handlers[:] = handlers


def largest_difference(vectors: Vectors, exact: Vectors) -> float:
    """Return the largest difference between two vectors of a photo, as a share of its largest number."""
    largest = np.abs(exact).max(axis=1)
    differences = np.abs(vectors - exact).max(axis=1)
    return float((differences / np.maximum(largest, np.finfo(np.float32).tiny)).max())
