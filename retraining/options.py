"""Every flag, once: its name, default, check and help. No TensorFlow here.

A flag is a field of one of the frozen dataclasses below, so that the default that `--help` shows, the
one the README is tested against and the one the code uses are the same object.
"""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import math
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from retraining import catalogue, places
from retraining.catalogue import DEFAULT_MODULE, module_of_architecture
from retraining.console import LEVELS
from retraining.errors import BadRequest
from retraining.precision import FLOAT32, PRECISIONS

ALL = -1  # as a batch size: the whole set

Options = TypeVar("Options")
Number = TypeVar("Number", int, float)


def _flag(default: Any, meaning: str, parse: Callable[[str], Any], **argparse_settings: Any) -> Any:
    """Return a dataclass field that is also a command-line flag."""
    metadata = {"help": meaning, "parse": parse, "argparse": argparse_settings}
    return dataclasses.field(default=default, metadata=metadata)


# Far above all that anyone means, and below what fills the memory or runs for ever.
MAX_COUNT = 10**9
MAX_BATCH_SIZE = 10**6
MAX_IMAGE_SIZE = 4096
MAX_VIEWS = 1000


def _refused(text: str, rule: str) -> argparse.ArgumentTypeError:
    value = text if len(text) <= 60 else f"{text[:60]}..."
    return argparse.ArgumentTypeError(f"must be {rule}, received '{value}'")


def _number(text: str, kind: Callable[[str], Number], rule: str, holds: Callable[[Number], bool]) -> Number:
    try:
        value = kind(text)
    except ValueError:
        pass
    else:
        if holds(value):  # false for NaN, whatever is compared
            return value
    raise _refused(text, rule)


def _percentage(text: str) -> float:
    return _number(text, float, "a percentage from 0 to 100", lambda value: 0 <= value <= 100)


def _positive_number(text: str) -> float:
    return _number(text, float, "a number greater than 0", lambda value: 0 < value < math.inf)


def _finite_number(text: str) -> float:
    return _number(text, float, "a number", math.isfinite)


def _whole(text: str, least: int, most: int) -> int:
    value = _number(text, int, f"a whole number of at least {least}", lambda value: value >= least)
    if value > most:
        raise _refused(text, f"a whole number of at most {most}")
    return value


def _count(text: str) -> int:
    return _whole(text, 1, MAX_COUNT)


def _count_or_none(text: str) -> int:
    return _whole(text, 0, MAX_COUNT)


def _image_size(text: str) -> int:
    return _whole(text, 1, MAX_IMAGE_SIZE)


def _view_count(text: str) -> int:
    return _whole(text, 1, MAX_VIEWS)


def _batch_size(text: str) -> int:
    return _number(
        text,
        int,
        f"a whole number from 1 to {MAX_BATCH_SIZE}, or {ALL} for the whole set",
        lambda value: 1 <= value <= MAX_BATCH_SIZE or value == ALL,
    )


def _boolean(text: str) -> bool:
    """Accept True and False after the flag: in the old script `--flag False` switched it on."""
    try:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[text.lower()]
    except KeyError:
        raise _refused(text, "True or False") from None


def _path(text: str) -> Path:
    if not text:
        raise _refused(text, "a path")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~name of a user who does not exist
        raise _refused(text, "a path whose ~ stands for a user's folder") from None


def _optional_path(text: str) -> Path | None:
    return _path(text) if text else None


def _op_name(text: str) -> str:
    """Accept what TensorFlow accepts as the name of an op, less what the exported graph uses."""
    if not re.fullmatch(r"[A-Za-z0-9.][A-Za-z0-9_.\-]*", text):
        raise _refused(text, "letters, digits, '_', '.' or '-', beginning with a letter or digit")
    if text.lower() in {name.lower() for name in RESERVED_OP_NAMES}:  # TensorFlow tells no case apart here
        raise argparse.ArgumentTypeError(f"must not be '{text}', which the exported graph uses itself")
    return text


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise _refused(text, f"one of {' '.join(names)}")
        return text

    return parse


# The exported graph's own names beside the result: its input, the module's scope, the new layer's.
RESERVED_OP_NAMES = ("Placeholder", "module", "final_layer")

