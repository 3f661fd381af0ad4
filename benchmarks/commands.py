"""retrain.py and label_image.py as users start them: child processes, their wall time and peak memory."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from benchmarks import image_folder
from benchmarks.figures import MB, Figure, Rounds
from retraining.errors import WorkFailed
from retraining.printable import printable

RETRAIN = str(Path(__file__).parents[1] / "retrain.py")
LABEL_IMAGE = str(Path(__file__).parents[1] / "label_image.py")
IMPORT_TENSORFLOW = ("-c", "import tensorflow")

LABELLED_IMAGES = 500  # for label_image.py
FEW_IMAGES, MANY_IMAGES = 500, 5_000  # for peak memory, which must not grow with them

WARM_RUN_SECONDS = 6.0  # on top of importing TensorFlow, at most
ANSWER_SECONDS = 0.5  # to --help, at most
LABEL_SHARE = 0.85  # of the limit, at least: label_image.py, not counting start-up
MEMORY_GROWTH_MB = 300.0  # from FEW_IMAGES to MANY_IMAGES, at most

MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; see getrusage(2)

_SHOWN_OUTPUT = 2000  # bytes of a failed command

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Finished:
    """A command that ended as expected: wall time, peak resident memory, what it printed."""

    seconds: float
    peak_bytes: int
    output: str


@dataclasses.dataclass(frozen=True)
class Paths:
    """The images of a run of retrain.py, and the folder for everything that it writes."""

    image_dir: Path
    outputs: Path

    @property
    def bottleneck_dir(self) -> Path:
        """Where the run keeps its feature vectors."""
        return self.outputs / "bottlenecks"

    @property
    def graph(self) -> Path:
        """The network that the run exports."""
        return self.outputs / "graph.pb"

    @property
    def labels(self) -> Path:
        """Its labels."""
        return self.outputs / "labels.txt"

    def retrain(self, handle: str) -> list[str]:
        """Return the words of retrain.py with the module `handle`."""
        return [RETRAIN, f"--image_dir={self.image_dir}", *self.flags(handle)]

    def flags(self, handle: str) -> list[str]:
        """Return the flags of retrain.py for the module `handle` and all outputs."""
        return [
            f"--tfhub_module={handle}",
            f"--bottleneck_dir={self.bottleneck_dir}",
            f"--output_graph={self.graph}",
            f"--output_labels={self.labels}",
            f"--summaries_dir={self.outputs / 'logs'}",
            f"--checkpoint_path={self.outputs / 'checkpoint'}",
        ]

    def label_image(self, images: Sequence[Path]) -> list[str]:
        """Return the words of label_image.py with what the run exported."""
        flags = [f"--image={image}" for image in images]
        # The first run's engine in every run: what is kept for later ones has a benchmark of its own.
        words = [LABEL_IMAGE, f"--graph={self.graph}", f"--labels={self.labels}", "--engine=tensorflow"]
        return [*words, *flags]


def run(words: Sequence[str], *, status: int = 0) -> Finished:
    """Run this Python with `words` and wait for it.

    Raises WorkFailed, after logging the command's last lines, if its exit status is not `status`.
    """
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=errors
        ) as process:
            peak_bytes = _wait(process)
            seconds = time.perf_counter() - start
        if process.returncode != status:
            _log_last_lines(output, errors)
            raise WorkFailed(
                "`{command} ...` ended with exit status {found}, not {status}. Its last lines are above.",
                command=" ".join([Path(words[0]).name, *words[1:3]]),
                found=process.returncode,
                status=status,
            )
        output.seek(0)
        return Finished(seconds, peak_bytes, output.read().decode(errors="replace"))


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process to end and return its peak resident memory in bytes."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        raise
    # Popen must not wait again for the process that wait4 has waited for.
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * MAXRSS_UNIT


def _log_last_lines(*streams: IO[bytes]) -> None:
    for stream in streams:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(max(0, size - _SHOWN_OUTPUT))
        for line in stream.read().decode(errors="replace").strip().splitlines():
            log.error("  %s", printable(line))


@dataclasses.dataclass(frozen=True)
class WallTimes:
    """Seconds of each command, one value per round; `first_run` fills the cache and happens once."""

    first_run: Finished
    warm_run: Rounds
    import_tensorflow: Rounds
    over_import: Rounds  # of the warm run, on top of the import in the same round
    help: Rounds
    mistyped_flag: Rounds
    label_one: Rounds
    label_many: Rounds
    label_rate: Rounds  # images per second once label_image.py has started


@dataclasses.dataclass(frozen=True)
class _Round:
    warm_run: float
    import_tensorflow: float
    help: float
    mistyped_flag: float
    label_one: float
    label_many: float


def wall_times(paths: Paths, images: Sequence[Path], *, handle: str, repeat: int) -> WallTimes:
    """Return the wall times of the commands, which take turns in each of `repeat` rounds."""
    log.info("commands: the first run, which fills the cache")
    first = run(paths.retrain(handle))
    rounds = []
    for number in range(1, repeat + 1):
        log.info("commands: round %d of %d", number, repeat)
        rounds.append(_round(paths, images, handle))
    labelled = LABELLED_IMAGES - 1
    return WallTimes(
        first_run=first,
        warm_run=Rounds.of(each.warm_run for each in rounds),
        import_tensorflow=Rounds.of(each.import_tensorflow for each in rounds),
        over_import=Rounds.of(each.warm_run - each.import_tensorflow for each in rounds),
        help=Rounds.of(each.help for each in rounds),
        mistyped_flag=Rounds.of(each.mistyped_flag for each in rounds),
        label_one=Rounds.of(each.label_one for each in rounds),
        label_many=Rounds.of(each.label_many for each in rounds),
        label_rate=Rounds.of(labelled / (each.label_many - each.label_one) for each in rounds),
    )


def _round(paths: Paths, images: Sequence[Path], handle: str) -> _Round:
    many = list(itertools.islice(itertools.cycle(images), LABELLED_IMAGES))
    return _Round(
        warm_run=run(paths.retrain(handle)).seconds,
        import_tensorflow=run(IMPORT_TENSORFLOW).seconds,
        help=run([RETRAIN, "--help"]).seconds,
        mistyped_flag=run([RETRAIN, "--image_dri=photographs"], status=2).seconds,
        label_one=run(paths.label_image(many[:1])).seconds,
        label_many=run(paths.label_image(many)).seconds,
    )


def wall_time_figures(times: WallTimes, *, limit: float) -> list[Figure]:
    """Return the rows on the two commands; `limit` is the bottleneck stage's, in images per second."""
    over, share = times.over_import, times.label_rate.median / limit
    return [
        Figure("retrain.py, first run", f"{times.first_run.seconds:.1f} s"),
        Figure("retrain.py, second run, with a filled cache", times.warm_run.as_duration()),
        Figure("`python -c 'import tensorflow'`", times.import_tensorflow.as_duration()),
        Figure(
            "second run, on top of the import",
            over.as_duration(),
            f"<= {WARM_RUN_SECONDS:g} s",
            over.median <= WARM_RUN_SECONDS,
        ),
        _answer("`retrain.py --help`", times.help),
        _answer("retrain.py, mistyped flag", times.mistyped_flag),
        Figure("label_image.py, 1 image", times.label_one.as_duration()),
        Figure(f"label_image.py, {LABELLED_IMAGES} images", times.label_many.as_duration()),
        Figure("label_image.py, not counting start-up", times.label_rate.as_rate("images/s")),
        Figure(
            "label_image.py, share of the limit", f"{share:.2f}", f">= {LABEL_SHARE}", share >= LABEL_SHARE
        ),
    ]


