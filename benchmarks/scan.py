"""Scan and split of a large folder against what any scan must do: walk it and hash the names.

The figure is the ratio of the fastest rounds of each.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from benchmarks.arguments import ScanSettings
from benchmarks.figures import Figure, Rounds, print_figures, seconds
from retraining.data import dataset
from retraining.settings.data import DataSettings

CLASSES = 5


def run(settings: ScanSettings) -> None:
    """Measure and print the ratio."""
    what = f"scan and split of {settings.count:,} images, against walking and hashing"
    print_figures([Figure(what, f"{ratio(settings.count, repeat=settings.repeat):.2f} times")])


def ratio(count: int, *, repeat: int) -> float:
    """Return how many times as long as walking and hashing the scan of `count` images takes."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        folder = Path(scratch)
        write_names(folder, count)
        least, ours = [], []
        for _ in range(repeat):
            least.append(seconds(lambda: walk_and_hash(folder)))
            ours.append(seconds(lambda: dataset.scan(DataSettings(folder))))
    return Rounds.of(ours).lowest / Rounds.of(least).lowest


def write_names(folder: Path, count: int) -> None:
    """Write `count` empty files into CLASSES folders: a scan looks at names alone."""
    for number in range(CLASSES):
        (folder / f"class_{number}").mkdir(parents=True)
    for number in range(count):
        (folder / f"class_{number % CLASSES}" / f"image_{number:06}.jpg").touch()


def walk_and_hash(folder: Path) -> None:
    """Do what any scan and split must."""
    for _, _, names in os.walk(folder):
        for name in names:
            hashlib.sha1(os.fsencode(name)).hexdigest()