# What a frozen graph may come in; only there is it for the user to say how it is read.
GRAPH_FILE_SUFFIXES = (".pb", ".tar.gz", ".tgz", ".tar")

_SWITCH = {"nargs": "?", "const": True, "metavar": "True|False"}


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The photographs and how they are shared out."""

    image_dir: Path = _flag(None, "Root with one sub-folder of images per class.", _path, metavar="DIR")
    testing_percentage: float = _flag(10, "Percentage of images kept for the final test.", _percentage)
    validation_percentage: float = _flag(
        10, "Percentage of images kept for validation while training.", _percentage
    )
    strict: bool = _flag(
        False, "End the run if any file cannot be used, after listing all.", _boolean, **_SWITCH
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        if self.image_dir is None:
            raise BadRequest("--image_dir is required: the folder with one sub-folder of images per class.")
        held_out = self.testing_percentage + self.validation_percentage
        if held_out >= 100:
            raise BadRequest(
                "--testing_percentage and --validation_percentage must leave a share for training, "
                f"received {self.testing_percentage:g} + {self.validation_percentage:g} = {held_out:g}. "
                "Lower one of them."
            )


@dataclasses.dataclass(frozen=True)
class ModuleOptions:
    """The pretrained network."""

    tfhub_module: str = _flag(
        DEFAULT_MODULE,
        "The network that turns an image into a feature vector: a name of --list_modules, the address of "
        "a module on tfhub.dev or Kaggle Models, a module's folder or .tar.gz, a frozen graph (.pb), "
        "keras:NAME, or 'builtin', the small module that ships with this program.",
        str,
        metavar="HANDLE",
    )
    architecture: str = _flag(
        "",
        "Flag of the older script: 'inception_v3' or 'mobilenet_<width>_<image size>' for the Hub "
        "module of that network.",
        str,
        metavar="NAME",
    )
    model_dir: Path | None = _flag(
        None,
        "Flag of the older script: folder in which downloaded modules are kept. Without it, that of "
        "the environment variable TFHUB_CACHE_DIR, else a temporary folder.",
        _optional_path,
        metavar="DIR",
    )
    image_size: int | None = _flag(
        None,
        "Height and width in pixels, for a network that takes any; others record their own.",
        _image_size,
    )
    input_tensor_name: str | None = _flag(
        None, "Input of a frozen graph (.pb) that is not a known one.", str, metavar="NAME"
    )
    bottleneck_tensor_name: str | None = _flag(
        None, "Feature vector, or class scores to use as one, in a frozen graph (.pb).", str, metavar="NAME"
    )
    input_mean: float | None = _flag(
        None, "Taken from each pixel value of 0 to 255 for a frozen graph (.pb).", _finite_number
    )
    input_std: float | None = _flag(
        None, "Each pixel value is then divided by this for a frozen graph (.pb).", _positive_number
    )
    precision: str = _flag(
        FLOAT32,
        f"What the network computes feature vectors in, {' or '.join(PRECISIONS)}; the exported graph keeps "
        "to float32.",
        _one_of(*PRECISIONS),
        metavar="NAME",
    )
    bottleneck_dir: Path = _flag(
        Path("/tmp/bottleneck"), "Cache of feature vectors, reused by later runs.", _path, metavar="DIR"
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        if not self.tfhub_module:
            raise BadRequest("--tfhub_module must name a module, received ''.")
        if self.architecture and self.tfhub_module != DEFAULT_MODULE:
            raise BadRequest(
                "--architecture and --tfhub_module both name the network, received "
                f"'{self.architecture}' and '{self.tfhub_module}'. Keep one of them."
            )
        given = (
            flag
            for flag in ("input_tensor_name", "bottleneck_tensor_name", "input_mean", "input_std")
            if getattr(self, flag) is not None
        )
        places.check_folder("--bottleneck_dir", self.bottleneck_dir)
        if self.model_dir is not None:
            places.check_folder("--model_dir", self.model_dir)
        flag, handle = next(given, None), self.handle()
        if flag and not handle.endswith(GRAPH_FILE_SUFFIXES):
            raise BadRequest(
                f"--{flag} is for a frozen graph (.pb); the module is '{handle}'. Leave the flag out."
            )

    def handle(self) -> str:
        """Return the one handle that the flags come to, an alias as its address.

        Raises BadRequest for an unknown name.
        """
        if self.architecture:
            return module_of_architecture(self.architecture)
        name = self.tfhub_module
        is_file = name.endswith(GRAPH_FILE_SUFFIXES) or Path(name).exists()
        return catalogue.resolve(name) if catalogue.is_alias_like(name) and not is_file else name


@dataclasses.dataclass(frozen=True)
class DistortionOptions:
    """Random views of the training images."""

    flip_left_right: bool = _flag(False, "Mirror half of the views.", _boolean, **_SWITCH)
    random_crop: float = _flag(0, "Percentage by which views are scaled up and then cut.", _percentage)
    random_scale: float = _flag(0, "Largest percentage of a further random scaling up.", _percentage)
    random_brightness: float = _flag(0, "Largest percentage of a random change in brightness.", _percentage)
    distorted_views: int = _flag(
        8, "Views that are drawn of each training image if any of these flags is on.", _view_count
    )

    def are_on(self) -> bool:
        """Return whether views are drawn at all."""
        return self.flip_left_right or any((self.random_crop, self.random_scale, self.random_brightness))

    def setting(self) -> str:
        """Return what a view depends on beside its image and its number."""
        scales = (
            f"crop {self.random_crop:g} scale {self.random_scale:g} brightness {self.random_brightness:g}"
        )
        return f"flip {self.flip_left_right} {scales}"


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The training of the new layer."""

    how_many_training_steps: int = _flag(4000, "Number of training steps.", _count)
    learning_rate: float = _flag(0.01, "Learning rate of plain gradient descent.", _positive_number)
    eval_step_interval: int = _flag(10, "Steps between two reports.", _count)
    train_batch_size: int = _flag(100, "Images of one training step; -1 for all.", _batch_size)
    validation_batch_size: int = _flag(
        100, "Images of one validation; -1 for the whole validation set.", _batch_size
    )
    test_batch_size: int = _flag(-1, "Images of the final test; -1 for the whole test set.", _batch_size)
    seed: int = _flag(0, "Seed of all that is drawn: same images and seed, same graph.", _count_or_none)


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What the run writes and prints."""

    output_graph: Path = _flag(
        Path("/tmp/output_graph.pb"),
        "The retrained network, module and new layer in one file.",
        _path,
        metavar="FILE",
    )
    output_labels: Path = _flag(
        Path("/tmp/output_labels.txt"), "Its labels, one per line, in order.", _path, metavar="FILE"
    )
    saved_model_dir: Path | None = _flag(
        None, "Also export a SavedModel into this folder.", _optional_path, metavar="DIR"
    )
    final_tensor_name: str = _flag(
        "final_result", "Name of the softmax op in the exported graph.", _op_name, metavar="NAME"
    )
    summaries_dir: Path = _flag(Path("/tmp/retrain_logs"), "Logs for TensorBoard.", _path, metavar="DIR")
    intermediate_output_graphs_dir: Path = _flag(
        Path("/tmp/intermediate_graph/"), "Folder of the intermediate graphs.", _path, metavar="DIR"
    )
    intermediate_store_frequency: int = _flag(
        0, "Steps between two intermediate graphs; 0 for none.", _count_or_none
    )
    checkpoint_path: Path = _flag(
        Path("/tmp/_retrain_checkpoint"),
        "Prefix of the new layer's checkpoint files.",
        _path,
        metavar="PREFIX",
    )
    print_misclassified_test_images: bool = _flag(
        False, "List the test images that were classified wrongly.", _boolean, **_SWITCH
    )
    logging_verbosity: str = _flag("INFO", f"One of {' '.join(LEVELS)}.", _one_of(*LEVELS), metavar="LEVEL")

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        files = self._files()
        for flag, path in files.items():
            places.check_file(flag, path)
        folders = self._folders()
        for flag, path in folders.items():
            places.check_folder(flag, path)
        places.check_apart(files, folders)
        if self.saved_model_dir is not None:
            _check_saved_model_dir(self.saved_model_dir, files | folders)

    def paths(self) -> tuple[Path, ...]:
        """Return every file and folder that is written."""
        return (*self._files().values(), *self._folders().values())

    def _files(self) -> dict[str, Path]:
        checkpoint = self.checkpoint_path
        return {
            "--output_graph": self.output_graph,
            "--output_labels": self.output_labels,
            "--checkpoint_path": checkpoint.with_name(f"{checkpoint.name}.index"),
            "the data of --checkpoint_path": checkpoint.with_name(f"{checkpoint.name}.data-00000-of-00001"),
        }

    def _folders(self) -> dict[str, Path]:
        folders = {
            "--summaries_dir": self.summaries_dir,
            "--intermediate_output_graphs_dir": self.intermediate_output_graphs_dir,
        }
        return (
            folders if self.saved_model_dir is None else folders | {"--saved_model_dir": self.saved_model_dir}
        )


def _check_saved_model_dir(folder: Path, outputs: dict[str, Path]) -> None:
    if folder.is_dir() and any(folder.iterdir()):
        raise BadRequest(
            f"--saved_model_dir must be a new or empty folder, received '{folder}'. Name another, "
            "or remove this one."
        )
    for flag, path in outputs.items():
        if flag != "--saved_model_dir" and places.is_within(path, folder):
            raise BadRequest(f"{flag} must lie outside --saved_model_dir '{folder}', received '{path}'.")


@dataclasses.dataclass(frozen=True)
class RetrainOptions:
    """All of retrain.py's flags, by group."""

    data: DataOptions
    module: ModuleOptions
    distortions: DistortionOptions
    training: TrainingOptions
    output: OutputOptions

    def check(self) -> None:
        """Raise BadRequest if the flags contradict each other or what is on disk."""
        self.data.check()
        self.module.check()
        self.output.check()
        if places.is_same(self.output.summaries_dir, self.data.image_dir):
            raise BadRequest(
                "--summaries_dir must not be --image_dir, where its folders would become classes; received "
                f"'{self.data.image_dir}' twice."
            )
        if places.is_within(self.output.output_graph, Path(self.module.tfhub_module)):
            raise BadRequest(
                f"--output_graph must not lie in the module that it is made of, received "
                f"'{self.output.output_graph}'."
            )

    def outputs(self) -> tuple[Path, ...]:
        """Return every file and folder that is written, the cache of vectors included."""
        kept = () if self.module.model_dir is None else (self.module.model_dir,)
        return (*self.output.paths(), self.module.bottleneck_dir, *kept)


