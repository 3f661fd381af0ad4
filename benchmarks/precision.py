"""bfloat16 against float32: the network's speed, its vectors, and the accuracy that they lead to.

The two take turns, so that other programs disturb both alike; figures are medians of the rounds.
Accuracy is what retrain.py prints for the test images, and that of the exported graph, which computes
in float32. With random weights accuracy means nothing, so that only the speed is measured.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks import image_folder, modules
from benchmarks.arguments import PrecisionSettings
from benchmarks.commands import Paths
from benchmarks.figures import Rounds, print_table, rate
from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data import images
from retraining.errors import BadRequest
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import precision
from retraining.progress import progress
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.module import BFLOAT16, FLOAT32, PRECISIONS, TENSORFLOW, ModuleSettings

COLUMNS = (
    "module",
    "float32",
    "bfloat16",
    "times as fast",
    "lowest cosine",
    "test accuracy: float32",
    "bfloat16",
)

BATCHES = 2  # in a round


@dataclasses.dataclass(frozen=True)
class Round:
    """Images per second."""

    float32: float
    bfloat16: float


def run(settings: PrecisionSettings) -> None:
    """Measure every module and print the table. Raises BadRequest where bfloat16 cannot be measured."""
    reason = precision.unsupported_reason()
    if reason:
        raise BadRequest(
            "bfloat16 cannot be measured here, since {reason}. Use another machine.", reason=reason
        )
    print_table(COLUMNS, _rows(settings))


def _rows(settings: PrecisionSettings) -> Iterator[tuple[str, ...]]:
    for handle in settings.handles:
        speed = _speed_cells(handle, settings)
        accuracies = (_accuracy(handle, settings.folder, name) for name in PRECISIONS)
        yield handle.split("/")[-1], *speed, *accuracies


def _speed_cells(handle: str, settings: PrecisionSettings) -> tuple[str, ...]:
    full, short = (
        load_extractor(ModuleSettings(handle, engine=TENSORFLOW, precision=name))
        for name in (FLOAT32, BFLOAT16)
    )
    batches = _batches(settings.folder, full.image_size)
    cosine = lowest_cosine(_vectors(full, batches), _vectors(short, batches))  # and both are warm
    turns = progress(range(settings.repeat), total=settings.repeat, task=handle, unit="round")
    rounds = [Round(_rate(full, batches), _rate(short, batches)) for _ in turns]
    return (
        f"{Rounds.of(each.float32 for each in rounds).median:.1f} images/s",
        f"{Rounds.of(each.bfloat16 for each in rounds).median:.1f} images/s",
        f"{Rounds.of(each.bfloat16 / each.float32 for each in rounds).median:.2f}",
        f"{cosine:.5f}",
    )


def _batches(folder: Path, size: ImageSize) -> list[Pixels]:
    count = BATCHES * BATCH_SIZE
    chosen = image_folder.usable(folder, at_least=count).images[:count]
    return np.split(np.stack([images.decode(images.read(image.path), size) for image in chosen]), BATCHES)


def _vectors(extractor: FeatureExtractor, batches: list[Pixels]) -> Vectors:
    return np.concatenate([extractor.extract(batch) for batch in batches])


def _rate(extractor: FeatureExtractor, batches: list[Pixels]) -> float:
    return rate(BATCHES * BATCH_SIZE, lambda: _vectors(extractor, batches))


def lowest_cosine(some: Vectors, others: Vectors) -> float:
    """Return the lowest cosine between the two vectors of an image, one per row of each [n, feature_size]."""
    lengths = np.linalg.norm(some, axis=1) * np.linalg.norm(others, axis=1)
    return float(((some * others).sum(axis=1) / lengths).min())


def _accuracy(handle: str, folder: Path, name: str) -> str:
    if handle.endswith("weights=random"):
        return ""
    with tempfile.TemporaryDirectory(prefix="bench_") as outputs:
        row = modules.retrained(
            handle, Paths(folder, Path(outputs)), f"--precision={name}", f"--engine={TENSORFLOW}"
        )
    return f"{row.test_accuracy:.1f}%, exported {row.labelled_accuracy:.1f}%"
