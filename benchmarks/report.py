"""What the report costs: whole runs with and without it, and a report on many images with made-up vectors.

The runs take turns, with all feature vectors in the cache. How long the graph takes is read from its file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import logging
import resource
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks import commands, image_folder
from benchmarks.arguments import ReportSettings
from benchmarks.commands import MAXRSS_UNIT, Paths
from benchmarks.figures import MB, Figure, Rounds, print_figures
from retraining.arrays import ImageSize
from retraining.assessment import assessment, findings
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef
from retraining.process import WorkProcess
from retraining.report import page
from retraining.report.subject import Subject
from retraining.settings.training import TrainingSettings
from retraining.training.model import TrainedModel

SECONDS = 3.0  # of a run on FEW images, at most, more than without a report
FEW = 1000
MANY_SECONDS = 30.0

_CLASSES, _WIDTH = 17, 1280
_OF_TEN = (Split.TRAINING,) * 8 + (Split.VALIDATION, Split.TESTING)
_WRONG_LABELS = 50  # one in so many
_DISTANCE = 2.6  # of classes, in standard deviations: about 85 % of such images are told apart

log = logging.getLogger(__name__)


def run(settings: ReportSettings) -> None:
    """Measure and print the figures."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        folder = settings.folder or image_folder.draw(Path(scratch) / "images", count=FEW)
        photos = image_folder.usable(folder, at_least=100)
        print_figures([*_runs(folder, Path(scratch), settings), *_many(photos, Path(scratch), settings.many)])


def _runs(folder: Path, scratch: Path, settings: ReportSettings) -> list[Figure]:
    paths = Paths(folder, scratch)
    words = paths.retrain(settings.handle)
    plain = [*words, "--report=none", "--calibrate=False"]
    commands.run(plain)
    rounds = []
    for number in range(1, settings.repeat + 1):
        log.info("runs: round %d of %d", number, settings.repeat)
        rounds.append((*_timed(plain, paths), *_timed(words, paths)))
    without, graph_without, with_it, graph_with = (Rounds.of(column) for column in zip(*rounds, strict=True))
    more = Rounds.of(row[2] - row[0] for row in rounds)
    later = Rounds.of(row[3] - row[1] for row in rounds)
    return [
        Figure("run without calibration and report", without.as_duration()),
        Figure("until its graph is there", graph_without.as_duration()),
        Figure("run with both", with_it.as_duration()),
        Figure("until its graph is there", graph_with.as_duration()),
        Figure("more time", more.as_duration(), f"<= {SECONDS:g} s", more.median <= SECONDS),
        Figure("of which before the graph", later.as_duration()),
    ]


def _timed(words: list[str], paths: Paths) -> tuple[float, float]:
    """Return the seconds of a run, and those until its graph was in place."""
    started = time.time()
    seconds = commands.run(words).seconds
    return seconds, paths.graph.stat().st_mtime - started


@dataclasses.dataclass(frozen=True)
class Large:
    """A report on many images: the seconds of each part, its page, and the peak memory with and before it."""

    before_graph: float
    findings: float
    page: float
    peak_bytes: int
    earlier_peak_bytes: int
    pictures: int
    page_bytes: int

    @property
    def seconds(self) -> float:
        """All of it."""
        return self.before_graph + self.findings + self.page


def _many(photos: Dataset, scratch: Path, count: int) -> list[Figure]:
    log.info("a report on %d images", count)
    # In a process of its own, whose peak memory is that of the report and of its vectors.
    work: WorkProcess[Large] = WorkProcess(measure, page.preload, task="measures")
    work.start(photos, scratch, count)
    large = work.result()
    vectors = count * _WIDTH * 4 / MB
    return [
        Figure(f"report on {count:,} images, before the graph", f"{large.before_graph:.1f} s"),
        Figure("after it: findings", f"{large.findings:.1f} s"),
        Figure(f"after it: page, {large.pictures:,} pictures", f"{large.page:.1f} s"),
        Figure(
            "all of it", f"{large.seconds:.1f} s", f"<= {MANY_SECONDS:g} s", large.seconds <= MANY_SECONDS
        ),
        Figure("its page", f"{large.page_bytes / MB:.1f} MB"),
        Figure(
            "its peak memory",
            f"{large.peak_bytes / MB:,.0f} MB, {large.earlier_peak_bytes / MB:,.0f} MB before it (vectors "
            f"{vectors:,.0f} MB)",
        ),
    ]


def measure(photos: Dataset, scratch: Path, count: int) -> Large:
    """Return what a report on `count` images takes, whose files are those of `photos` under many names."""
    model = _model(_many_names(photos, scratch / "many", count))
    earlier = _peak()
    times = [time.perf_counter()]
    assessed = assessment.assess(model, TrainingSettings(), NearDuplicates(), frozen=model.bottlenecks)
    times.append(time.perf_counter())
    found = findings.find(model, assessed)
    times.append(time.perf_counter())
    written = page.write([Subject("made up", found)], scratch / "report.html")
    times.append(time.perf_counter())
    before, finding, writing = (later - earlier for earlier, later in itertools.pairwise(times))
    return Large(before, finding, writing, _peak(), earlier, written.pictures, written.size)


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT


def _many_names(photos: Dataset, folder: Path, count: int) -> Dataset:
    """Return images of made-up classes, each file under a number of names."""
    sources = []
    for number, image in enumerate(photos.images[:FEW]):
        sources.append(folder / f"{number}{image.path.suffix}")
        sources[-1].parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(image.path, sources[-1])
    images = []
    for number in range(count):
        label = number % _CLASSES
        path = folder / f"class{label}" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.hardlink_to(sources[number % len(sources)])
        images.append(LabelledImage(str(path), label, _OF_TEN[number // _CLASSES % len(_OF_TEN)]))
    return Dataset(tuple(f"class{label}" for label in range(_CLASSES)), tuple(images))


def _model(dataset: Dataset) -> TrainedModel:
    """Return a model of made-up vectors: classes that overlap, and some labels that are wrong."""
    random = np.random.default_rng(0)
    classes, count = len(dataset.labels), len(dataset.images)
    labels = np.array([image.label for image in dataset.images])
    true = np.where(random.random(count) < 1 / _WRONG_LABELS, random.integers(classes, size=count), labels)
    centres = random.standard_normal((classes, _WIDTH), np.float32) * np.float32(_DISTANCE / _WIDTH**0.5)
    splits = np.array([image.split.value for image in dataset.images])

    def set_of(split: Split) -> BottleneckSet:
        (rows,) = np.nonzero(splits == split.value)
        vectors = random.standard_normal((len(rows), _WIDTH), np.float32)
        for label in range(classes):  # in place, so that the peak is that of the report
            vectors[true[rows] == label] += centres[label]
        files = tuple(dataset.images[row].file for row in rows)
        return BottleneckSet(vectors, labels[rows], files, (b"",) * len(rows))

    computed = Bottlenecks(
        set_of(Split.TRAINING),
        set_of(Split.VALIDATION),
        set_of(Split.TESTING),
        dataset=dataset,
        digests=tuple(hashlib.sha256(image.file.encode()).digest() for image in dataset.images),
        skipped=(),
    )
    no_network = FeatureExtractor("made up", ImageSize(1, 1), _WIDTH, "", FrozenGraph(GraphDef(), "", ""))
    return TrainedModel.train(computed, no_network, TrainingSettings())
