"""Each network in every engine that is installed, and what the best one makes of the bottleneck stage.

All take turns, round by round, so that other programs slow all of them down alike. A speed is the median of
the rounds, of the batch size and the use of the processors that were the fastest for the engine. Differences
are those of a conversion's check: shares of the largest number in a vector of TensorFlow's in float32.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks import engine_facts, engine_ways, figures, image_folder, stage
from benchmarks.arguments import EnginesSettings
from benchmarks.figures import Rounds, print_table, rate
from retraining.arrays import Forward, Pixels, Vectors
from retraining.data import images
from retraining.data.dataset import Dataset
from retraining.engines.conversion import convert, largest_difference
from retraining.engines.table import CONVERTING
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import precision as precisions
from retraining.runtimes.batches import BATCH_SIZE
from retraining.runtimes.requirements import REQUIREMENTS, is_installed
from retraining.settings.module import (
    BFLOAT16,
    FLOAT32,
    LITERT,
    ONNXRUNTIME,
    OPENVINO,
    TENSORFLOW,
    ModuleSettings,
)

COLUMNS = (
    "network",
    "engine",
    "largest difference",
    "images/s",
    "batch",
    "start-up",
    "install",
    "licence",
    "platforms",
)
STAGE_COLUMNS = ("network", "TensorFlow, float32", "auto", "images/s", "times as fast", "share of its limit")

VARIANTS = (
    (TENSORFLOW, FLOAT32),
    (TENSORFLOW, BFLOAT16),
    (LITERT, FLOAT32),
    (ONNXRUNTIME, FLOAT32),
    (OPENVINO, FLOAT32),
    (OPENVINO, BFLOAT16),
)

IMAGES = 64  # in a round; of a large network half as many, which are one batch
LARGE = 50 * 2**20  # bytes of a large network's graph

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Measured:
    """A network in an engine and a precision: one of its vectors' sets, its rounds by way, and its file."""

    title: str
    engine: str
    vectors: Vectors
    runs: dict[str, Forward]
    rounds: dict[str, list[float]]
    start_up: float


def run(settings: EnginesSettings) -> None:
    """Measure every handle and print the tables."""
    found = image_folder.usable(settings.folder, at_least=stage.LARGE_BATCH)
    print(f"{figures.machine()}; median of {settings.repeat} rounds\n")
    for engine, requirement in REQUIREMENTS.items():
        if is_installed(engine):
            print(f"- {requirement.title}: {requirement.versions()}")
    print(f"- bfloat16: {precisions.unsupported_reason() or 'in hardware'}\n", flush=True)
    print_table(COLUMNS, (row for handle in settings.handles for row in _rows(handle, found, settings)))
    print()
    print_table(STAGE_COLUMNS, (_stage_row(handle, found, settings) for handle in settings.handles))


def _rows(handle: str, found: Dataset, settings: EnginesSettings) -> Iterator[tuple[str, ...]]:
    extractor = load_extractor(ModuleSettings(handle, engine=TENSORFLOW, precision=FLOAT32))
    is_large = extractor.graph.graph_def.ByteSize() > LARGE
    pixels = _pixels(found, extractor, IMAGES // 2 if is_large else IMAGES)
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        measured = list(_prepared(extractor, pixels, Path(scratch)))
    for number in range(1, settings.repeat + 1):
        log.info("%s: round %d of %d", extractor.name, number, settings.repeat)
        for each in measured:
            for way, run_way in each.runs.items():
                each.rounds[way].append(rate(len(pixels), functools.partial(run_way, pixels)))
    for each in measured:
        yield _row(extractor.name, each, measured[0].vectors)
    for engine in REQUIREMENTS:
        if not is_installed(engine):
            yield extractor.name, REQUIREMENTS[engine].title, "not installed", *[""] * (len(COLUMNS) - 3)


def _row(name: str, measured: Measured, exact: Vectors) -> tuple[str, ...]:
    medians = {way: Rounds.of(values) for way, values in measured.rounds.items()}
    way = max(medians, key=lambda name: medians[name].median)
    facts = engine_facts.FACTS[measured.engine]
    return (
        name,
        measured.title,
        f"{largest_difference(measured.vectors, exact):.1g}",
        f"{medians[way].median:,.0f} (best {medians[way].highest:,.0f})",
        way,
        f"{measured.start_up:.2f} s",
        facts.size(),
        facts.licence,
        facts.platforms,
    )


def _pixels(found: Dataset, extractor: FeatureExtractor, count: int) -> Pixels:
    step = len(found.images) // count
    chosen = found.images[::step][:count]
    return np.stack([images.decode(images.read(image.path), extractor.image_size) for image in chosen])


def _prepared(extractor: FeatureExtractor, pixels: Pixels, scratch: Path) -> Iterator[Measured]:
    """Yield the network in every engine that is installed, after a first run of each."""
    files: dict[str, bytes] = {}
    for engine, precision in VARIANTS:
        if not is_installed(engine) or (precision == BFLOAT16 and precisions.unsupported_reason()):
            continue
        suffix = ".pb" if engine == TENSORFLOW else CONVERTING[engine].suffix
        if suffix not in files:
            log.info("%s: converting to %s", extractor.name, suffix)
            files[suffix] = (
                extractor.graph.graph_def.SerializeToString()
                if engine == TENSORFLOW
                else convert(CONVERTING[engine], extractor.graph)
            )
        model = scratch / f"model{suffix}"
        model.write_bytes(files[suffix])
        runs = dict(engine_ways.ways(engine, precision, extractor.graph, files[suffix]))
        vectors = [run_way(pixels) for run_way in runs.values()]
        yield Measured(
            title=REQUIREMENTS[engine].title + ("" if precision == FLOAT32 else f", {precision}"),
            engine=engine,
            vectors=vectors[0],
            runs=runs,
            rounds={way: [] for way in runs},
            start_up=engine_facts.FACTS[engine].start_up(model, extractor.image_size.height),
        )


def _stage_row(handle: str, found: Dataset, settings: EnginesSettings) -> tuple[str, ...]:
    """Return the bottleneck stage in TensorFlow and float32 beside that of what is chosen by itself."""
    before = load_extractor(ModuleSettings(handle, engine=TENSORFLOW, precision=FLOAT32))
    after = load_extractor(ModuleSettings(handle), found)
    title = f"{after.engine}, {after.precision}"
    if after == before:  # measuring it twice would take minutes for a large network
        return after.name, "", title, "", "", ""
    pixels = _pixels(found, before, BATCH_SIZE)
    before.extract(pixels)  # starts its session, which is not part of the stage
    pairs = [
        (stage.stage_rate(found, before), stage.measure(found, after, repeat=1)[0])
        for _ in range(settings.repeat)
    ]
    return (
        after.name,
        _median([first for first, _ in pairs]),
        title,
        _median([second.stage for _, second in pairs]),
        f"{Rounds.of(second.stage / first for first, second in pairs).median:.2f}",
        f"{Rounds.of(second.ratio for _, second in pairs).median:.2f}",
    )


def _median(values: Sequence[float]) -> str:
    return f"{Rounds.of(values).median:,.0f}"
