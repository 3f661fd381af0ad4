"""Time and peak memory of a training step of each network from scratch.

The full networks at 1,000 classes and the papers' image sizes show what a machine needs to train them.
"""

from __future__ import annotations

import dataclasses
import logging
import multiprocessing
import resource
import signal
import statistics
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks.arguments import NetworksSettings
from benchmarks.commands import MAXRSS_UNIT
from benchmarks.figures import print_table, seconds
from retraining.errors import WorkFailed
from retraining.settings import architectures

COLUMNS = ("network", "image", "parameters", "peak memory", "first step", "further steps", "images/s")

CLASSES = 1000
STEPS = 3  # after the first one, which compiles

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Training:
    """A network that was trained for 1 + STEPS steps, and the seconds of each step."""

    image_size: int
    parameters: int
    peak_bytes: int
    seconds: tuple[float, ...]


def run(settings: NetworksSettings) -> None:
    """Measure the networks and print the table. Raises BadRequest and WorkFailed."""
    names = settings.networks or architectures.NAMES
    for name in names:  # before any of them is measured
        architectures.image_size_of(name, settings.image_size)
    print_table(COLUMNS, _rows(names, settings))


def _rows(names: tuple[str, ...], settings: NetworksSettings) -> Iterator[tuple[str, ...]]:
    for name in names:
        log.info("training %s", name)
        trained = _train_apart(name, settings)
        first, further = trained.seconds[0], statistics.median(trained.seconds[1:])
        yield (
            name,
            f"{trained.image_size}x{trained.image_size}",
            f"{trained.parameters:,}",
            f"{trained.peak_bytes / 1e9:.1f} GB",
            f"{first:.1f} s",
            f"{further:.2f} s",
            f"{settings.batch_size / further:.1f}",
        )


def _train_apart(name: str, settings: NetworksSettings) -> Training:
    """Train in a process of its own, since memory counts towards the peak even when it is given back.

    Raises WorkFailed if the process ends early: mostly it is killed for want of memory.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send_training, args=(sender, name, settings))
    process.start()
    sender.close()  # the child has the only other one, so that its end is noticed below
    try:
        trained: Training = receiver.recv()
        process.join()
    except EOFError:
        process.join()
        raise WorkFailed(
            "{network} cannot be trained here: its process ended with exit status {status}.",
            network=name,
            status=process.exitcode,
        ) from None
    except BaseException:
        process.terminate()
        raise
    return trained


def _send_training(sender: Connection, name: str, settings: NetworksSettings) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent too, which ends this process
    sender.send(_train(name, settings))


def _train(name: str, settings: NetworksSettings) -> Training:
    import numpy as np

    from retraining.networks import construction
    from retraining.networks.learner import Learner

    size = architectures.image_size_of(name, settings.image_size)
    network = construction.build(name, classes=CLASSES, image_size=size, width=settings.width)
    learner = Learner(network, optimizer=settings.optimizer, learning_rate=None, steps=1 + STEPS)
    rng = np.random.default_rng(0)
    pixels = rng.random((settings.batch_size, size, size, 3), np.float32)
    labels = rng.integers(CLASSES, size=settings.batch_size)
    times = tuple(seconds(lambda: learner.step(pixels, labels)) for _ in range(1 + STEPS))
    peak_bytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    return Training(size, network.count_params(), peak_bytes, times)
