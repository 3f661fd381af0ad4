"""A second run of retrain.py, whose feature vectors are all in the cache, against importing TensorFlow.

Both are whole processes, and take turns. What the first run does is done once, before. The report, which has
a benchmark of its own, is left out.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks import commands
from benchmarks.arguments import WarmSettings
from benchmarks.commands import IMPORT_TENSORFLOW, Paths
from benchmarks.figures import Figure, Rounds, print_figures

SHARE = 1.3  # of the time that importing TensorFlow takes, at most


def run(settings: WarmSettings) -> None:
    """Measure and print the times and their ratio."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        words = [*Paths(settings.folder, Path(scratch)).retrain(settings.handle), "--report=none"]
        commands.run(words)
        rounds = [
            (commands.run(words).seconds, commands.run(IMPORT_TENSORFLOW).seconds)
            for _ in range(settings.repeat)
        ]
    share = Rounds.of(warm / imported for warm, imported in rounds)
    print_figures(
        [
            Figure("retrain.py, second run", Rounds.of(warm for warm, _ in rounds).as_duration()),
            Figure(
                "`python -c 'import tensorflow'`",
                Rounds.of(imported for _, imported in rounds).as_duration(),
            ),
            Figure(
                "second run against the import",
                f"{share.median:.2f} times (best {share.lowest:.2f})",
                f"<= {SHARE:g} times",
                share.median <= SHARE,
            ),
        ]
    )
