"""All settings of a retraining."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.export import ExportSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.output import OutputSettings
from retraining.settings.training import TrainingSettings


@dataclasses.dataclass(frozen=True)
class RetrainSettings:
    """All settings of retrain.py, by group."""

    data: DataSettings
    module: ModuleSettings
    augmentation: AugmentationSettings
    training: TrainingSettings
    fine_tuning: FineTuningSettings
    output: OutputSettings
    export: ExportSettings

    def outputs(self) -> tuple[Path, ...]:
        """Return every file and folder that is written, the cache of feature vectors included."""
        kept = () if self.module.model_dir is None else (self.module.model_dir,)
        exported = self.export.paths(self.output.output_graph)
        return (*self.output.paths(), *exported, self.module.bottleneck_dir, *kept)
