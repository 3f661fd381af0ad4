"""What each benchmark takes: a group of settings, like those of the program's own commands.

No TensorFlow here: a mistake in an argument is answered at once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from retraining.settings import kinds
from retraining.settings.compare import LEARNING_RATES
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.kinds import Kind
from retraining.settings.module import AUTO, BUILTIN, BUILTIN_SMALL, ENGINES, PRECISIONS
from retraining.settings.output import OutputSettings
from retraining.settings.setting import REQUIRED, Settings, setting
from retraining.settings.training import TrainingSettings

# Settings that are given without a flag, and what stands for them in the help.
WORDS = {
    "folder": "FOLDER",
    "folders": "FOLDER",
    "others": "OTHER_FOLDER",
    "handle": "HANDLE",
    "handles": "HANDLE",
    "modules": "MODULE",
    "networks": "NAME",
    "count": "COUNT",
    "pages": "PAGE",
}


def _existing_folder(value: Any) -> Path:
    path: Path = kinds.FOLDER.convert(value)
    if not path.is_dir():
        raise ValueError("must be an existing folder")
    return path


def _whole_numbers(value: Any) -> tuple[int, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(map(kinds.COUNT.convert, parts))


def _handles(value: Any) -> tuple[str, ...]:
    parts = value.split(",") if isinstance(value, str) else value
    return tuple(map(kinds.HANDLE.convert, parts))


EXISTING_FOLDER = Kind("FOLDER", _existing_folder)
WHOLE_NUMBERS = Kind("N,N,...", _whole_numbers)
HANDLES = Kind("HANDLE,HANDLE,...", _handles)


def several(kind: Kind) -> Kind:
    """Return the kind of a list of values of a kind."""
    return Kind(kind.placeholder, lambda values: tuple(map(kind.convert, values)), is_list=True)


def _images(default: Any = REQUIRED) -> Any:
    return setting(default, "Folder with one sub-folder of images per class.", EXISTING_FOLDER)


def _handle(default: Any = REQUIRED, kind: Kind = kinds.HANDLE) -> Any:
    return setting(default, "Module, as for retrain.py {tfhub_module}.", kind)


def _repeat(default: int) -> Any:
    return setting(default, "Number of rounds.", kinds.COUNT)


@dataclasses.dataclass(frozen=True)
class BenchSettings(Settings):
    """The main table."""

    folder: Path | None = setting(
        None,
        "Folder with one sub-folder of images per class. Without it, images are drawn.",
        EXISTING_FOLDER,
    )
    tfhub_module: str = setting(BUILTIN, "Module, as for retrain.py.", kinds.HANDLE)
    repeat: int = _repeat(3)
    skip_memory: bool = setting(False, "Leave out peak memory, which takes 5,000 drawn images.", kinds.SWITCH)


@dataclasses.dataclass(frozen=True)
class StageSettings(Settings):
    """The bottleneck stage alone."""

    folder: Path = _images()
    handle: str = _handle()
    engine: str = setting(AUTO, "What computes the network.", kinds.one_of(AUTO, *ENGINES))
    precision: str = setting(AUTO, "What the network computes in.", kinds.one_of(AUTO, *PRECISIONS))
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class ModulesSettings(Settings):
    """Modules by handle, and one that is downloaded: `serve` is its folder."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    serve: Path | None = setting(
        None, "Folder of another module, to be downloaded as .tar.gz.", EXISTING_FOLDER
    )


@dataclasses.dataclass(frozen=True)
class PrecisionSettings(Settings):
    """bfloat16 against float32, for each handle."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class EnginesSettings(Settings):
    """Every engine that is installed, for each handle."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    repeat: int = _repeat(3)


