"""The main table: each part of the program, and the two commands as a whole, against their targets.

What is compared takes turns in rounds, so that other programs disturb all of it alike; a figure is the
median of the rounds, with the best one beside it.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import commands, figures, image_folder
from benchmarks.arguments import BenchSettings
from benchmarks.commands import Paths
from benchmarks.figures import Rounds
from retraining.settings.module import ModuleSettings

MIN_IMAGES = 64  # one of the larger batches of the forward pass


def run(settings: BenchSettings) -> None:
    """Measure everything and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        _measure(settings, Path(scratch))


def _measure(settings: BenchSettings, scratch: Path) -> None:
    handle, repeat = settings.tfhub_module, settings.repeat
    folder = settings.folder or image_folder.draw(scratch / "images", count=commands.FEW_IMAGES)
    images = image_folder.usable(folder, at_least=MIN_IMAGES)
    paths = Paths(folder, scratch / "outputs")
    files = [image.path for image in images.images]
    times = commands.wall_times(paths, files, handle=handle, repeat=repeat)
    peaks = None if settings.skip_memory else commands.peaks(scratch, handle=handle)

    # Only now: a child process starts with the peak memory of its parent, and TensorFlow's is large.
    from benchmarks import stage, training
    from retraining.features import bottlenecks
    from retraining.features.cache import BottleneckCache
    from retraining.features.extractor import load_extractor

    extractor = load_extractor(ModuleSettings(handle), images)
    stage_rounds = stage.measure(images, extractor, repeat=repeat)
    vectors = bottlenecks.compute(images, extractor, BottleneckCache(paths.bottleneck_dir, extractor))
    training_rounds = training.measure(vectors, extractor, repeat=repeat)
    limit = Rounds.of(each.limit for each in stage_rounds).median
    rows = [
        *stage.stage_figures(stage_rounds),
        *training.training_figures(training_rounds),
        *commands.wall_time_figures(times, limit=limit),
        *(commands.peak_figures(peaks) if peaks else []),
    ]
    print(f"{figures.machine()}\n{len(files):,} images; module {extractor.name}; median of {repeat} rounds\n")
    figures.print_figures(rows)
