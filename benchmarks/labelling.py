"""label_image.py as a whole process: in TensorFlow, as it first runs a graph, and in LiteRT, as it then does.

All take turns, round by round, so that other programs slow all of them down alike; with the script of an
older checkout, that takes turns too. The photos are given as one folder, and the first of them alone.
"""

from __future__ import annotations

import functools
import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import commands, figures
from benchmarks.arguments import LabellingSettings
from benchmarks.figures import Figure, Rounds, print_figures
from retraining.data import folder_walk
from retraining.errors import BadRequest

ONE_SECONDS = 0.5  # for one photo, at most, once its graph is kept
TIMES_AS_FAST = 1.3  # with many photos, at least

TENSORFLOW, KEPT, OLDER = "TensorFlow", "LiteRT, kept", "older checkout"

log = logging.getLogger(__name__)


def run(settings: LabellingSettings) -> None:
    """Measure and print the table."""
    files = folder_walk.image_files([settings.folder])[: settings.count]
    if not files:
        raise BadRequest("'{path}' has no images. Name a folder that has some.", path=settings.folder)
    print(f"{figures.machine()}; {len(files)} photos, {settings.repeat} rounds; {_load()}\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        photos = Path(scratch) / "photos"
        photos.mkdir()
        for number, file in enumerate(files):
            (photos / f"{number:05}{file.suffix}").symlink_to(file.absolute())
        print_figures(_rows(settings, photos, Path(scratch) / "cache"))


def _rows(settings: LabellingSettings, photos: Path, cache: Path) -> Iterator[Figure]:
    one = sorted(photos.iterdir())[0]
    ways = _ways(settings, cache)
    first = figures.seconds(functools.partial(commands.run, [*ways[KEPT], f"--image={one}"]))
    yield Figure("one photo, first run: TensorFlow, then the conversion", f"{first:.2f} s")
    alone = _in_turns(ways, one, settings.repeat)
    many = _in_turns(ways, photos, settings.repeat)
    for name in ways:
        is_kept = name == KEPT
        yield Figure(
            f"one photo: {name}",
            alone[name].as_duration(),
            f"<= {ONE_SECONDS} s" if is_kept else "",
            alone[name].median <= ONE_SECONDS if is_kept else None,
        )
    for name in ways:
        yield Figure(f"{len(list(photos.iterdir()))} photos: {name}", many[name].as_duration())
    for name in ways:
        if name != KEPT:
            times = many[name].median / many[KEPT].median
            yield Figure(
                f"many photos: times as fast as {name}",
                f"{times:.2f}",
                f">= {TIMES_AS_FAST}",
                times >= TIMES_AS_FAST,
            )


def _ways(settings: LabellingSettings, cache: Path) -> dict[str, list[str]]:
    """Return the words of each way to label the same images, by its name."""
    labels = [] if settings.labels is None else [f"--labels={settings.labels.absolute()}"]
    words = [f"--graph={settings.graph.absolute()}", *labels]
    ways = {
        TENSORFLOW: [commands.LABEL_IMAGE, *words, "--engine=tensorflow"],
        KEPT: [commands.LABEL_IMAGE, *words, f"--cache_dir={cache}"],
    }
    return ways if settings.older is None else {OLDER: [str(settings.older.absolute()), *words], **ways}


def _in_turns(ways: dict[str, list[str]], image: Path, repeat: int) -> dict[str, Rounds]:
    """Return the seconds that each way takes for an image or a folder of them."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(1, repeat + 1):
        log.info("%s: round %d of %d, %s", image.name, number, repeat, _load())
        for name, words in ways.items():
            found[name].append(_seconds([*words, f"--image={image}"]))
    return {name: Rounds.of(values) for name, values in found.items()}


def _seconds(words: Sequence[str]) -> float:
    return commands.run(words).seconds


def _load() -> str:
    """Return how busy the machine is, which tells what the figures are worth."""
    return f"load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "load unknown"
