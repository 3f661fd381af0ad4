"""Figures: measured in several rounds, and printed as a Markdown table."""

from __future__ import annotations

import dataclasses
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from retraining.printable import printable

FIGURE_COLUMNS = ("what", "figure", "target", "met")

MB = 2**20

_MET = {None: "", True: "yes", False: "**no**"}
_CPUINFO = Path("/proc/cpuinfo")


@dataclasses.dataclass(frozen=True)
class Rounds:
    """The values of one figure, one per round. Noise only ever makes things slower."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Iterable[float]) -> Rounds:
        """Return the rounds with these values."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle value."""
        return statistics.median(self.values)

    @property
    def highest(self) -> float:
        """The best round of a rate."""
        return max(self.values)

    @property
    def lowest(self) -> float:
        """The best round of a duration."""
        return min(self.values)

    def as_rate(self, unit: str) -> str:
        """Return the median and the best of a rate, as text."""
        return f"{self.median:,.0f} {unit} (best {self.highest:,.0f})"

    def as_duration(self) -> str:
        """Return the median and the best of seconds, as text."""
        return f"{self.median:.2f} s (best {self.lowest:.2f})"


def rate(count: int, work: Callable[[], object]) -> float:
    """Return how many per second `work`, which does `count` of something, comes to."""
    return count / seconds(work)


def seconds(work: Callable[[], object]) -> float:
    """Return the seconds that `work` takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@dataclasses.dataclass(frozen=True)
class Figure:
    """A row of the tables that have targets. `met` is None where there is no target."""

    what: str
    text: str
    target: str = ""
    met: bool | None = None


def print_figures(rows: Iterable[Figure]) -> None:
    """Print figures under FIGURE_COLUMNS."""
    print_table(FIGURE_COLUMNS, ((row.what, row.text, row.target, _MET[row.met]) for row in rows))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a Markdown table, each row as soon as `rows` yields it: measuring one may take minutes.

    Raises ValueError for a row that has not one cell for each column.
    """
    _print_row(columns)
    print(f"|{'---|' * len(columns)}", flush=True)
    for row in rows:
        if len(row) != len(columns):
            raise ValueError(f"{len(columns)} columns, but {len(row)} cells: {row}")
        _print_row(row)


def _print_row(cells: Sequence[str]) -> None:
    shown = (printable(cell).replace("|", "\\|") for cell in cells)
    print(f"| {' | '.join(shown)} |", flush=True)


def machine() -> str:
    """Return one line on what was measured on: processor and versions."""
    # Only now, since a child process starts with the peak memory of its parent: see commands.peak_of.
    import numpy as np
    import PIL

    from retraining.graphs.quiet_tensorflow import tf

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    versions = (
        f"Python {platform.python_version()}, TensorFlow {tf.version.VERSION}, "
        f"Pillow {PIL.__version__}, NumPy {np.__version__}"
    )
    return f"{_processor()}, {cores} cores; {versions}"


def _processor() -> str:
    if _CPUINFO.is_file():
        for line in _CPUINFO.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
