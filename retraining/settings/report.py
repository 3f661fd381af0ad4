"""Settings of a report on a graph that an earlier run wrote."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.data import DataSettings
from retraining.settings.module import AUTO, ENGINES, ModuleSettings
from retraining.settings.output import REPORT_FILE, OutputSettings
from retraining.settings.setting import Settings, setting
from retraining.settings.training import TrainingSettings


@dataclasses.dataclass(frozen=True)
class ReportSettings(Settings):
    """The graph, and where the report goes."""

    graph: Path = setting(OutputSettings.output_graph, "The frozen graph that retrain.py wrote.", kinds.FILE)
    labels: Path | None = setting(
        None, "Its labels, one per line, in order. Default: those in the graph.", kinds.OPTIONAL_FILE
    )
    report: Path = setting(
        OutputSettings.summaries_dir / REPORT_FILE,
        "The report; the list of suspected labels goes beside it.",
        kinds.FILE,
    )
    bottleneck_dir: Path = setting(
        ModuleSettings.bottleneck_dir, "Cache of feature vectors, reused by later reports.", kinds.FOLDER
    )
    engine: str = setting(
        AUTO,
        f"What computes the feature vectors: auto, or one of {', '.join(ENGINES)}.",
        kinds.one_of(AUTO, *ENGINES),
    )
    how_many_training_steps: int = setting(
        TrainingSettings.how_many_training_steps,
        "Training steps of the run that wrote the graph: the layers that judge labels are trained for as "
        "long.",
        kinds.COUNT,
    )
    learning_rate: float = setting(
        TrainingSettings.learning_rate, "Learning rate of that run.", kinds.POSITIVE_NUMBER
    )
    seed: int = setting(
        TrainingSettings.seed, "Random seed: same images and same seed, same report.", kinds.NON_NEGATIVE
    )


@dataclasses.dataclass(frozen=True)
class ReportOnGraphSettings:
    """All settings of a report on a graph, by group."""

    data: DataSettings
    report: ReportSettings

    def outputs(self) -> tuple[Path, ...]:
        """Return every file and folder that is written, the cache of feature vectors included."""
        page = self.report.report
        return (page, page.parent / "suspected_labels.csv", self.report.bottleneck_dir)
