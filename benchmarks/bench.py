"""Measure the program on this machine and print a table: what, figure, target, met.

    python -m benchmarks.bench [FOLDER] [--tfhub_module HANDLE] [--repeat N] [--skip_memory]

What is measured in rounds takes turns, so that other programs disturb all of it alike; the figure is
the median of the rounds, with the best beside it. Standard error says what is being measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import commands, memory, photographs
from benchmarks.commands import Paths
from retraining.cli import console, logs
from retraining.settings.module import BUILTIN, ModuleSettings

REPEAT = 3
MIN_IMAGES = 64  # one of the larger batches of the forward pass

log = logging.getLogger("benchmarks")


@dataclasses.dataclass(frozen=True)
class BenchOptions:
    """What to measure, and on what: `folder` is None for drawn photographs."""

    folder: Path | None
    tfhub_module: str
    repeat: int
    skip_memory: bool


def bench(options: BenchOptions) -> None:
    """Measure all that is asked for and print the table."""
    _configure_logging()
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        print(_measured(options, Path(scratch)))


def _measured(options: BenchOptions, scratch: Path) -> str:
    folder = options.folder
    if folder is None:
        folder = photographs.draw(scratch / "photographs", count=memory.FEW_IMAGES)
    images = photographs.usable(folder, at_least=MIN_IMAGES)
    paths = Paths(folder, scratch / "outputs")
    files = [image.path for image in images.images]
    times = commands.measure(paths, files, handle=options.tfhub_module, repeat=options.repeat)
    peaks = None if options.skip_memory else memory.measure(scratch, handle=options.tfhub_module)

    # Only now: a child begins with the peak memory of the process that started it.
    from benchmarks import bottleneck_stage, table, training
    from retraining.features import bottlenecks, extractor
    from retraining.features.cache import BottleneckCache

    network = extractor.load(ModuleSettings(options.tfhub_module))
    stage = bottleneck_stage.measure(images, network, repeat=options.repeat)
    vectors = bottlenecks.compute(images, network, BottleneckCache(paths.bottleneck_dir, network))
    steps = training.measure(vectors, network, repeat=options.repeat)
    rows = [*table.stage_rows(stage), *table.training_rows(steps), *table.command_rows(times, stage)]
    if peaks is not None:
        rows += table.memory_rows(peaks)
    subject = f"{len(files):,} images; module {network.name}; median of {options.repeat} rounds"
    return f"{table.machine()}\n{subject}\n\n{table.markdown(rows)}"


def parse(argv: Sequence[str] | None) -> BenchOptions:
    """Return the options from command-line words; ends the process if they are wrong."""
    parser = argparse.ArgumentParser(
        prog="benchmarks.bench", description="Measure the program on this machine."
    )
    parser.add_argument(
        "folder",
        nargs="?",
        type=_folder,
        metavar="FOLDER",
        help="one sub-folder of images per class; photographs are drawn if not given",
    )
    parser.add_argument(
        "--tfhub_module", default=BUILTIN, metavar="HANDLE", help="as retrain.py's (default: %(default)s)"
    )
    parser.add_argument(
        "--repeat", type=_count, default=REPEAT, metavar="N", help="rounds (default: %(default)s)"
    )
    parser.add_argument(
        "--skip_memory",
        action="store_true",
        help=f"leave out the peak memory, for which {memory.MANY_IMAGES:,} photographs are drawn",
    )
    return BenchOptions(**vars(parser.parse_args(argv)))


def _count(text: str) -> int:
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number of at least 1, received '{text}'")
    return value


def _folder(text: str) -> Path:
    path = Path(text).expanduser()
    if not path.is_dir():
        raise argparse.ArgumentTypeError(
            f"must be a folder with one sub-folder of images per class, received '{text}'"
        )
    return path


def _configure_logging() -> None:
    """Send what is being measured to standard error, and the program's own lines where it sends them."""
    logs.configure_logging("INFO")
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    log.setLevel(logging.INFO)
    log.handlers = [handler]


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(bench, parse=parse, argv=argv, name="bench")


if __name__ == "__main__":
    sys.exit(main())