@dataclasses.dataclass(frozen=True)
class AugmentedRunsSettings(Settings):
    """Augmented runs against plain ones."""

    folder: Path = _images()
    handle: str = _handle()
    skip_commands: bool = setting(False, "Leave out whole runs of retrain.py.", kinds.SWITCH)
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class FineTuningRunsSettings(Settings):
    """Fine-tuning against frozen networks, for each handle, on the images of a folder and on drawn ones."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    seeds: int = setting(3, "Number of splits, each by a seed of its own.", kinds.COUNT)
    testing_percentage: float = setting(30, "Percentage of images held out for the test.", kinds.PERCENTAGE)
    drawn_photos: int = setting(
        500, "Number of drawn photos, the second folder; 0 for none.", kinds.NON_NEGATIVE
    )
    fine_tune_blocks: int | str = setting(
        FineTuningSettings.fine_tune_blocks, "As for retrain.py.", kinds.COUNT_OR_EVERY
    )
    fine_tune_epochs: int = setting(FineTuningSettings.fine_tune_epochs, "As for retrain.py.", kinds.COUNT)
    fine_tune_learning_rate: float = setting(
        FineTuningSettings.fine_tune_learning_rate, "As for retrain.py.", kinds.POSITIVE_NUMBER
    )


@dataclasses.dataclass(frozen=True)
class NetworksSettings(Settings):
    """Networks from scratch, all of them if none is named. `image_size` None is each paper's."""

    networks: tuple[str, ...] = setting(
        (), "Network from scratch. Default: all of them.", several(kinds.NAME)
    )
    batch_size: int = setting(8, "Images per training step.", kinds.COUNT)
    image_size: int | None = setting(
        None, "Image size in pixels. Default: each paper's own.", kinds.IMAGE_SIZE
    )
    width: float = setting(1.0, "Share of the filters to keep.", kinds.SHARE)
    optimizer: str = setting("adam", "Optimizer.", kinds.one_of(*LEARNING_RATES))


@dataclasses.dataclass(frozen=True)
class LabellingSettings(Settings):
    """label_image.py in TensorFlow against LiteRT, on one image and on a folder."""

    folder: Path = setting(REQUIRED, "Folder of images.", EXISTING_FOLDER)
    graph: Path = setting(OutputSettings.output_graph, "Frozen graph.", kinds.FILE)
    labels: Path | None = setting(None, "Its labels, if they are not in it.", kinds.OPTIONAL_FILE)
    older: Path | None = setting(
        None, "The label_image.py of an older checkout, to compare with.", kinds.OPTIONAL_FILE
    )
    count: int = setting(500, "Number of images.", kinds.COUNT)
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class WarmSettings(Settings):
    """A second run of retrain.py against importing TensorFlow."""

    folder: Path = _images()
    handle: str = _handle(BUILTIN)
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class ReportSettings(Settings):
    """What the report costs."""

    folder: Path | None = setting(
        None,
        "Folder with one sub-folder of images per class. Without it, images are drawn.",
        EXISTING_FOLDER,
    )
    handle: str = _handle(BUILTIN)
    many: int = setting(50_000, "Number of images of the large report.", kinds.COUNT)
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class ScanSettings(Settings):
    """Scan and split of a folder of `count` images."""

    count: int = setting(50_000, "Number of images.", kinds.COUNT)
    repeat: int = _repeat(15)


@dataclasses.dataclass(frozen=True)
class ScaleSettings(Settings):
    """retrain.py on lists of these numbers of images, whose made-up vectors are in the cache."""

    handle: str = _handle(BUILTIN)
    counts: tuple[int, ...] = setting((10_000, 100_000, 1_000_000), "Numbers of images.", WHOLE_NUMBERS)
    classes: int = setting(100, "Number of classes.", kinds.COUNT)
    steps: int = setting(TrainingSettings.how_many_training_steps, "Number of training steps.", kinds.COUNT)
    memory_limit: int = setting(
        2048, "Megabytes that each process may use, besides what is mapped from files.", kinds.COUNT
    )


