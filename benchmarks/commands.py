"""retrain.py and label_image.py as users start them: child processes, their wall time and peak memory."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.rounds import Rounds
from retraining.errors import WorkFailed

RETRAIN = str(Path(__file__).parents[1] / "retrain.py")
LABEL_IMAGE = str(Path(__file__).parents[1] / "label_image.py")

LABELLED_IMAGES = 500  # for label_image.py

MAXRSS_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes; see getrusage(2)

_SHOWN_OUTPUT = 2000  # bytes of a failed command

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Finished:
    """A command that ended as expected: wall time and peak resident memory."""

    seconds: float
    peak_bytes: int


@dataclasses.dataclass(frozen=True)
class Paths:
    """The images of a run of retrain.py and the folder that takes all that it writes."""

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
        return [
            RETRAIN,
            f"--image_dir={self.image_dir}",
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
        return [LABEL_IMAGE, f"--graph={self.graph}", f"--labels={self.labels}", *flags]


@dataclasses.dataclass(frozen=True)
class WallTimes:
    """Seconds of each command, one value a round; `first_run` fills the cache and happens once."""

    first_run: Finished
    warm_run: Rounds
    import_tensorflow: Rounds
    over_import: Rounds  # of the warm run, beyond the import of the same round
    help: Rounds
    mistyped_flag: Rounds
    label_one: Rounds
    label_many: Rounds
    label_rate: Rounds  # images a second once label_image.py has started


@dataclasses.dataclass(frozen=True)
class _Round:
    warm_run: float
    import_tensorflow: float
    help: float
    mistyped_flag: float
    label_one: float
    label_many: float


def run(words: Sequence[str], *, status: int = 0) -> Finished:
    """Run this Python with `words` and wait for it. Raises WorkFailed if it ends otherwise than `status`."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        ) as process:
            peak_bytes = _wait(process)
            seconds = time.perf_counter() - start
        if process.returncode != status:
            output.seek(max(0, output.tell() - _SHOWN_OUTPUT))
            shown = output.read().decode(errors="replace").strip()
            command = " ".join([Path(words[0]).name, *words[1:3]])
            raise WorkFailed(
                f"`{command} ...` ended with {process.returncode}, not {status}. Its last lines:\n{shown}"
            )
    return Finished(seconds, peak_bytes)


def _wait(process: subprocess.Popen[bytes]) -> int:
    """Wait for the process to end and return its peak resident memory in bytes."""
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        process.terminate()
        raise
    # Popen is not to wait for what wait4 has taken away.
    process.returncode = os.waitstatus_to_exitcode(status)
    return usage.ru_maxrss * MAXRSS_UNIT


def measure(paths: Paths, images: Sequence[Path], *, handle: str, repeat: int) -> WallTimes:
    """Return the wall times of the commands, `repeat` rounds of all of them in turn."""
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
        import_tensorflow=run(["-c", "import tensorflow"]).seconds,
        help=run([RETRAIN, "--help"]).seconds,
        mistyped_flag=run([RETRAIN, "--image_dri=photographs"], status=2).seconds,
        label_one=run(paths.label_image(many[:1])).seconds,
        label_many=run(paths.label_image(many)).seconds,
    )