def _answer(what: str, seconds: Rounds) -> Figure:
    return Figure(what, seconds.as_duration(), f"< {ANSWER_SECONDS} s", seconds.median < ANSWER_SECONDS)


@dataclasses.dataclass(frozen=True)
class Peaks:
    """Peak memory of retrain.py in bytes, on FEW_IMAGES and on MANY_IMAGES."""

    few: int
    many: int

    @property
    def growth(self) -> int:
        """Bytes that the additional images take."""
        return self.many - self.few


def peaks(folder: Path, *, handle: str) -> Peaks:
    """Draw images below `folder` and return the peaks of a first run on few and on many of them."""
    return Peaks(few=_peak(folder, FEW_IMAGES, handle), many=_peak(folder, MANY_IMAGES, handle))


def _peak(folder: Path, count: int, handle: str) -> int:
    images = image_folder.draw(folder / f"images_{count}", count=count)
    log.info("peak memory: retrain.py on %d images", count)
    return peak_of(Paths(images, folder / f"outputs_{count}").retrain(handle))


def peak_of(words: Sequence[str]) -> int:
    """Return the peak resident memory of a command in bytes. Raises WorkFailed if it cannot be measured."""
    peak = run(words).peak_bytes
    # A child starts with the peak of the process that started it: Linux keeps that across exec.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    if peak <= own:
        raise WorkFailed(
            "the peak memory of retrain.py cannot be measured: this process itself has already used {own} "
            "MB. Start the benchmark from a smaller process, such as a shell.",
            own=own >> 20,
        )
    return peak


def peak_figures(peaks: Peaks) -> list[Figure]:
    """Return the rows on the peak memory of retrain.py."""
    growth = peaks.growth / MB
    return [
        Figure(f"peak memory, {FEW_IMAGES:,} drawn images", f"{peaks.few / MB:,.0f} MB"),
        Figure(f"peak memory, {MANY_IMAGES:,} drawn images", f"{peaks.many / MB:,.0f} MB"),
        Figure(
            "peak memory, difference",
            f"{growth:,.0f} MB",
            f"<= {MEMORY_GROWTH_MB:g} MB",
            growth <= MEMORY_GROWTH_MB,
        ),
    ]