@dataclasses.dataclass(frozen=True)
class LabelImageOptions:
    """All of label_image.py's flags. None stands for 'as the graph says'."""

    graph: Path = _flag(
        OutputOptions.output_graph, "A frozen graph, as retrain.py writes it.", _path, metavar="FILE"
    )
    labels: Path = _flag(
        OutputOptions.output_labels, "Its labels, one per line, in order.", _path, metavar="FILE"
    )
    image: tuple[Path, ...] = _flag(
        (),
        "An image, or a folder of images; may be repeated.",
        _path,
        metavar="PATH",
        action="append",
        required=True,
    )
    input_layer: str | None = _flag(
        None, "Name of the input op; found in the graph if not given.", str, metavar="NAME"
    )
    output_layer: str | None = _flag(
        None, "Name of the op of the scores; found in the graph if not given.", str, metavar="NAME"
    )
    input_height: int | None = _flag(
        None, "Height of the input in pixels; read from the graph if not given.", _count
    )
    input_width: int | None = _flag(
        None, "Width of the input in pixels; read from the graph if not given.", _count
    )
    input_mean: float = _flag(
        0,
        "Taken from each pixel value of 0 to 255.",
        _finite_number,
    )
    input_std: float = _flag(255, "Each pixel value is then divided by this.", _positive_number)
    num_top_predictions: int = _flag(5, "How many of the best labels are printed.", _count)


