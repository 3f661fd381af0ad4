"""Distorted runs against plain ones, and fresh views against the limit that their two parts set.

    python -m benchmarks.distortions FOLDER HANDLE [--skip_commands]

All four distortions are on, at 10 per cent. What is compared takes turns.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import commands
from benchmarks.commands import Paths
from benchmarks.rounds import Rounds, rate
from retraining.arrays import Pixels
from retraining.data import augmentation, dataset, images, prefetching
from retraining.features import bottlenecks, extractor
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.graphs import frozen_graph
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training.fresh_batches import FreshBatches

DISTORTIONS = AugmentationSettings(
    True, random_crop=10, random_scale=10, random_brightness=10, distorted_views=0
)
FLAGS = ["--flip_left_right", "--random_crop=10", "--random_scale=10", "--random_brightness=10"]
STEPS = 10  # of 100 views, in a round
ROUNDS = 5


@dataclasses.dataclass(frozen=True)
class Round:
    """Views a second: drawn alone, through the network alone, and both as training does it."""

    draw: float
    forward: float
    fresh: float

    @property
    def share(self) -> float:
        """The share of the limit that training reaches."""
        return self.fresh * (1 / self.draw + 1 / self.forward)


def fresh_views(training: BottleneckSet, network: FeatureExtractor) -> list[Round]:
    """Return the rounds of fresh views of a training set."""
    options = TrainingSettings(how_many_training_steps=STEPS)
    draw = functools.partial(_draw, network=network)
    count = STEPS * options.train_batch_size
    paths = [training.paths[row % len(training)] for row in range(count)]
    pixels = np.stack([draw(path) for path in paths[: 4 * BATCH_SIZE]])
    run = frozen_graph.forward(network.graph)
    run(pixels[:BATCH_SIZE])
    network.extract(pixels[:BATCH_SIZE])  # its session: starting one is no part of a step
    rounds = []
    for _ in range(ROUNDS):
        views = FreshBatches(training, network, options=DISTORTIONS, settings=options)
        rounds.append(
            Round(
                draw=rate(count, lambda: list(map(len, prefetching.ahead(paths, draw, lookahead=64)))),
                forward=rate(
                    len(pixels),
                    lambda: [run(pixels[at : at + BATCH_SIZE]) for at in range(0, len(pixels), BATCH_SIZE)],
                ),
                fresh=rate(count, lambda views=views: list(views.batches())),  # type: ignore[misc]
            )
        )
    return rounds


def _draw(path: Path, network: FeatureExtractor) -> Pixels:
    image = images.upright(images.read(path), augmentation.least_size(network.image_size, DISTORTIONS))
    return augmentation.draw(image, network.image_size, DISTORTIONS, np.random.default_rng(0))


def wall_times(folder: Path, handle: str, scratch: Path) -> dict[str, float]:
    """Return the seconds of whole runs of retrain.py."""
    plain, distorted = Paths(folder, scratch / "plain"), Paths(folder, scratch / "distorted")
    return {
        "import of TensorFlow": commands.run(["-c", "import tensorflow"]).seconds,
        "undistorted, first run": commands.run(plain.retrain(handle)).seconds,
        "distorted, 8 views, first run": commands.run([*distorted.retrain(handle), *FLAGS]).seconds,
        "distorted, 8 views, second run": commands.run([*distorted.retrain(handle), *FLAGS]).seconds,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.distortions")
    parser.add_argument("folder", type=Path)
    parser.add_argument("handle")
    parser.add_argument("--skip_commands", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        times = {} if given.skip_commands else wall_times(given.folder, given.handle, Path(scratch))
        for what, seconds in times.items():
            print(f"{what}: {seconds:.1f} s")
        if times:
            print(f"distorted against undistorted: {_times(times):.2f} times")
        network = extractor.load(ModuleSettings(given.handle))
        cache = BottleneckCache(Path(scratch) / "cache", network)
        scanned = dataset.scan(DataSettings(given.folder))
        training = bottlenecks.compute(scanned, network, cache).training
        rounds = fresh_views(training, network)
    for name in ("draw", "forward", "fresh"):
        print(f"{name}: {Rounds.of(getattr(each, name) for each in rounds).median:.0f} views/s")
    shares = Rounds.of(each.share for each in rounds)
    print(f"fresh views, share of the limit: {shares.median:.2f} (best {shares.highest:.2f})")


def _times(times: dict[str, float]) -> float:
    return times["distorted, 8 views, first run"] / times["undistorted, first run"]


if __name__ == "__main__":
    main()
