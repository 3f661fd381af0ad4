"""The feature extractor: a pretrained network that is used the same way, whatever kind of module it is."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import logging
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data import images
from retraining.data.dataset import Dataset
from retraining.data.images import PREPROCESSING
from retraining.engines import choice, tensorflow_engine
from retraining.engines.conversion import CHECKED_PHOTOS, Conversion
from retraining.engines.table import CONVERTING
from retraining.errors import BadImage, Message
from retraining.features import kept_networks, networks
from retraining.features.networks import Network
from retraining.graphs import precision
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.modules import handles
from retraining.modules.module import Module
from retraining.runtimes.batches import Extract, Images
from retraining.runtimes.requirements import REQUIREMENTS
from retraining.settings.module import AUTO, BFLOAT16, FLOAT32, TENSORFLOW, ModuleSettings

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class FeatureExtractor:
    """A pretrained network that turns images of one size into feature vectors.

    `fingerprint` (hex) changes with anything that could change a vector. `precision`, one of PRECISIONS, is
    the number format in which the network computes. `conversion` is the graph for an engine other than
    TensorFlow, which computes it without one.
    """

    name: str
    image_size: ImageSize
    feature_size: int
    fingerprint: str
    graph: FrozenGraph
    precision: str = FLOAT32
    conversion: Conversion | None = dataclasses.field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.conversion is not None and self.conversion.graph is not self.graph:
            raise ValueError("the conversion is of another graph: leave it out for a graph that was changed")

    def __getstate__(self) -> dict[str, Any]:
        """Return what another process needs: not what has been loaded, which only this one can use."""
        return {name: value for name, value in self.__dict__.items() if name != "_forward"}

    @functools.cached_property
    def _forward(self) -> Extract:
        return self.conversion or tensorflow_engine.load(self.graph, self.precision)

    @property
    def engine(self) -> str:
        """The title of the engine that computes the vectors."""
        if self.conversion is None or self.conversion.refused:
            return REQUIREMENTS[TENSORFLOW].title
        return self.conversion.engine.title

    def extract(self, images: Images) -> Vectors:
        """Return float32 [n, feature_size] for n images of `image_size`.

        An image has the same vector whatever other images come with it.
        """
        return self._forward(images)

    def in_tensorflow(self) -> FeatureExtractor:
        """Return the extractor as the exported graph computes: in TensorFlow and in float32."""
        if self.conversion is None:
            return dataclasses.replace(self, precision=FLOAT32)
        return dataclasses.replace(self, fingerprint=self.conversion.network, conversion=None)


def load_extractor(settings: ModuleSettings, photos: Dataset | None = None) -> FeatureExtractor:
    """Return the extractor for the module that the settings name. Raises BadRequest and BadModule.

    An engine that is new to the module is checked on some of the `photos`, or else on the first batch.
    """
    handle = handles.resolve(settings)
    extractor = _extractor_of_network(kept_networks.load(handle, settings), handle, settings)
    return extractor if photos is None else settled(extractor, photos)


def extractor_of(module: Module, handle: str, settings: ModuleSettings) -> FeatureExtractor:
    """Return the extractor for a loaded module, which messages call `handle`. Raises BadModule.

    If this machine cannot compute in bfloat16 as asked, a warning says so, and float32 is used instead.
    """
    return _extractor_of_network(networks.of_module(module, handle, settings.image_size), handle, settings)


def _extractor_of_network(network: Network, handle: str, settings: ModuleSettings) -> FeatureExtractor:
    networks.report(network)
    computed_in = _supported_precision(choice.precision_for(handle, settings))
    extractor = FeatureExtractor(
        name=network.name,
        image_size=network.image_size,
        feature_size=network.feature_size,
        fingerprint=_fingerprint(network, computed_in),
        graph=network.graph,
        precision=computed_in,
    )
    engine = choice.engine_for(settings, computed_in, is_depthwise=network.is_depthwise)
    return extractor if engine == TENSORFLOW else _converted(extractor, engine, settings)


def settled(extractor: FeatureExtractor, photos: Dataset) -> FeatureExtractor:
    """Return the extractor with an engine that is known to agree with TensorFlow, or with TensorFlow.

    Its fingerprint is then that of the engine which really computes its vectors.
    """
    step = max(1, -(-len(photos.images) // CHECKED_PHOTOS))  # spread over all classes
    return settled_on(extractor, (photo.read for photo in photos.images[::step]), photos.significant_bits)


def settled_on(
    extractor: FeatureExtractor, photos: Iterable[Callable[[], bytes]], significant_bits: int | None
) -> FeatureExtractor:
    """Return what `settled` does; each of the photos returns the bytes of a file, or raises BadImage.

    The first CHECKED_PHOTOS that can be decoded are used. `significant_bits` is that of their dataset.
    """
    conversion = extractor.conversion
    if conversion is None:
        return extractor
    try:
        is_used = conversion.settle(lambda: _some_pixels(photos, extractor.image_size, significant_bits))
    except BadImage:  # none of them could be decoded, so the first batch decides
        return extractor
    return extractor if is_used else extractor.in_tensorflow()


def _converted(extractor: FeatureExtractor, engine: str, settings: ModuleSettings) -> FeatureExtractor:
    """Return an extractor in float32 as an engine of CONVERTING computes it."""
    conversion = Conversion(
        CONVERTING[engine],
        extractor.graph,
        name=extractor.name,
        network=extractor.fingerprint,
        bottleneck_dir=settings.bottleneck_dir,
        is_asked_for=settings.engine != AUTO,
    )
    return dataclasses.replace(
        extractor, fingerprint=_digest(f"{extractor.fingerprint} {engine}"), conversion=conversion
    )


def _some_pixels(
    photos: Iterable[Callable[[], bytes]], size: ImageSize, significant_bits: int | None
) -> Pixels:
    """Return the first photos that can be decoded as float32 [n, height, width, 3]. Raises BadImage."""
    decoded: list[Pixels] = []
    for read in photos:
        with contextlib.suppress(BadImage):
            decoded.append(images.decode(read(), size, significant_bits))
        if len(decoded) == CHECKED_PHOTOS:
            break
    if not decoded:
        raise BadImage("is one of many that cannot be decoded")
    return np.stack(decoded)


def _fingerprint(network: Network, computed_in: str) -> str:
    content = f"{network.module} {network.image_size} {network.feature_size} {PREPROCESSING}"
    if computed_in != FLOAT32:  # caches from before there was a choice stay valid
        content += f" {computed_in}"
    return _digest(content)


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _supported_precision(requested: str) -> str:
    """Return the requested precision if this machine supports it, or else float32, with a warning."""
    reason = precision.unsupported_reason() if requested == BFLOAT16 else ""
    if not reason:
        return requested
    log.warning(
        Message(
            "{precision} {requested} is not used, because {reason}; float32 is used instead.",
            requested=requested,
            reason=reason,
        )
    )
    return FLOAT32