@dataclasses.dataclass(frozen=True)
class SamplePhotosOptions:
    """All of sample_photos' flags."""

    folder: Path = _flag(None, "Folder to draw into; class folders are made in it.", _path, metavar="DIR")
    per_class: int = _flag(60, "Photographs of each kind of flower.", _count)
    seed: int = _flag(0, "Seed of all that is drawn: same seed, same photographs.", _count_or_none)


def parse_retrain(argv: Sequence[str] | None) -> RetrainOptions:
    """Return retrain.py's options from command-line words. Raises BadRequest."""
    parser = _Parser(
        prog="retrain",
        description="Turn a folder of photographs, one sub-folder per class, into an image classifier.",
        epilog="Example: retrain.py --image_dir ~/flower_photos --tfhub_module builtin",
    )
    parser.add_argument(
        "--list_modules", action="store_true", help="Print the modules that are known by name, and exit."
    )
    for group in (DataOptions, ModuleOptions, DistortionOptions, TrainingOptions, OutputOptions):
        parser.add_flags(group)
    values = parser.parse(argv)
    if values.list_modules:
        print(catalogue.table())
        parser.exit()
    options = RetrainOptions(
        data=_take(DataOptions, values),
        module=_take(ModuleOptions, values),
        distortions=_take(DistortionOptions, values),
        training=_take(TrainingOptions, values),
        output=_take(OutputOptions, values),
    )
    options.check()
    return options


