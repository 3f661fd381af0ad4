"""Training with all that retrain.py prints and logs for TensorBoard, against the bare loop."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.figures import Figure, Rounds, rate
from retraining.cli import log_lines
from retraining.export import writer
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.settings.output import OutputSettings
from retraining.settings.training import TrainingSettings
from retraining.training import trainer
from retraining.training.tensorboard import SummaryWriter
from retraining.training.trainer import TrainingStep

REPORTED_TIMES = 3.0  # the time of the bare loop, at most

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Round:
    """Training steps per second."""

    bare: float
    reported: float

    @property
    def times_slower(self) -> float:
        """How many times as long the steps take with reports."""
        return self.bare / self.reported


def measure(vectors: Bottlenecks, extractor: FeatureExtractor, *, repeat: int) -> tuple[Round, ...]:
    """Return `repeat` rounds of a default training."""
    options = TrainingSettings()
    trainer.train(vectors, dataclasses.replace(options, how_many_training_steps=100))  # to warm up
    rounds = []
    for number in range(1, repeat + 1):
        log.info("training: round %d of %d", number, repeat)
        steps = options.how_many_training_steps
        bare = rate(steps, lambda: trainer.train(vectors, options))
        rounds.append(Round(bare, rate(steps, lambda: _train_reported(vectors, options, extractor))))
    return tuple(rounds)


def _train_reported(vectors: Bottlenecks, options: TrainingSettings, extractor: FeatureExtractor) -> None:
    """Train as retrain.py does, its lines going nowhere."""
    with (
        tempfile.TemporaryDirectory(prefix="bench_") as folder,
        Path(os.devnull).open("w") as nowhere,
        contextlib.redirect_stdout(nowhere),
        SummaryWriter(Path(folder)) as tensorboard,
    ):

        def report(state: TrainingStep) -> None:
            log_lines.training_step(state)
            tensorboard.add_report(state)

        store = writer.IntermediateGraphs(extractor, OutputSettings())
        trainer.train(vectors, options, store=store, on_report=report)


def training_figures(rounds: Sequence[Round]) -> list[Figure]:
    """Return the rows on training."""
    bare, reported = Rounds.of(each.bare for each in rounds), Rounds.of(each.reported for each in rounds)
    slower = Rounds.of(each.times_slower for each in rounds)
    return [
        Figure("training, bare loop", bare.as_rate("steps/s")),
        Figure("training with reports and TensorBoard", reported.as_rate("steps/s")),
        Figure(
            "time with reports, against bare",
            f"{slower.median:.2f} times (best {slower.lowest:.2f})",
            f"<= {REPORTED_TIMES:g} times",
            slower.median <= REPORTED_TIMES,
        ),
    ]
