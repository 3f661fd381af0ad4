"""The bottleneck stage against the limit that its two parts, decoding and the extractor, set."""

from __future__ import annotations

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from benchmarks import figures, image_folder
from benchmarks.arguments import StageSettings
from benchmarks.figures import Figure, Rounds, rate
from retraining.arrays import Forward, ImageSize, Pixels
from retraining.data import images, prefetching
from retraining.data.dataset import Dataset, LabelledImage
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import frozen_graph
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.module import ModuleSettings

SMALL_BATCH, LARGE_BATCH = 32, 64

SHARE = 0.9  # of the limit, at least

FORWARD_IMAGES = 512  # decoded for the forward pass at most: 600 kB each at 224x224

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Round:
    """Images per second of the stage and of its parts alone, measured one after the other."""

    forward_small_batch: float
    forward_large_batch: float
    decode: float
    stage: float

    @property
    def forward(self) -> float:
        """The better of the two batch sizes."""
        return max(self.forward_small_batch, self.forward_large_batch)

    @property
    def limit(self) -> float:
        """The rate of decoding and network together, if each has the processor to itself in turn."""
        return 1 / (1 / self.forward + 1 / self.decode)

    @property
    def ratio(self) -> float:
        """The share of the limit that the stage reaches."""
        return self.stage / self.limit


def run(settings: StageSettings) -> None:
    """Measure the stage for a module, an engine and a precision, and print a part of the main table."""
    found = image_folder.usable(settings.folder, at_least=LARGE_BATCH)
    chosen = ModuleSettings(settings.handle, engine=settings.engine, precision=settings.precision)
    extractor = load_extractor(chosen, found)
    rounds = measure(found, extractor, repeat=settings.repeat)
    subject = (
        f"{len(found.images):,} images; module {extractor.name}; {extractor.engine}, {extractor.precision}"
    )
    print(f"{figures.machine()}\n{subject}\n")
    figures.print_figures(stage_figures(rounds))


def measure(dataset: Dataset, extractor: FeatureExtractor, *, repeat: int) -> tuple[Round, ...]:
    """Return `repeat` rounds over the dataset, which has at least LARGE_BATCH usable images."""
    decode = functools.partial(_decode, size=extractor.image_size)
    pixels = np.stack([decode(image) for image in dataset.images[:FORWARD_IMAGES]])
    run: Forward = extractor.extract
    if extractor.conversion is None:  # which takes batches of any size as they are
        run = frozen_graph.forward(extractor.graph, extractor.precision)
    for batch_size in (SMALL_BATCH, LARGE_BATCH):
        run(pixels[:batch_size])
    extractor.extract(pixels[:BATCH_SIZE])  # starts its session, which is not part of the stage
    rounds = []
    for number in range(1, repeat + 1):
        log.info("bottleneck stage: round %d of %d", number, repeat)
        rounds.append(
            Round(
                forward_small_batch=_forward_rate(run, pixels, SMALL_BATCH),
                forward_large_batch=_forward_rate(run, pixels, LARGE_BATCH),
                decode=_decode_rate(dataset, extractor.image_size),
                stage=stage_rate(dataset, extractor),
            )
        )
    return tuple(rounds)


def _decode(image: LabelledImage, size: ImageSize) -> Pixels:
    return images.decode(images.read(image.path), size)


def _forward_rate(run: Forward, pixels: Pixels, batch_size: int) -> float:
    starts = range(0, len(pixels) - batch_size + 1, batch_size)

    def work() -> None:
        for start in starts:
            run(pixels[start : start + batch_size])

    return rate(len(starts) * batch_size, work)


def _decode_rate(dataset: Dataset, size: ImageSize) -> float:
    def work() -> None:
        decode = functools.partial(_decode, size=size)
        for _ in prefetching.ahead(dataset.images, decode, lookahead=2 * BATCH_SIZE):
            pass

    return rate(len(dataset.images), work)


def stage_rate(dataset: Dataset, extractor: FeatureExtractor) -> float:
    """Return the images per second of the stage alone, into an empty cache."""
    with tempfile.TemporaryDirectory(prefix="bench_") as folder:
        cache = BottleneckCache(Path(folder), extractor)
        return rate(len(dataset.images), lambda: bottlenecks.compute(dataset, extractor, cache))


def stage_figures(rounds: Sequence[Round]) -> list[Figure]:
    """Return the rows on the bottleneck stage."""

    def images_per_second(figure: Callable[[Round], float]) -> str:
        return Rounds.of(map(figure, rounds)).as_rate("images/s")

    ratio = Rounds.of(each.ratio for each in rounds)
    return [
        Figure(
            f"forward pass alone, batch {SMALL_BATCH}",
            images_per_second(lambda each: each.forward_small_batch),
        ),
        Figure(
            f"forward pass alone, batch {LARGE_BATCH}",
            images_per_second(lambda each: each.forward_large_batch),
        ),
        Figure("decode alone", images_per_second(lambda each: each.decode)),
        Figure("limit, 1 / (1 / forward + 1 / decode)", images_per_second(lambda each: each.limit)),
        Figure("bottleneck stage", images_per_second(lambda each: each.stage)),
        Figure(
            "bottleneck stage, share of the limit",
            f"{ratio.median:.2f} (best {ratio.highest:.2f})",
            f">= {SHARE}",
            ratio.median >= SHARE,
        ),
    ]
