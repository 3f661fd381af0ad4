"""Peak memory of retrain.py on few and on many photographs, all drawn: it must not grow with them."""

from __future__ import annotations

import dataclasses
import logging
import resource
from collections.abc import Sequence
from pathlib import Path

from benchmarks import commands, photographs
from benchmarks.commands import MAXRSS_UNIT, Paths
from retraining.errors import WorkFailed

FEW_IMAGES, MANY_IMAGES = 500, 5_000

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Peaks:
    """Bytes of retrain.py at its peak on FEW_IMAGES and on MANY_IMAGES."""

    few: int
    many: int

    @property
    def growth(self) -> int:
        """Bytes that the additional images take."""
        return self.many - self.few


def measure(folder: Path, *, handle: str) -> Peaks:
    """Draw photographs below `folder` and return the peaks of a first run on few and on many of them."""
    return Peaks(few=_peak(folder, FEW_IMAGES, handle), many=_peak(folder, MANY_IMAGES, handle))


def peak_of(words: Sequence[str]) -> int:
    """Return the peak resident memory of a command in bytes. Raises WorkFailed if it cannot be told."""
    peak = commands.run(words).peak_bytes
    # A child begins with the peak of the process that started it: Linux keeps that across exec.
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * MAXRSS_UNIT
    if peak <= own:
        raise WorkFailed(
            f"the peak memory of retrain.py cannot be told: this process itself has used {own >> 20} MB "
            "before. Start the benchmark from a smaller process, a shell say."
        )
    return peak


def _peak(folder: Path, count: int, handle: str) -> int:
    images = photographs.draw(folder / f"photographs_{count}", count=count)
    log.info("peak memory: retrain.py on %d photographs", count)
    return peak_of(Paths(images, folder / f"outputs_{count}").retrain(handle))
