"""Time and peak memory of a training step of each network from scratch.

    python -m benchmarks.networks [NAME ...] [--batch_size 8] [--image_size N] [--width 1] [--optimizer adam]

The full networks at 1,000 classes and the papers' image sizes say what a machine must have to train
them. Each is measured in a process of its own, since memory that was taken once stays counted.
"""

from __future__ import annotations

import argparse
import dataclasses
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence

from benchmarks.commands import MAXRSS_UNIT
from retraining.cli import console
from retraining.errors import WorkFailed
from retraining.settings import architectures
from retraining.settings.compare import LEARNING_RATES

BATCH_SIZE = 8
CLASSES = 1000
STEPS = 3  # after the first one, which compiles

_HEADS = "| network | image | parameters | peak memory | first step | further steps | images/s |"


@dataclasses.dataclass(frozen=True)
class StepOptions:
    """What is built, and how it is trained. `image_size` None is each paper's."""

    networks: list[str]
    batch_size: int
    image_size: int | None
    width: float
    optimizer: str


def measure(options: StepOptions) -> None:
    """Print a table with a row for each network, as it is measured. Raises WorkFailed."""
    if len(options.networks) == 1:
        print(_row(options.networks[0], options))
        return
    print(f"{_HEADS}\n|{'---|' * 7}", flush=True)
    for name in options.networks:
        words = [f"--{flag}={value}" for flag, value in vars(options).items() if flag != "networks" and value]
        child = subprocess.run([sys.executable, "-m", "benchmarks.networks", name, *words], check=False)
        if child.returncode:
            raise WorkFailed(f"{name} cannot be trained here: its process ended with {child.returncode}.")


def _row(name: str, options: StepOptions) -> str:
    """Return the row of one network, measured in this process."""
    import numpy as np

    from retraining.networks import construction
    from retraining.networks.learner import Learner

    size = architectures.image_size_of(name, options.image_size)
    network = construction.build(name, classes=CLASSES, image_size=size, width=options.width)
    learner = Learner(network, optimizer=options.optimizer, learning_rate=None, steps=1 + STEPS)
    rng = np.random.default_rng(0)
    pixels = rng.random((options.batch_size, size, size, 3), np.float32)
    labels = rng.integers(CLASSES, size=options.batch_size)
    seconds = []
    for _ in range(1 + STEPS):
        started = time.perf_counter()
        learner.step(pixels, labels)
        seconds.append(time.perf_counter() - started)
    first, further = seconds[0], statistics.median(seconds[1:])
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    return (
        f"| {name} | {size}x{size} | {network.count_params():,} | {peak / 1e9:.1f} GB | {first:.1f} s | "
        f"{further:.2f} s | {options.batch_size / further:.1f} |"
    )


def parse(argv: Sequence[str] | None) -> StepOptions:
    """Return the options from command-line words; ends the process if they are wrong."""
    parser = argparse.ArgumentParser(prog="benchmarks.networks", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("networks", nargs="*", metavar="NAME", help="all of them if none is given")
    parser.add_argument("--batch_size", type=int, default=BATCH_SIZE, metavar="N")
    parser.add_argument("--image_size", type=int, metavar="N", help="the papers' if not given")
    parser.add_argument("--width", type=float, default=1.0, metavar="SHARE", help="of the filters")
    parser.add_argument("--optimizer", default="adam", choices=LEARNING_RATES)
    options = StepOptions(**vars(parser.parse_args(argv)))
    for name in options.networks:
        architectures.image_size_of(name, options.image_size)
    return dataclasses.replace(options, networks=options.networks or list(architectures.NAMES))


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(measure, parse=parse, argv=argv, name="networks")


if __name__ == "__main__":
    sys.exit(main())
