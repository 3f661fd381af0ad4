"""Settings of distribute."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.settings import kinds
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import SplitSettings, check_source
from retraining.settings.module import ExtractorSettings, ModuleSettings
from retraining.settings.output import LOG_LEVELS, OutputSettings
from retraining.settings.setting import Settings, fields, setting
from retraining.settings.training import TrainingSettings


@dataclasses.dataclass(frozen=True)
class ListedDataSettings(SplitSettings):
    """The images, and how they are split into sets."""

    image_dir: str | None = setting(
        None,
        "Folder of images as retrain.py takes it, on this computer or in a store (gs://, s3://, hdfs://). "
        "ZIP and TAR files in it are folders too.",
        kinds.FOLDER_OR_ADDRESS,
    )
    image_list: str | None = setting(
        None,
        "List of images instead: CSV or JSON lines with path and label of each, and perhaps its set.",
        kinds.FILE_OR_ADDRESS,
    )

    def check(self) -> None:
        """Raise BadRequest unless there is either a folder or a list, and images are left for training."""
        check_source(self.image_dir, self.image_list)
        super().check()

    @property
    def folder(self) -> str:
        """The folder of images, if they are not those of a list."""
        assert self.image_dir is not None, "checked when the settings were made"
        return self.image_dir


@dataclasses.dataclass(frozen=True)
class SharedModuleSettings(ExtractorSettings):
    """The pretrained network."""

    bottleneck_dir: str = setting(
        str(ModuleSettings.bottleneck_dir),
        "Cache of feature vectors, which all workers can write to: a folder, or an address in a store.",
        kinds.FOLDER_OR_ADDRESS,
    )

    def local(self) -> ModuleSettings:
        """Return the settings with which this computer loads the network."""
        given = {field.name: getattr(self, field.name) for field in fields(ExtractorSettings)}
        # Networks that were loaded once are kept there.
        is_folder = "://" not in self.bottleneck_dir
        folder = Path(self.bottleneck_dir) if is_folder else ModuleSettings.bottleneck_dir
        return ModuleSettings(**given, bottleneck_dir=folder)


@dataclasses.dataclass(frozen=True)
class DistributedRunSettings(Settings):
    """The run."""

    seed: int = setting(
        TrainingSettings.seed,
        "Random seed of the views of training images: that of retrain.py.",
        kinds.NON_NEGATIVE,
    )
    output_dir: str | None = setting(
        None,
        "Folder of the lists of usable images and of skipped files. Default: {bottleneck_dir}.",
        kinds.FOLDER_OR_ADDRESS,
    )
    worker_threads: int | None = setting(
        None,
        "How many processors each worker process uses. Default: its share of this computer's, and 1 "
        "elsewhere, where there is a process for each processor.",
        kinds.COUNT,
    )
    dry_run: bool = setting(
        False,
        "List the images, load the network, and show what would be run and where, without running it.",
        kinds.SWITCH,
    )
    logging_verbosity: str = setting(
        OutputSettings.logging_verbosity,
        f"One of {' '.join(LOG_LEVELS)}; DEBUG also prints all that Beam says of a failure.",
        kinds.one_of(*LOG_LEVELS, placeholder="LEVEL"),
    )
    beam_flags: tuple[str, ...] = setting((), "Flags of Apache Beam, which say where to run.", kinds.WORDS)


@dataclasses.dataclass(frozen=True)
class DistributeSettings:
    """All settings of distribute, by group."""

    data: ListedDataSettings
    module: SharedModuleSettings
    augmentation: AugmentationSettings
    run: DistributedRunSettings

    @property
    def output_dir(self) -> str:
        """The folder of the lists that are written."""
        return self.run.output_dir or self.module.bottleneck_dir

    def shared(self) -> dict[str, str]:
        """Return the folders and files that all workers use, by their settings."""
        given = {
            "image_dir": self.data.image_dir,
            "image_list": self.data.image_list,
            "bottleneck_dir": self.module.bottleneck_dir,
            "output_dir": self.run.output_dir,
        }
        return {name: path for name, path in given.items() if path is not None}

    def folders(self) -> dict[str, Path]:
        """Return the folders on this computer that are written, by their settings."""
        given = {"bottleneck_dir": self.module.bottleneck_dir, "output_dir": self.run.output_dir}
        return {name: Path(path) for name, path in given.items() if path and "://" not in path}

    def outputs(self) -> tuple[Path, ...]:
        """Return the folders on this computer that are written."""
        return tuple(self.folders().values())
