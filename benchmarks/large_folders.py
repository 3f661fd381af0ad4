"""What retrain.py takes per image, in time and memory, for larger and larger folders.

The images are a few small ones under many names; bytes after the end of each make them different files.
"""

from __future__ import annotations

import dataclasses
import logging
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import commands
from benchmarks.arguments import LargeFoldersSettings
from benchmarks.commands import Finished, Paths
from benchmarks.figures import MB, print_table
from retraining.data import sample_photos

COLUMNS = ("images", "first run", "per image", "peak memory", "of which feature vectors", "second run")

SOURCES = 10  # images of each kind
_FLOAT32_BYTES = 4

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Result:
    """Two runs on a folder of `count` images; the first one fills the cache."""

    count: int
    first: Finished
    second: Finished

    @property
    def vector_bytes(self) -> int:
        """Bytes of all feature vectors. Their size is read from what retrain.py prints.

        To load the module here instead would take memory, and a child process starts with its parent's peak.
        """
        features = int(re.findall(r"^Module .* pixels to (\d+) features", self.first.output, re.MULTILINE)[0])
        return self.count * features * _FLOAT32_BYTES


def run(settings: LargeFoldersSettings) -> None:
    """Measure and print the table."""
    print_table(COLUMNS, map(_cells, _results(settings)))


def _results(settings: LargeFoldersSettings) -> Iterator[Result]:
    for count in settings.counts:
        log.info("two runs of retrain.py on %d images", count)
        with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
            paths = Paths(Path(scratch) / "images", Path(scratch) / "outputs")
            write(paths.image_dir, count)
            words = paths.retrain(settings.handle)
            yield Result(count, first=commands.run(words), second=commands.run(words))


def _cells(result: Result) -> tuple[str, ...]:
    count, first = result.count, result.first
    return (
        f"{count:,}",
        f"{first.seconds:.1f} s",
        f"{1000 * first.seconds / count:.2f} ms",
        f"{first.peak_bytes / MB:,.0f} MB",
        f"{result.vector_bytes / MB:,.0f} MB",
        f"{result.second.seconds:.1f} s",
    )


def write(folder: Path, count: int) -> None:
    """Write `count` images, the same number of each kind of flower."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        sample_photos.write(Path(scratch), per_class=SOURCES, seed=0)
        sources = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        for number in range(count):
            source = sources[number % len(sources)]
            path = folder / source.parent.name / f"{number}{source.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes() + number.to_bytes(4, "big"))
