"""retrain.py in this process, with the time and memory of its stages printed as one last line of JSON.

    python -m benchmarks.timed_stages MEGABYTES --image_list=images.jsonl ...

MEGABYTES is how much data memory the process and each of its children may have: with more, they fail. What is
mapped from a file is not counted, since the system can drop it from memory and read it again.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import importlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import MB

# The stages of a run, in its order: a name, and the function that does it, where it is looked up.
STAGES = (
    ("list, labels and split", "retraining.data.dataset", "scan"),
    ("network", "retraining.features.extractor", "load_extractor"),
    ("cache opened and checked", "retraining.features.cache", "BottleneckCache.__init__"),
    ("vectors copied in order", "retraining.features.bottlenecks", "compute"),
    ("near-duplicates", "retraining.features.near_duplicates", "find"),
    ("duplicates and skipped files", "retraining.features.problem_files", "report"),
    ("training", "retraining.training.trainer", "train"),
    ("evaluation", "retraining.training.model", "evaluate"),
    ("assessment", "retraining.assessment.assessment", "try_to_assess"),
    ("findings of the report", "retraining.report.making", "Reporter.look_at"),
    ("page of the report", "retraining.report.making", "Reporter.make"),
)

ALL = "whole run"

_SAMPLED_EVERY = 0.02  # seconds
_PROCESSES = Path("/proc")


@dataclasses.dataclass(frozen=True)
class Stage:
    """What a stage took: seconds, seconds of the processor, and the highest memory in bytes.

    `anonymous` is memory that is in no file, of this process and its children; `resident` also has what is
    mapped from files while there is room, of this process alone.
    """

    name: str
    seconds: float
    processor_seconds: float
    anonymous: int
    resident: int


@dataclasses.dataclass(eq=False)
class _Peak:
    """The highest memory of a stage so far, in bytes."""

    anonymous: int = 0
    resident: int = 0


class Watch:
    """Keeps the highest memory of this process, and of its children, while a thread looks at it."""

    def __init__(self) -> None:
        self.stages: list[Stage] = []
        self._peaks: list[_Peak] = []  # of the stages that have begun
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    @contextlib.contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note what is done within as a stage."""
        peak = _Peak()
        self._peaks.append(peak)
        started, used = time.perf_counter(), time.process_time()
        try:
            yield
        finally:
            self._sample()
            self._peaks.remove(peak)
            seconds, processor_seconds = time.perf_counter() - started, time.process_time() - used
            self.stages.append(Stage(name, seconds, processor_seconds, peak.anonymous, peak.resident))

    def _look(self) -> None:
        while not self._ended.wait(_SAMPLED_EVERY):
            self._sample()

    def _sample(self) -> None:
        anonymous, resident = _memory("self")
        anonymous += sum(_memory(child)[0] for child in _children())
        for peak in self._peaks:
            peak.anonymous = max(peak.anonymous, anonymous)
            peak.resident = max(peak.resident, resident)


def _memory(process: str) -> tuple[int, int]:
    """Return the anonymous and the resident memory of a process in bytes; 0 where that is not known."""
    found = {"RssAnon": 0, "VmRSS": 0}
    with contextlib.suppress(OSError):  # it has ended, or this system has no such files
        for line in (_PROCESSES / process / "status").read_text().splitlines():
            name, _, value = line.partition(":")
            if name in found:
                found[name] = int(value.split()[0]) * 1024
    return found["RssAnon"], found["VmRSS"]


def _children() -> Iterator[str]:
    for listed in _PROCESSES.glob("self/task/*/children"):
        with contextlib.suppress(OSError):  # a thread that has ended
            yield from listed.read_text().split()


def _watch_stages(watch: Watch) -> None:
    """Replace the functions of STAGES by the same ones, watched."""
    for name, module, path in STAGES:
        *owners, attribute = path.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        setattr(owner, attribute, _watched(getattr(owner, attribute), name, watch))


def _watched(function: Callable[..., Any], name: str, watch: Watch) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*arguments: Any, **keywords: Any) -> Any:
        with watch.stage(name):
            return function(*arguments, **keywords)

    return call


def _limit_memory(megabytes: int) -> None:
    """Let this process and its children have so much memory that is in no file, where the system can."""
    with contextlib.suppress(ImportError):  # Windows
        import resource

        resource.setrlimit(resource.RLIMIT_DATA, (megabytes * MB, megabytes * MB))


def stages_in(output: str) -> list[Stage]:
    """Return the stages in what a process of this module printed."""
    return [Stage(**fields) for fields in json.loads(output.splitlines()[-1])]


def main(words: Sequence[str]) -> int:
    """Run retrain.py with the words after the first one, and print the stages. Returns its exit status."""
    _limit_memory(int(words[0]))
    with Watch() as watch, watch.stage(ALL):
        import retrain

        _watch_stages(watch)
        status = retrain.main(list(words[1:]))
    print(json.dumps([dataclasses.asdict(stage) for stage in watch.stages]))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
