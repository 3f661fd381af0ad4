"""Distorted runs against plain ones, and fresh views against the limit that their two parts set.

All four distortions are on, at 10 per cent. What is compared takes turns.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import commands
from benchmarks.arguments import AugmentedRunsSettings
from benchmarks.commands import Paths
from benchmarks.figures import Figure, Rounds, print_figures, rate
from retraining.arrays import Forward, Pixels
from retraining.data import augmentation, dataset, images, prefetching
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import frozen_graph
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training.fresh_batches import FreshBatches

AUGMENTATION = AugmentationSettings(
    True, random_crop=10, random_scale=10, random_brightness=10, distorted_views=0
)
FLAGS = ["--flip_left_right", "--random_crop=10", "--random_scale=10", "--random_brightness=10"]
TRAINING = TrainingSettings(how_many_training_steps=10)  # in a round, of 100 views each

FIRST_RUN_TIMES = 10.0  # an undistorted first run, at most
SECOND_RUN_SECONDS = 6.0  # on top of importing TensorFlow, at most
FRESH_SHARE = 0.8  # of the limit, at least

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class WallTimes:
    """Seconds of whole runs of retrain.py; distorted ones draw 8 views of each image."""

    import_tensorflow: float
    undistorted: float
    distorted: float
    distorted_again: float


@dataclasses.dataclass(frozen=True)
class Round:
    """Views per second: drawn alone, through the network alone, and both as training does it."""

    draw: float
    forward: float
    fresh: float

    @property
    def share(self) -> float:
        """The share of the limit that training reaches."""
        return self.fresh * (1 / self.draw + 1 / self.forward)


def run(settings: AugmentedRunsSettings) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        print_figures(_figures(settings, Path(scratch)))


def _figures(settings: AugmentedRunsSettings, scratch: Path) -> Iterator[Figure]:
    if not settings.skip_commands:
        yield from _run_figures(wall_times(settings.folder, settings.handle, scratch))
    found = dataset.scan(DataSettings(settings.folder))
    extractor = load_extractor(ModuleSettings(settings.handle), found)
    cache = BottleneckCache(scratch / "cache", extractor)
    training = bottlenecks.compute(found, extractor, cache).training
    yield from _view_figures(measure(training, extractor, repeat=settings.repeat))


def wall_times(folder: Path, handle: str, scratch: Path) -> WallTimes:
    """Return the seconds of whole runs, each of which happens once."""
    log.info("whole runs of retrain.py")
    undistorted = Paths(folder, scratch / "undistorted").retrain(handle)
    distorted = [*Paths(folder, scratch / "distorted").retrain(handle), *FLAGS]
    return WallTimes(
        import_tensorflow=commands.run(commands.IMPORT_TENSORFLOW).seconds,
        undistorted=commands.run(undistorted).seconds,
        distorted=commands.run(distorted).seconds,
        distorted_again=commands.run(distorted).seconds,
    )


def measure(training: BottleneckSet, extractor: FeatureExtractor, *, repeat: int) -> list[Round]:
    """Return `repeat` rounds of fresh views of a training set."""
    log.info("fresh views")
    draw = functools.partial(_draw, extractor=extractor)
    count = TRAINING.how_many_training_steps * TRAINING.train_batch_size
    paths = [training.paths[row % len(training)] for row in range(count)]
    pixels = np.stack([draw(path) for path in paths[: 4 * BATCH_SIZE]])
    run = frozen_graph.forward(extractor.graph)
    run(pixels[:BATCH_SIZE])
    extractor.extract(pixels[:BATCH_SIZE])  # starts its session, which is not part of a step
    return [
        Round(
            draw=rate(count, lambda: list(map(len, prefetching.ahead(paths, draw, lookahead=64)))),
            forward=rate(len(pixels), lambda: _forward(run, pixels)),
            fresh=_fresh_rate(training, extractor, count),
        )
        for _ in range(repeat)
    ]


def _draw(path: Path, extractor: FeatureExtractor) -> Pixels:
    image = images.upright(images.read(path), augmentation.least_size(extractor.image_size, AUGMENTATION))
    return augmentation.draw(image, extractor.image_size, AUGMENTATION, np.random.default_rng(0))


def _forward(run: Forward, pixels: Pixels) -> None:
    for start in range(0, len(pixels), BATCH_SIZE):
        run(pixels[start : start + BATCH_SIZE])


def _fresh_rate(training: BottleneckSet, extractor: FeatureExtractor, count: int) -> float:
    views = FreshBatches(training, extractor, augmentation=AUGMENTATION, training=TRAINING)
    return rate(count, lambda: list(views.batches()))


def _run_figures(times: WallTimes) -> list[Figure]:
    slower = times.distorted / times.undistorted
    over_import = times.distorted_again - times.import_tensorflow
    return [
        Figure("`python -c 'import tensorflow'`", f"{times.import_tensorflow:.1f} s"),
        Figure("undistorted, first run", f"{times.undistorted:.1f} s"),
        Figure("distorted, 8 views, first run", f"{times.distorted:.1f} s"),
        Figure(
            "distorted against undistorted",
            f"{slower:.2f} times",
            f"<= {FIRST_RUN_TIMES:g} times",
            slower <= FIRST_RUN_TIMES,
        ),
        Figure("distorted, 8 views, second run", f"{times.distorted_again:.1f} s"),
        Figure(
            "distorted, second run, on top of the import",
            f"{over_import:.1f} s",
            f"< {SECOND_RUN_SECONDS:g} s",
            over_import < SECOND_RUN_SECONDS,
        ),
    ]


def _view_figures(rounds: Sequence[Round]) -> list[Figure]:
    share = Rounds.of(each.share for each in rounds)
    return [
        Figure("drawing views alone", Rounds.of(each.draw for each in rounds).as_rate("views/s")),
        Figure("forward pass alone", Rounds.of(each.forward for each in rounds).as_rate("views/s")),
        Figure("fresh views, in training", Rounds.of(each.fresh for each in rounds).as_rate("views/s")),
        Figure(
            "fresh views, share of the limit",
            f"{share.median:.2f} (best {share.highest:.2f})",
            f">= {FRESH_SHARE}",
            share.median >= FRESH_SHARE,
        ),
    ]
