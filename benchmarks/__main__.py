"""Measure the program on this machine: one command for all benchmarks.

    python -m benchmarks                    lists the benchmarks
    python -m benchmarks stage --help       lists the arguments of one of them
    python -m benchmarks bench my_photos    measures

Tables are printed as Markdown; what is being measured is said on standard error.
"""

from __future__ import annotations

import dataclasses
import importlib
import logging
import sys
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks import arguments
from retraining.cli import console, logs
from retraining.cli.parser import Program, flag_name, parse
from retraining.errors import BadRequest
from retraining.settings.setting import Settings, fields
from retraining.suggestions import did_you_mean, nearest


@dataclasses.dataclass(frozen=True)
class Benchmark:
    """A benchmark: the module of its name holds the function `run`, which takes its settings."""

    name: str
    description: str
    settings: type[Settings]

    def program(self) -> Program[Any]:
        """Return the benchmark's command line."""
        here = {field.name for field in fields(self.settings)}
        return Program(
            name=f"python -m benchmarks {self.name}",
            description=self.description,
            settings=self.settings,
            positional={name: shown for name, shown in arguments.WORDS.items() if name in here},
        )

    def run_function(self) -> Callable[[Any], None]:
        """Return the function that measures and prints, importing it only now: many need TensorFlow."""
        run: Callable[[Any], None] = importlib.import_module(f"benchmarks.{self.name}").run
        return run


BENCHMARKS = (
    Benchmark(
        "bench", "The main table: each part of a run, with targets (`make bench`).", arguments.BenchSettings
    ),
    Benchmark("stage", "The bottleneck stage against its limit, in minutes.", arguments.StageSettings),
    Benchmark("modules", "The accuracy that each of several modules reaches.", arguments.ModulesSettings),
    Benchmark(
        "engines", "Engines that can compute a network: vectors, speed, start-up.", arguments.EnginesSettings
    ),
    Benchmark("precision", "bfloat16 against float32: speed and accuracy.", arguments.PrecisionSettings),
    Benchmark(
        "augmentation", "Runs with distorted images against plain ones.", arguments.AugmentedRunsSettings
    ),
    Benchmark(
        "fine_tuning",
        "Fine-tuned networks against frozen ones, on unseen images.",
        arguments.FineTuningRunsSettings,
    ),
    Benchmark("networks", "A training step of each network from scratch.", arguments.NetworksSettings),
    Benchmark(
        "labelling", "label_image.py as a process: TensorFlow against LiteRT.", arguments.LabellingSettings
    ),
    Benchmark("report", "What the report costs, with few and with many images.", arguments.ReportSettings),
    Benchmark("warm", "A second run against importing TensorFlow.", arguments.WarmSettings),
    Benchmark("scan", "Scanning and splitting a large folder.", arguments.ScanSettings),
    Benchmark(
        "large_photographs",
        "Decoding 12-megapixel JPEGs at reduced size.",
        arguments.LargePhotographsSettings,
    ),
    Benchmark("large_folders", "Time and memory for 500 to 50,000 images.", arguments.LargeFoldersSettings),
    Benchmark("distribute", "Vectors by Apache Beam against the plain way.", arguments.DistributeSettings),
    Benchmark("scale", "retrain.py on up to a million vectors in the cache.", arguments.ScaleSettings),
    Benchmark(
        "near_duplicates",
        "Altered copies of photos that are found, and the time for it.",
        arguments.NearDuplicatesSettings,
    ),
    Benchmark(
        "label_errors",
        "Wrong labels that are found, and right ones that are listed.",
        arguments.LabelErrorsSettings,
    ),
    Benchmark(
        "trend",
        "Accuracy against training images: the report's figures and whole trainings.",
        arguments.TrendSettings,
    ),
    Benchmark(
        "browser", "Pages for browsers: the answers in Chromium, and their speed.", arguments.BrowserSettings
    ),
    Benchmark(
        "calibration",
        "How far scores can be trusted, before and after calibration.",
        arguments.CalibrationSettings,
    ),
    Benchmark(
        "unknown", "Ways to tell images of no class: caught, and false alarms.", arguments.UnknownSettings
    ),
    Benchmark("choices", "The program's choices against their alternatives.", arguments.ChoicesSettings),
)


def run(words: Sequence[str]) -> None:
    """Run the benchmark named by the first word with the words after it, or list them all.

    Raises BadRequest if there is no such benchmark or it does not take these words.
    """
    if not words or words[0] in ("-h", "--help"):
        print(listing())
        return
    benchmark = named(words[0])
    settings = parse(benchmark.program(), words[1:])
    _configure_logging()
    benchmark.run_function()(settings)


def named(name: str) -> Benchmark:
    """Return the benchmark of this name. Raises BadRequest with the nearest name, or with all of them."""
    known = {benchmark.name: benchmark for benchmark in BENCHMARKS}
    if name not in known:
        near = nearest(name, known)
        remedy = did_you_mean(near[:1]) if near else f"Known: {', '.join(known)}."
        raise BadRequest("unknown benchmark '{name}'. {remedy}", name=name, remedy=remedy)
    return known[name]


def listing() -> str:
    """Return the lines that list every benchmark."""
    width = max(len(benchmark.name) for benchmark in BENCHMARKS)
    return "\n".join(
        [
            "usage: python -m benchmarks NAME ...",
            "",
            *(f"  {benchmark.name:{width}}  {benchmark.description}" for benchmark in BENCHMARKS),
            "",
            "`python -m benchmarks NAME --help` lists the arguments of one.",
        ]
    )


def _configure_logging() -> None:
    """Send what is being measured to standard error, and the program's own warnings where it sends them."""
    logs.configure_logging("WARN")  # what a run tells its user would stand between the rows of a table
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%H:%M:%S"))
    logger = logging.getLogger("benchmarks")
    logger.setLevel(logging.INFO)
    logger.handlers = [handler]


def _setting_name(name: str) -> str:
    return arguments.WORDS.get(name) or flag_name(name)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    words = sys.argv[1:] if argv is None else argv
    return console.finish(lambda: run(words), name="benchmarks", setting_name=_setting_name)


if __name__ == "__main__":
    sys.exit(main())
