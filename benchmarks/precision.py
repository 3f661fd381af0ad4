"""bfloat16 against float32: the network's speed, its vectors, and the accuracy that comes of them.

    python -m benchmarks.precision FOLDER HANDLE [HANDLE ...] [--repeat N]

The two take turns, so that other programs disturb both alike; figures are medians of the rounds.
Accuracy is the one that retrain.py prints for the test photographs, and that of the exported graph,
which computes in float32. Of random weights, which say nothing of it, only the speed is measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks import modules, photographs
from benchmarks.commands import Paths
from benchmarks.rounds import Rounds, rate
from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.cli import console
from retraining.data import images
from retraining.errors import BadRequest
from retraining.features import extractor
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.graphs import precision
from retraining.progress import progress
from retraining.settings.module import BFLOAT16, FLOAT32, PRECISIONS, ModuleSettings

REPEAT = 5
BATCHES = 2  # in a round

_HEADER = (
    "| module | float32 | bfloat16 | times as fast | lowest cosine | test accuracy: float32 | bfloat16 |\n"
    "|---|---|---|---|---|---|---|"
)


@dataclasses.dataclass(frozen=True)
class PrecisionOptions:
    """What to measure, and on what."""

    folder: Path
    handles: tuple[str, ...]
    repeat: int


@dataclasses.dataclass(frozen=True)
class Compared:
    """Images a second of each round, and the lowest cosine between the two vectors of an image."""

    float32: Rounds
    bfloat16: Rounds
    lowest_cosine: float

    @property
    def times_as_fast(self) -> float:
        """The median of the rounds' own ratios."""
        pairs = zip(self.bfloat16.values, self.float32.values, strict=True)
        return Rounds.of(short / full for short, full in pairs).median


def measure(options: PrecisionOptions) -> None:
    """Measure every module and print the table."""
    hindrance = precision.hindrance()
    if hindrance:
        raise BadRequest(f"bfloat16 cannot be measured here, since {hindrance}. Take another machine.")
    print(_HEADER)
    for handle in options.handles:
        result = _compared(handle, options)
        rates = f"{result.float32.median:.1f} images/s | {result.bfloat16.median:.1f} images/s"
        accuracies = " | ".join(_accuracy(handle, options.folder, name) for name in PRECISIONS)
        row = f"{handle.split('/')[-1]} | {rates} | {result.times_as_fast:.2f} | {result.lowest_cosine:.5f}"
        print(f"| {row} | {accuracies} |", flush=True)


def _compared(handle: str, options: PrecisionOptions) -> Compared:
    full, short = (extractor.load(ModuleSettings(handle, precision=name)) for name in (FLOAT32, BFLOAT16))
    batches = _batches(options.folder, full.image_size)
    cosine = _lowest_cosine(_vectors(full, batches), _vectors(short, batches))  # and both are warm
    rates: dict[str, list[float]] = {name: [] for name in PRECISIONS}
    for _ in progress(range(options.repeat), total=options.repeat, task=handle, unit="round"):
        rates[FLOAT32].append(_rate(full, batches))
        rates[BFLOAT16].append(_rate(short, batches))
    return Compared(Rounds.of(rates[FLOAT32]), Rounds.of(rates[BFLOAT16]), cosine)


def _batches(folder: Path, size: ImageSize) -> list[Pixels]:
    count = BATCHES * BATCH_SIZE
    chosen = photographs.usable(folder, at_least=count).images[:count]
    return np.split(np.stack([images.decode(images.read(image.path), size) for image in chosen]), BATCHES)


def _vectors(network: FeatureExtractor, batches: list[Pixels]) -> Vectors:
    return np.concatenate([network.extract(batch) for batch in batches])


def _rate(network: FeatureExtractor, batches: list[Pixels]) -> float:
    return rate(BATCHES * BATCH_SIZE, lambda: _vectors(network, batches))


def _lowest_cosine(some: Vectors, others: Vectors) -> float:
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return float(((some * others).sum(axis=1) / lengths).min())


def _accuracy(handle: str, folder: Path, name: str) -> str:
    if handle.endswith("weights=random"):
        return ""
    with tempfile.TemporaryDirectory(prefix="bench_") as outputs:
        row = modules.retrained(handle, Paths(folder, Path(outputs)), f"--precision={name}")
    return f"{row.test_accuracy:.1f}%, exported {row.labelled_accuracy:.1f}%"


def _parse(argv: Sequence[str] | None) -> PrecisionOptions:
    parser = argparse.ArgumentParser(prog="precision", description="Compare bfloat16 with float32.")
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="one sub-folder of images per class")
    parser.add_argument("handles", nargs="+", metavar="HANDLE", help="as of retrain.py --tfhub_module")
    parser.add_argument(
        "--repeat", type=int, default=REPEAT, metavar="N", help="rounds (default: %(default)s)"
    )
    values = parser.parse_args(argv)
    return PrecisionOptions(values.folder, tuple(values.handles), values.repeat)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv`."""
    return console.run(measure, parse=_parse, argv=argv, name="precision")


if __name__ == "__main__":
    sys.exit(main())
