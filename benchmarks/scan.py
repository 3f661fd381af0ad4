"""Scan and split of a large folder against what any scan must do: walk it and hash the names.

    python -m benchmarks.scan [COUNT]

Prints the ratio of the fastest rounds of each; COUNT is 50,000 if not given.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from retraining.data import dataset
from retraining.settings.data import DataSettings

IMAGES = 50_000
CLASSES = 5
ROUNDS = 15


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


def ratio(count: int) -> float:
    """Return how many times as long as walking and hashing the scan of `count` images takes."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        folder = Path(scratch)
        write_names(folder, count)
        least, ours = [], []
        for _ in range(ROUNDS):
            least.append(_seconds(lambda: walk_and_hash(folder)))
            ours.append(_seconds(lambda: dataset.scan(DataSettings(folder))))
    return min(ours) / min(least)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    images = int(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    print(f"{images:,} images: {ratio(images):.2f} times walking and hashing")