def parse_label_image(argv: Sequence[str] | None) -> LabelImageOptions:
    """Return label_image.py's options from command-line words. Raises BadRequest."""
    parser = _Parser(
        prog="label_image",
        description="Classify images with the network that retrain.py exported.",
        epilog="Example: label_image.py --graph output_graph.pb --labels output_labels.txt --image photo.jpg",
    )
    parser.add_flags(LabelImageOptions)
    options = _take(LabelImageOptions, parser.parse(argv))
    return dataclasses.replace(options, image=tuple(options.image))


def parse_sample_photos(argv: Sequence[str] | None) -> SamplePhotosOptions:
    """Return sample_photos' options from command-line words. Raises BadRequest."""
    parser = _Parser(
        prog="sample_photos", description="Draw photographs of five kinds of flower, to try the retrainer on."
    )
    parser.add_flags(SamplePhotosOptions, positional="folder")
    return _take(SamplePhotosOptions, parser.parse(argv))


def _take(group: type[Options], values: argparse.Namespace) -> Options:
    names = [field.name for field in dataclasses.fields(group)]  # type: ignore[arg-type]
    return group(**{name: getattr(values, name) for name in names})


class _Parser(argparse.ArgumentParser):
    """argparse, with one-line errors and the nearest name for a mistyped flag."""

    def __init__(self, **settings: Any) -> None:
        # No abbreviations: a flag added later must not change what a user's script means.
        super().__init__(allow_abbrev=False, **settings)

    def add_flags(self, group: type[Any], *, positional: str = "") -> None:
        """Add each field of the dataclass `group` as a flag, under its docstring as the title.

        The field named `positional` is a word without a flag instead.
        """
        title = (group.__doc__ or "").splitlines()[0].rstrip(".")
        section = self.add_argument_group(title)
        for field in dataclasses.fields(group):
            settings = {"metavar": "N"} | field.metadata["argparse"]
            default = None if settings.get("action") == "append" else field.default
            section.add_argument(
                field.name if field.name == positional else f"--{field.name}",
                type=field.metadata["parse"],
                default=default,
                help=field.metadata["help"] + _shown_default(field.default),
                **settings,
            )

    def parse(self, argv: Sequence[str] | None) -> argparse.Namespace:
        values, unknown = self.parse_known_args(argv)
        if unknown:
            self._refuse(unknown[0])
        return values

    def error(self, message: str) -> NoReturn:
        message = re.sub(r"^argument (--\w+): ", r"\1 ", message)
        lacking = re.fullmatch(r"(--\w+) expected one argument", message)
        if lacking:
            message += f"; one that begins with '-' is given as {lacking[1]}=VALUE"
        raise BadRequest(f"{message}.")

    def _refuse(self, word: str) -> NoReturn:
        if not word.startswith("-"):
            raise BadRequest(f"'{word}' belongs to no flag. See --help for the flags.")
        flag = word.split("=")[0]
        known = [name for action in self._actions for name in action.option_strings]
        nearest = difflib.get_close_matches(flag.replace("-", "_").replace("__", "--", 1), known, n=1)
        remedy = f"Did you mean {nearest[0]}?" if nearest else "See --help for the flags."
        raise BadRequest(f"{flag} is no flag of this program. {remedy}")


def _shown_default(default: Any) -> str:
    return "" if default in (None, "", ()) else f" Default: {default}.".replace("%", "%%")
