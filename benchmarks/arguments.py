"""What each benchmark takes: a dataclass whose fields are its arguments, and how words become them.

No TensorFlow here: a mistake in an argument is answered at once.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from retraining.graphs.precision import FLOAT32, PRECISIONS
from retraining.modules.catalogue import BUILTIN
from retraining.settings import flags
from retraining.settings.options import LEARNING_RATES

Settings = TypeVar("Settings")


def existing_folder(text: str) -> Path:
    """Return the path of a folder that exists."""
    path = flags.path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"must be an existing folder, received '{text}'")
    return path


def whole_numbers(text: str) -> tuple[int, ...]:
    """Return whole numbers of at least 1, separated by commas."""
    return tuple(map(flags.count, text.split(",")))


def flag(default: Any, meaning: str, kind: Callable[[str], Any], *, metavar: str = "N") -> Any:
    """Return a dataclass field that is given as `--name VALUE`."""
    return dataclasses.field(default=default, metadata={"help": meaning, "type": kind, "metavar": metavar})


def switch(meaning: str) -> Any:
    """Return a dataclass field that is True if `--name` is given."""
    return dataclasses.field(default=False, metadata={"help": meaning, "action": "store_true"})


def positional(
    metavar: str,
    meaning: str,
    kind: Callable[[str], Any],
    *,
    default: Any = dataclasses.MISSING,
    many: bool = False,
) -> Any:
    """Return a dataclass field that is given as a word without a flag, or as `many` of them.

    It is required unless there is a default.
    """
    is_required = default is dataclasses.MISSING
    nargs = ("+" if is_required else "*") if many else (None if is_required else "?")
    metadata = {"help": meaning, "type": kind, "metavar": metavar, "nargs": nargs, "positional": True}
    return dataclasses.field(default=default, metadata=metadata)


def _images(default: Any = dataclasses.MISSING, *, otherwise: str = "") -> Any:
    return positional(
        "FOLDER",
        f"folder with one sub-folder of images per class{otherwise}",
        existing_folder,
        default=default,
    )


def _handle(**settings: Any) -> Any:
    return positional("HANDLE", "module, as for retrain.py --tfhub_module", str, **settings)


def _repeat(default: int) -> Any:
    return flag(default, "number of rounds", flags.count)


@dataclasses.dataclass(frozen=True)
class BenchSettings:
    """The main table. Without a folder, images are drawn."""

    folder: Path | None = _images(None, otherwise="; without it, images are drawn")
    tfhub_module: str = flag(BUILTIN, "module, as for retrain.py", str, metavar="HANDLE")
    repeat: int = _repeat(3)
    skip_memory: bool = switch("leave out peak memory, which takes 5,000 drawn images")


@dataclasses.dataclass(frozen=True)
class StageSettings:
    """The bottleneck stage alone."""

    folder: Path = _images()
    handle: str = _handle()
    precision: str = flag(
        FLOAT32, "what the network computes in", flags.one_of(*PRECISIONS), metavar="|".join(PRECISIONS)
    )
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class ModulesSettings:
    """Modules by handle, and one that is downloaded: `serve` is its folder."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(many=True)
    serve: Path | None = flag(
        None,
        "folder of another module, to be downloaded as .tar.gz",
        existing_folder,
        metavar="MODULE_FOLDER",
    )


@dataclasses.dataclass(frozen=True)
class PrecisionSettings:
    """bfloat16 against float32, for each handle."""

    folder: Path = _images()
    handles: tuple[str, ...] = _handle(many=True)
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class AugmentationSettings:
    """Distorted runs against plain ones."""

    folder: Path = _images()
    handle: str = _handle()
    skip_commands: bool = switch("leave out whole runs of retrain.py")
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class NetworksSettings:
    """Networks from scratch, all of them if none is named. `image_size` None is each paper's."""

    networks: tuple[str, ...] = positional(
        "NAME", "network from scratch; all of them by default", str, default=(), many=True
    )
    batch_size: int = flag(8, "images per training step", flags.count)
    image_size: int | None = flag(None, "image size in pixels; each paper's own by default", flags.image_size)
    width: float = flag(1.0, "share of the filters to keep", flags.share, metavar="SHARE")
    optimizer: str = flag(
        "adam", "optimizer", flags.one_of(*LEARNING_RATES), metavar="|".join(LEARNING_RATES)
    )


@dataclasses.dataclass(frozen=True)
class ScanSettings:
    """Scan and split of a folder of `count` images."""

    count: int = positional("COUNT", "number of images", flags.count, default=50_000)
    repeat: int = _repeat(15)


@dataclasses.dataclass(frozen=True)
class LargePhotographsSettings:
    """12-megapixel JPEGs: enlarged images of a folder, and drawn ones."""

    folder: Path = _images()
    handle: str = _handle()
    repeat: int = _repeat(5)


@dataclasses.dataclass(frozen=True)
class LargeFoldersSettings:
    """retrain.py on folders of these numbers of images."""

    handle: str = _handle(default=BUILTIN)
    counts: tuple[int, ...] = flag(
        (500, 5_000, 50_000), "numbers of images", whole_numbers, metavar="N,N,..."
    )


@dataclasses.dataclass(frozen=True)
class ChoicesSettings:
    """Choices and their alternatives, for images of a folder and for modules that are folders."""

    folder: Path = _images()
    modules: tuple[Path, ...] = positional("MODULE", "folder of a module", existing_folder, many=True)
    repeat: int = _repeat(5)


class _Parser(flags.Parser):
    """The program's own parser, for words without a flag too."""

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        # Intermixed: FOLDER may come after the flags, where argparse's usual way overlooks it.
        values, unknown = self.parse_known_intermixed_args(argv)
        if unknown:
            self._refuse(unknown[0])
        return values

    def error(self, message: str) -> NoReturn:
        super().error(re.sub(r"^argument ([A-Z]+): ", r"\1 ", message))


def parse(settings: type[Settings], *, name: str, description: str, words: Sequence[str]) -> Settings:
    """Return the settings of the benchmark `name` from its words. Raises BadRequest."""
    parser = _Parser(prog=f"python -m benchmarks {name}", description=description)
    for field in dataclasses.fields(settings):  # type: ignore[arg-type]
        _add(parser, field)
    given = vars(parser.parse(words))
    return settings(
        **{key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
    )


def _add(parser: argparse.ArgumentParser, field: dataclasses.Field[Any]) -> None:
    declared = dict(field.metadata)
    word = field.name if declared.pop("positional", False) else f"--{field.name}"
    if field.default not in (dataclasses.MISSING, None, (), False):
        declared["help"] += f" (default: {_shown(field.default)})"
    if field.default is not dataclasses.MISSING:
        declared["default"] = field.default
    parser.add_argument(word, **declared)


def _shown(default: object) -> str:
    return ",".join(map(str, default)) if isinstance(default, tuple) else str(default)
