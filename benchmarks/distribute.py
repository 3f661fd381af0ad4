"""Feature vectors by Apache Beam on this computer, against the plain way on the same processors.

Each way is a whole process that fills an empty cache: its start, the list of images, the network, the
shards. One worker gets one core, two get two. The ways take turns, round by round. Then retrain.py trains
with the vectors of each cache: the graphs must be the same file, and so must the shards of all that Beam
has run. That holds for networks that LiteRT computes; TensorFlow's last digits depend on the number of cores.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks import commands, figures, image_folder
from benchmarks.arguments import DistributeSettings
from benchmarks.commands import Paths
from benchmarks.figures import Rounds, print_table
from retraining.errors import WorkFailed
from retraining.features import shards

COLUMNS = (
    "images",
    "way",
    "duration",
    "against the plain way",
    "against one worker",
    "seconds of all workers",
)

PLAIN = "plain: one process"
ONE_WORKER = "Beam, multi_processing, 1 worker on one core"
_MULTI = "--direct_running_mode=multi_processing"
BEAM: Mapping[str, Sequence[str]] = {
    "Beam, in_memory": (),
    ONE_WORKER: (_MULTI, "--direct_num_workers=1"),
    "Beam, multi_processing, 2 workers": (_MULTI, "--direct_num_workers=2"),
}

# What retrain.py does before it trains, in a process of its own.
_PLAIN_PROGRAM = """
import sys, retraining
folder, handle, cache = sys.argv[1:]
photos = retraining.scan(folder)
extractor = retraining.load_extractor(handle, bottleneck_dir=cache)
retraining.compute_bottlenecks(photos, extractor, bottleneck_dir=cache)
"""

# distribute on the first of this process's cores: what it starts stays there too, and counts one core only.
_ON_ONE_CORE = """
import os, runpy
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
runpy.run_module("retraining.distribute", run_name="__main__", alter_sys=True)
"""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Way:
    """Seconds of a way in each round, and what its last round left: the run that trains with its cache."""

    name: str
    seconds: Rounds
    paths: Paths
    printed: str

    def shards(self) -> str:
        """Return the SHA-256 of the names and bytes of all shards, in hexadecimal."""
        return _sha256(
            path
            for path in sorted(self.paths.bottleneck_dir.rglob("*"), key=lambda path: path.name)
            if shards.is_name(path.name)
        )

    def work(self) -> str:
        """Return how long the workers were at each part of the work, as the last run has printed it."""
        return next(iter(re.findall(r"^Seconds of all workers: (.*)\.$", self.printed, re.MULTILINE)), "")

    def graph(self) -> str:
        """Return the SHA-256 of the graph that the run has exported, in hexadecimal."""
        return _sha256([self.paths.graph])


def run(settings: DistributeSettings) -> None:
    """Measure and print the table for the images of the folder and for drawn ones; then the SHA-256s."""
    print(f"{figures.machine()}\n")
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        folders = {"photos": settings.folder}
        if settings.drawn_photos:
            folders["drawn"] = image_folder.draw(Path(scratch) / "photos", count=settings.drawn_photos)
        measured = {
            name: _measured(folder, Path(scratch) / "caches" / name, settings)
            for name, folder in folders.items()
        }
        print_table(COLUMNS, (row for name, ways in measured.items() for row in _rows(name, ways)))
        for name, ways in measured.items():
            _print_what_is_the_same(name, ways, settings.handle)


def _measured(folder: Path, outputs: Path, settings: DistributeSettings) -> list[Way]:
    """Return the ways, each measured `repeat` times into an empty cache."""
    names = (PLAIN, *BEAM)
    seconds: dict[str, list[float]] = {name: [] for name in names}
    printed = dict.fromkeys(names, "")
    for number in range(1, settings.repeat + 1):
        for name in names:
            log.info("%s, %s: round %d of %d", folder, name, number, settings.repeat)
            done = commands.run(_words(name, _paths(folder, outputs, name, number), settings.handle))
            seconds[name].append(done.seconds)
            printed[name] = done.output
    return [
        Way(name, Rounds.of(seconds[name]), _paths(folder, outputs, name, settings.repeat), printed[name])
        for name in names
    ]


def _paths(folder: Path, outputs: Path, name: str, number: int) -> Paths:
    place = outputs / f"{name} {number}".replace(":", "").replace(",", "").replace(" ", "_")
    place.mkdir(parents=True, exist_ok=True)
    return Paths(folder, place)


def _words(name: str, paths: Paths, handle: str) -> list[str]:
    """Return the words of the command that fills the cache in one of the ways."""
    if name == PLAIN:
        return ["-c", _PLAIN_PROGRAM, str(paths.image_dir), handle, str(paths.bottleneck_dir)]
    return [
        *(("-c", _ON_ONE_CORE) if name == ONE_WORKER else ("-m", "retraining.distribute")),
        f"--image_dir={paths.image_dir}",
        f"--tfhub_module={handle}",
        f"--bottleneck_dir={paths.bottleneck_dir}",
        f"--output_dir={paths.outputs / 'lists'}",
        *BEAM[name],
    ]


def _rows(images: str, ways: Sequence[Way]) -> Iterator[tuple[str, ...]]:
    seconds = {way.name: way.seconds for way in ways}
    for way in ways:
        yield (
            images,
            way.name,
            way.seconds.as_duration(),
            _against(way.seconds, seconds[PLAIN]),
            "" if way.name == PLAIN else _against(way.seconds, seconds[ONE_WORKER]),
            way.work(),
        )


def _against(seconds: Rounds, others: Rounds) -> str:
    pairs = zip(seconds.values, others.values, strict=True)
    return f"{Rounds.of(one / other for one, other in pairs).median:.2f} times"


def _print_what_is_the_same(images: str, ways: Sequence[Way], handle: str) -> None:
    """Train with each cache and print the sums of the graphs and shards. Raises WorkFailed if they differ."""
    for way in ways:
        log.info("%s: retrain.py with the vectors of %s", images, way.name)
        before = way.shards()
        commands.run([*way.paths.retrain(handle), "--report=none"])
        if way.shards() != before:
            raise WorkFailed("retrain.py has computed vectors that '{way}' should have.", way=way.name)
    graphs = {way.graph() for way in ways}
    by_beam = {way.shards() for way in ways if way.name != PLAIN}
    if len(graphs) > 1 or len(by_beam) > 1:
        raise WorkFailed("the ways have given different vectors of '{images}'.", images=images)
    print(f"\n{images}: output_graph.pb of all ways  sha256 {graphs.pop()}")
    print(f"{images}: shards of all that Beam ran  sha256 {by_beam.pop()}")


def _sha256(paths: Iterator[Path] | Sequence[Path]) -> str:
    found = hashlib.sha256()
    for path in paths:
        found.update(path.name.encode() + path.read_bytes())
    return found.hexdigest()
