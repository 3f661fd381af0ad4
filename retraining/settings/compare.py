"""Settings of compare."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest, setting_named
from retraining.settings import architectures, kinds
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.export import ExportSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.setting import Settings, setting
from retraining.settings.training import TrainingSettings

# The optimizers for networks that are trained from scratch, each with a learning rate that works well.
LEARNING_RATES = {"adagrad": 0.01, "adam": 0.001, "rmsprop": 0.001, "sgd": 0.01}


@dataclasses.dataclass(frozen=True)
class ComparisonSettings(Settings):
    """The models to compare, and how they are trained."""

    models: tuple[str, ...] = setting(
        (),
        "Models to compare, separated by commas: modules, as {tfhub_module} of retrain.py takes them, and "
        f"networks trained from scratch: {', '.join(architectures.NAMES)}.",
        kinds.NAMES,
    )
    optimizer: tuple[str, ...] = setting(
        ("adam",),
        f"One or more of {', '.join(LEARNING_RATES)}; each network is trained once with each of them.",
        kinds.NAMES,
    )
    learning_rate: float | None = setting(
        None,
        "Learning rate of the networks. Default: one that suits the optimizer.",
        kinds.POSITIVE_NUMBER,
    )
    epochs: int = setting(30, "How often a network sees every training image.", kinds.COUNT)
    batch_size: int = setting(32, "Number of images in a training step of a network.", kinds.COUNT)
    image_size: int | None = setting(
        None,
        "Height and width in pixels of the networks' images. Default: the size in each network's paper.",
        kinds.IMAGE_SIZE,
    )
    width: float = setting(
        1.0, "Share of the networks' filters to keep: 0.25 for a thin version.", kinds.SHARE
    )
    how_many_training_steps: int = setting(
        TrainingSettings.how_many_training_steps,
        "Training steps of a module's new layer, spread over the epochs.",
        kinds.AT_LEAST_TWO,
    )
    seed: int = setting(0, "Random seed: same images and same seed, same weights.", kinds.NON_NEGATIVE)
    bottleneck_dir: Path = setting(
        ModuleSettings.bottleneck_dir, "Cache of feature vectors, reused by later runs.", kinds.FOLDER
    )
    output_dir: Path = setting(
        Path("/tmp/compare"),
        "Folder for the curves, the table, the logs, the networks and the winner.",
        kinds.FOLDER,
    )

    def check(self) -> None:
        """Raise BadRequest if no model is named, a name is given twice, or a network cannot be built."""
        if not self.models:
            raise BadRequest("{models} is required: the models to compare, separated by commas.")
        for name in ("models", "optimizer"):
            _check_named_once(name, getattr(self, name))
        for optimizer in self.optimizer:
            if optimizer not in LEARNING_RATES:
                raise BadRequest(
                    "{optimizer} must be one of {known}, received '{received}'.",
                    known=", ".join(LEARNING_RATES),
                    received=optimizer,
                )
        for network in self.networks:
            architectures.image_size_of(network, self.image_size)

    @property
    def networks(self) -> tuple[str, ...]:
        """The models that are trained from scratch."""
        return tuple(model for model in self.models if model in architectures.NAMES)

    @property
    def modules(self) -> tuple[str, ...]:
        """The models that are pretrained modules, by their handles."""
        return tuple(model for model in self.models if model not in architectures.NAMES)

    def module(self, handle: str) -> ModuleSettings:
        """Return the settings of the module that `handle`, one of `modules`, names."""
        return ModuleSettings(tfhub_module=handle, bottleneck_dir=self.bottleneck_dir)


def _check_named_once(name: str, values: tuple[str, ...]) -> None:
    twice = next((value for value in values if values.count(value) > 1), None)
    if twice:
        raise BadRequest(
            "{setting} names '{twice}' twice. Name it once.", setting=setting_named(name), twice=twice
        )


@dataclasses.dataclass(frozen=True)
class CompareSettings:
    """All settings of compare, by group."""

    data: DataSettings
    comparison: ComparisonSettings
    augmentation: AugmentationSettings
    export: ExportSettings

    def __post_init__(self) -> None:
        """Raise BadRequest if a module is to be trained on views that are never stored."""
        modules = self.comparison.modules
        if modules and self.augmentation.are_fresh():
            raise BadRequest(
                "{distorted_views} must be at least 1 for modules, whose feature vectors are stored, "
                "received 0 with '{module}'.",
                module=modules[0],
            )

    def outputs(self) -> tuple[Path, ...]:
        """Return every folder that is written."""
        return (self.comparison.output_dir, self.comparison.bottleneck_dir)
