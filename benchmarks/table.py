"""The table that a benchmark prints: figures, targets, and whether they are met."""

from __future__ import annotations

import dataclasses
import os
import platform
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import PIL

from benchmarks import bottleneck_stage, training
from benchmarks.bottleneck_stage import LARGE_BATCH, SMALL_BATCH
from benchmarks.commands import LABELLED_IMAGES, WallTimes
from benchmarks.memory import FEW_IMAGES, MANY_IMAGES, Peaks
from benchmarks.rounds import Rounds
from retraining.graphs.quiet_tensorflow import tf

STAGE_SHARE = 0.9  # of the limit, at least
LABEL_SHARE = 0.85  # likewise, of label_image.py once it has started
REPORTED_TIMES = 3.0  # the bare training, at most
WARM_RUN_SECONDS = 6.0  # beyond the import of TensorFlow, at most
ANSWER_SECONDS = 0.5  # to --help, at most
MEMORY_GROWTH_MB = 300.0  # from 500 to 5,000 images, at most

_MB = 2**20
_CPUINFO = Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of the table. `met` is None where there is no target."""

    what: str
    figure: str
    target: str = ""
    met: bool | None = None


def machine() -> str:
    """Return one line on what was measured on: processor and versions."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = (
        f"Python {platform.python_version()}, TensorFlow {tf.__version__}, "
        f"Pillow {PIL.__version__}, NumPy {np.__version__}"
    )
    return f"{_processor()}, {cores} cores; {versions}"


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a Markdown table."""
    verdicts = {None: "", True: "yes", False: "**no**"}
    lines = ["| what | figure | target | met |", "|---|---|---|---|"]
    lines += [f"| {row.what} | {row.figure} | {row.target} | {verdicts[row.met]} |" for row in rows]
    return "\n".join(lines)


def stage_rows(rounds: Sequence[bottleneck_stage.Round]) -> list[Row]:
    """Return the rows on the bottleneck stage."""

    def images(figure: Callable[[bottleneck_stage.Round], float]) -> str:
        return _rate(Rounds.of(map(figure, rounds)), "images/s")

    ratio = Rounds.of(each.ratio for each in rounds)
    return [
        Row(f"forward pass alone, batch {SMALL_BATCH}", images(lambda each: each.forward_small_batch)),
        Row(f"forward pass alone, batch {LARGE_BATCH}", images(lambda each: each.forward_large_batch)),
        Row("decode alone", images(lambda each: each.decode)),
        Row("limit, 1 / (1 / forward + 1 / decode)", images(lambda each: each.limit)),
        Row("bottleneck stage", images(lambda each: each.stage)),
        Row(
            "bottleneck stage, share of the limit",
            f"{ratio.median:.2f} (best {ratio.highest:.2f})",
            f">= {STAGE_SHARE}",
            ratio.median >= STAGE_SHARE,
        ),
    ]


def training_rows(rounds: Sequence[training.Round]) -> list[Row]:
    """Return the rows on training."""
    slower = Rounds.of(each.times_slower for each in rounds)
    return [
        Row("training, bare loop", _rate(Rounds.of(each.bare for each in rounds), "steps/s")),
        Row(
            "training with reports and TensorBoard",
            _rate(Rounds.of(each.reported for each in rounds), "steps/s"),
        ),
        Row(
            "time with reports, against bare",
            f"{slower.median:.2f} times (best {slower.lowest:.2f})",
            f"<= {REPORTED_TIMES:g} times",
            slower.median <= REPORTED_TIMES,
        ),
    ]


def command_rows(times: WallTimes, rounds: Sequence[bottleneck_stage.Round]) -> list[Row]:
    """Return the rows on the two commands; `rounds` give the limit for label_image.py."""
    over = times.over_import
    share = times.label_rate.median / Rounds.of(each.limit for each in rounds).median
    return [
        Row("retrain.py, first run", f"{times.first_run.seconds:.1f} s"),
        Row("retrain.py, warm second run", _duration(times.warm_run)),
        Row("`python -c 'import tensorflow'`", _duration(times.import_tensorflow)),
        Row(
            "warm second run, beyond the import",
            _duration(over),
            f"<= {WARM_RUN_SECONDS:g} s",
            over.median <= WARM_RUN_SECONDS,
        ),
        _answer("`retrain.py --help`", times.help),
        _answer("retrain.py, mistyped flag", times.mistyped_flag),
        Row("label_image.py, 1 image", _duration(times.label_one)),
        Row(f"label_image.py, {LABELLED_IMAGES} images", _duration(times.label_many)),
        Row("label_image.py, start-up taken off", _rate(times.label_rate, "images/s")),
        Row("label_image.py, share of the limit", f"{share:.2f}", f">= {LABEL_SHARE}", share >= LABEL_SHARE),
    ]


def memory_rows(peaks: Peaks) -> list[Row]:
    """Return the rows on the peak memory of retrain.py."""
    growth = peaks.growth / _MB
    return [
        Row(f"peak memory, {FEW_IMAGES:,} drawn photographs", f"{peaks.few / _MB:,.0f} MB"),
        Row(f"peak memory, {MANY_IMAGES:,} drawn photographs", f"{peaks.many / _MB:,.0f} MB"),
        Row(
            "peak memory, difference",
            f"{growth:,.0f} MB",
            f"<= {MEMORY_GROWTH_MB:g} MB",
            growth <= MEMORY_GROWTH_MB,
        ),
    ]


def _answer(what: str, seconds: Rounds) -> Row:
    return Row(what, _duration(seconds), f"< {ANSWER_SECONDS} s", seconds.median < ANSWER_SECONDS)


def _rate(values: Rounds, unit: str) -> str:
    return f"{values.median:,.0f} {unit} (best {values.highest:,.0f})"


def _duration(values: Rounds) -> str:
    return f"{values.median:.2f} s (best {values.lowest:.2f})"


def _processor() -> str:
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