@dataclasses.dataclass(frozen=True)
class LargePhotographsSettings(Settings):
    """12-megapixel JPEGs: enlarged images of a folder, and drawn ones."""

    folder: Path = _images()
    handle: str = _handle()
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class LargeFoldersSettings(Settings):
    """retrain.py on folders of these numbers of images."""

    handle: str = _handle(BUILTIN_SMALL)
    counts: tuple[int, ...] = setting((500, 5_000, 50_000), "Numbers of images.", WHOLE_NUMBERS)


@dataclasses.dataclass(frozen=True)
class DistributeSettings(Settings):
    """Vectors by Apache Beam against the plain way, for images of a folder and for drawn ones."""

    folder: Path = _images()
    handle: str = _handle(BUILTIN)
    drawn_photos: int = setting(
        5_000, "Number of drawn photos, the second folder; 0 for none.", kinds.NON_NEGATIVE
    )
    repeat: int = _repeat(1)


@dataclasses.dataclass(frozen=True)
class NearDuplicatesSettings(Settings):
    """Altered copies of a folder's images, found by each module; proposals for these numbers of vectors."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    counts: tuple[int, ...] = setting((12_500, 25_000, 50_000), "Numbers of vectors.", WHOLE_NUMBERS)


@dataclasses.dataclass(frozen=True)
class LabelErrorsSettings(Settings):
    """Labels of a folder's images that are changed and found again, by the vectors of each module."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))
    seeds: int = setting(3, "Number of draws of the labels that are changed.", kinds.COUNT)
    flipped_percentage: float = setting(5, "Percentage of labels that are changed.", kinds.PERCENTAGE)


@dataclasses.dataclass(frozen=True)
class CalibrationSettings(Settings):
    """Calibration on the images of folders, on the same reduced, and on digits."""

    folders: tuple[Path, ...] = setting(
        REQUIRED, "Folder with one sub-folder of images per class.", several(EXISTING_FOLDER)
    )
    tfhub_modules: tuple[str, ...] = setting(
        (BUILTIN, BUILTIN_SMALL), "Modules, each as for retrain.py {tfhub_module}.", HANDLES
    )
    steps: tuple[int, ...] = setting(
        (TrainingSettings.how_many_training_steps,), "Numbers of training steps.", WHOLE_NUMBERS
    )
    learning_rate: float = setting(
        TrainingSettings.learning_rate, "As for retrain.py.", kinds.POSITIVE_NUMBER
    )
    splits: int = setting(5, "Number of splits, each by a seed of its own.", kinds.COUNT)


@dataclasses.dataclass(frozen=True)
class UnknownSettings(Settings):
    """Unknown images: each class left out in turn, those of other folders, digits and parts of photos."""

    folder: Path = _images()
    others: tuple[Path, ...] = setting((), "Folder of images of other things.", several(EXISTING_FOLDER))
    tfhub_modules: tuple[str, ...] = setting(
        (BUILTIN, BUILTIN_SMALL), "Modules, each as for retrain.py {tfhub_module}.", HANDLES
    )
    splits: int = setting(3, "Number of splits, each by a seed of its own.", kinds.COUNT)


@dataclasses.dataclass(frozen=True)
class TrendSettings(Settings):
    """Accuracy against training images, by the vectors of each module."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(kind=several(kinds.HANDLE))


@dataclasses.dataclass(frozen=True)
class ChoicesSettings(Settings):
    """Choices and their alternatives, for images of a folder and for modules that are folders."""

    folder: Path = _images()
    modules: tuple[Path, ...] = setting(REQUIRED, "Folder of a module.", several(EXISTING_FOLDER))
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class BrowserSettings(Settings):
    """Pages for browsers, on photos of a folder."""

    folder: Path = _images()
    pages: tuple[Path, ...] = setting(
        REQUIRED, "Folder of a page, as the format html writes it.", several(EXISTING_FOLDER)
    )
    graph: Path | None = setting(
        None,
        "Frozen graph with whose answers those of the pages are compared. Default: the model in each page.",
        kinds.OPTIONAL_FILE,
    )
    photos: int = setting(100, "Number of photos.", kinds.COUNT)
