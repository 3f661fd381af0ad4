"""retrain.py on up to a million images whose vectors are in the cache: time and memory of each stage.

The vectors are made up, a centre for each class and noise around it, and written into the cache as shards.
The images come from a list that has their SHA-256, so there are no files, and none is opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import commands, timed_stages
from benchmarks.arguments import ScaleSettings
from benchmarks.commands import Paths
from benchmarks.figures import MB, print_table
from benchmarks.timed_stages import ALL, Stage
from retraining.arrays import Vectors
from retraining.data import image_list, prefetching
from retraining.data.image_list import Known, ListedImage
from retraining.features import cache
from retraining.features.extractor import load_extractor
from retraining.features.shards import SHARD_SIZE
from retraining.process import WorkProcess
from retraining.settings.module import ModuleSettings

COLUMNS = (
    "images",
    "whole run",
    "for each more image",
    "its processor time",
    "memory",
    "with mapped files",
    "vectors written before it",
    "test accuracy",
)

_LOOKAHEAD = 4  # shards
_MICRO = 1e6
_DISTANCE = 4.0  # of classes, in standard deviations: nine in ten images can be told apart

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written into the cache before a run, in how many seconds."""

    shards: int
    bytes: int
    seconds: float


@dataclasses.dataclass(frozen=True)
class Result:
    """A run on `count` images."""

    count: int
    written: Written
    accuracy: str
    stages: dict[str, Stage]

    @property
    def whole(self) -> Stage:
        """The whole run."""
        return self.stages[ALL]


def run(settings: ScaleSettings) -> None:
    """Measure, and print a table of the runs and one of their stages."""
    results: list[Result] = []
    print_table(COLUMNS, _rows(_results(settings), results))
    print()
    heads = (f"{result.count:,} images" for result in results)
    names = (name for name, _, _ in timed_stages.STAGES)
    print_table(("stage", *heads), (_stage_row(name, results) for name in names))


def _results(settings: ScaleSettings) -> Iterator[Result]:
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        paths = Paths(Path(scratch), Path(scratch) / "outputs")
        for fewer, count in itertools.pairwise((0, *sorted(settings.counts))):
            log.info("%d vectors are written, then a run of retrain.py on %d images", count - fewer, count)
            written = _written(settings, paths, range(fewer, count))
            words = ["-m", "benchmarks.timed_stages", str(settings.memory_limit)]
            images = f"--image_list={_list(paths)}"
            steps = f"--how_many_training_steps={settings.steps}"
            finished = commands.run([*words, images, steps, *paths.flags(settings.handle)])
            accuracy = re.findall(r"^Final test accuracy = ([\d.]+%)", finished.output, re.MULTILINE)
            stages = {stage.name: stage for stage in timed_stages.stages_in(finished.output)}
            yield Result(count, written, accuracy[0], stages)


def _written(settings: ScaleSettings, paths: Paths, numbers: range) -> Written:
    # In a process of its own: a child begins with the peak memory of its parent.
    work: WorkProcess[Written] = WorkProcess(write, _prepare, task="writes vectors")
    work.start(settings, paths, numbers)
    return work.result()


def _prepare() -> None:
    """Nothing: what the process needs is imported with its function."""


def write(settings: ScaleSettings, paths: Paths, numbers: range) -> Written:
    """Write the vectors of images with these numbers into the cache, and a list of all images up to there.

    The shards are those of a cache whose images came in another order than that of the list.
    """
    extractor = load_extractor(ModuleSettings(settings.handle, bottleneck_dir=paths.bottleneck_dir))
    made = _MadeVectors(extractor.feature_size, settings.classes)
    folder = paths.bottleneck_dir / cache.folder_name(extractor)
    in_order = sorted(numbers, key=_digest)
    parts = [in_order[start : start + SHARD_SIZE] for start in range(0, len(in_order), SHARD_SIZE)]

    def write_part(part: list[int]) -> int:
        vectors = dict(zip(map(_digest, part), made.of(part), strict=True))
        return cache.write_shard(folder, vectors).stat().st_size

    started = time.perf_counter()
    size = sum(prefetching.ahead(parts, write_part, lookahead=_LOOKAHEAD))
    seconds = time.perf_counter() - started
    with _list(paths).open("w", encoding="utf-8") as file:
        for number in range(numbers.stop):
            label = f"class_{number % settings.classes:03}"
            listed = ListedImage(f"{label}/{number:07}.jpg", label, None, Known(_digest(number)))
            file.write(f"{image_list.to_json(listed)}\n")
    return Written(len(parts), size, seconds)


class _MadeVectors:
    """Vectors of classes that overlap: a centre for each class, and noise that depends on the image alone."""

    def __init__(self, feature_size: int, classes: int) -> None:
        random = np.random.default_rng(0)
        self._centres = random.standard_normal((classes, feature_size), np.float32)
        self._centres *= np.float32(_DISTANCE / feature_size**0.5)

    def of(self, numbers: Sequence[int]) -> Vectors:
        """Return float32 [n, feature_size], the vectors of images with these numbers."""
        random = np.random.default_rng(numbers)
        noise = random.standard_normal((len(numbers), self._centres.shape[1]), np.float32)
        found: Vectors = noise + self._centres[np.array(numbers) % len(self._centres)]
        return found


def _digest(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def _list(paths: Paths) -> Path:
    return paths.image_dir / "images.jsonl"


def _rows(results: Iterable[Result], seen: list[Result]) -> Iterator[tuple[str, ...]]:
    """Yield a row for each result, which is added to those `seen`."""
    for result in results:
        more = ""
        if seen:
            seconds = result.whole.seconds - seen[-1].whole.seconds
            more = f"{_MICRO * seconds / (result.count - seen[-1].count):.0f} \u00b5s"
        seen.append(result)
        whole, written = result.whole, result.written
        yield (
            f"{result.count:,}",
            f"{whole.seconds:.1f} s",
            more,
            f"{whole.processor_seconds:.1f} s",
            f"{whole.anonymous / MB:,.0f} MB",
            f"{whole.resident / MB:,.0f} MB",
            f"{written.bytes / MB:,.0f} MB in {written.shards:,} files, {written.seconds:.1f} s",
            result.accuracy,
        )


def _stage_row(name: str, results: Sequence[Result]) -> tuple[str, ...]:
    return (name, *(_cell(result.stages.get(name), result.count) for result in results))


def _cell(stage: Stage | None, count: int) -> str:
    if stage is None:
        return ""
    each = _MICRO * stage.seconds / count
    return f"{stage.seconds:.1f} s ({each:.1f} \u00b5s an image), {stage.anonymous / MB:,.0f} MB"
