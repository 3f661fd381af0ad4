"""Every flag, once: its name, default, check and help. No TensorFlow here.

A flag is a field of one of the frozen dataclasses below, so that the default that `--help` shows, the
one the README is tested against and the one the code uses are the same object.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path

from retraining.cli import output_paths
from retraining.cli.console import LEVELS
from retraining.errors import BadRequest
from retraining.graphs.precision import FLOAT32, PRECISIONS
from retraining.modules import catalogue
from retraining.modules.catalogue import DEFAULT_MODULE, module_of_architecture
from retraining.settings import architectures, flags

ALL_LAYERS = "all"

# The optimizers of networks that are trained from scratch, and what each learns well with.
LEARNING_RATES = {"adagrad": 0.01, "adam": 0.001, "rmsprop": 0.001, "sgd": 0.01}

# What a frozen graph may come in; only there is it for the user to say how it is read.
GRAPH_FILE_SUFFIXES = (".pb", ".tar.gz", ".tgz", ".tar")
GRAPH_FILE_FLAGS = ("input_tensor_name", "bottleneck_tensor_name", "input_mean", "input_std")


@dataclasses.dataclass(frozen=True)
class DataOptions:
    """The photographs and how they are shared out."""

    image_dir: Path = flags.define(
        None, "Root with one sub-folder of images per class.", flags.path, metavar="DIR"
    )
    testing_percentage: float = flags.define(
        10, "Percentage of images kept for the final test.", flags.percentage
    )
    validation_percentage: float = flags.define(
        10, "Percentage of images kept for validation while training.", flags.percentage
    )
    strict: bool = flags.define(
        False, "End the run if any file cannot be used, after listing all.", flags.boolean, **flags.SWITCH
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

    tfhub_module: str = flags.define(
        DEFAULT_MODULE,
        "The network that turns an image into a feature vector: a name of --list_modules, the address of "
        "a module on tfhub.dev or Kaggle Models, a module's folder or .tar.gz, a frozen graph (.pb), "
        "keras:NAME, or 'builtin', the small module that ships with this program.",
        str,
        metavar="HANDLE",
    )
    architecture: str = flags.define(
        "",
        "Flag of the older script: 'inception_v3' or 'mobilenet_<width>_<image size>' for the Hub "
        "module of that network.",
        str,
        metavar="NAME",
    )
    model_dir: Path | None = flags.define(
        None,
        "Flag of the older script: folder in which downloaded modules are kept. Without it, that of "
        "the environment variable TFHUB_CACHE_DIR, else a temporary folder.",
        flags.optional_path,
        metavar="DIR",
    )
    image_size: int | None = flags.define(
        None,
        "Height and width in pixels, for a network that takes any; others record their own.",
        flags.image_size,
    )
    input_tensor_name: str | None = flags.define(
        None, "Input of a frozen graph (.pb) that is not a known one.", str, metavar="NAME"
    )
    bottleneck_tensor_name: str | None = flags.define(
        None, "Feature vector, or class scores to use as one, in a frozen graph (.pb).", str, metavar="NAME"
    )
    input_mean: float | None = flags.define(
        None, "Taken from each pixel value of 0 to 255 for a frozen graph (.pb).", flags.finite_number
    )
    input_std: float | None = flags.define(
        None, "Each pixel value is then divided by this for a frozen graph (.pb).", flags.positive_number
    )
    precision: str = flags.define(
        FLOAT32,
        f"What the network computes feature vectors in, {' or '.join(PRECISIONS)}; the exported graph keeps "
        "to float32.",
        flags.one_of(*PRECISIONS),
        metavar="NAME",
    )
    bottleneck_dir: Path = flags.define(
        Path("/tmp/bottleneck"), "Cache of feature vectors, reused by later runs.", flags.path, metavar="DIR"
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
        given = (flag for flag in GRAPH_FILE_FLAGS if getattr(self, flag) is not None)
        output_paths.check_folder("--bottleneck_dir", self.bottleneck_dir)
        if self.model_dir is not None:
            output_paths.check_folder("--model_dir", self.model_dir)
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

    flip_left_right: bool = flags.define(False, "Mirror half of the views.", flags.boolean, **flags.SWITCH)
    random_crop: float = flags.define(
        0, "Percentage by which views are scaled up and then cut.", flags.percentage
    )
    random_scale: float = flags.define(
        0, "Largest percentage of a further random scaling up.", flags.percentage
    )
    random_brightness: float = flags.define(
        0, "Largest percentage of a random change in brightness.", flags.percentage
    )
    distorted_views: int = flags.define(
        8,
        "Views that are drawn of each training image, once, if any of these flags is on; 0 for fresh ones at "
        "every step.",
        flags.view_count,
    )

    def are_on(self) -> bool:
        """Return whether views are drawn at all."""
        return self.flip_left_right or any((self.random_crop, self.random_scale, self.random_brightness))

    def are_fresh(self) -> bool:
        """Return whether views are drawn anew at every step, as the older script did, and never kept."""
        return self.are_on() and self.distorted_views == 0

    def setting(self) -> str:
        """Return what a view depends on beside its image and its number."""
        scales = (
            f"crop {self.random_crop:g} scale {self.random_scale:g} brightness {self.random_brightness:g}"
        )
        return f"flip {self.flip_left_right} {scales}"


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The training of the new layer."""

    how_many_training_steps: int = flags.define(4000, "Number of training steps.", flags.count)
    learning_rate: float = flags.define(
        0.01, "Learning rate of plain gradient descent.", flags.positive_number
    )
    eval_step_interval: int = flags.define(10, "Steps between two reports.", flags.count)
    train_batch_size: int = flags.define(100, "Images of one training step; -1 for all.", flags.batch_size)
    validation_batch_size: int = flags.define(
        100, "Images of one validation; -1 for the whole validation set.", flags.batch_size
    )
    test_batch_size: int = flags.define(
        -1, "Images of the final test; -1 for the whole test set.", flags.batch_size
    )
    seed: int = flags.define(
        0, "Seed of all that is drawn: same images and seed, same graph.", flags.count_or_none
    )


@dataclasses.dataclass(frozen=True)
class OutputOptions:
    """What the run writes and prints."""

    output_graph: Path = flags.define(
        Path("/tmp/output_graph.pb"),
        "The retrained network, module and new layer in one file.",
        flags.path,
        metavar="FILE",
    )
    output_labels: Path = flags.define(
        Path("/tmp/output_labels.txt"), "Its labels, one per line, in order.", flags.path, metavar="FILE"
    )
    saved_model_dir: Path | None = flags.define(
        None, "Also export a SavedModel into this folder.", flags.optional_path, metavar="DIR"
    )
    final_tensor_name: str = flags.define(
        "final_result", "Name of the softmax op in the exported graph.", flags.op_name, metavar="NAME"
    )
    summaries_dir: Path = flags.define(
        Path("/tmp/retrain_logs"), "Logs for TensorBoard.", flags.path, metavar="DIR"
    )
    intermediate_output_graphs_dir: Path = flags.define(
        Path("/tmp/intermediate_graph/"), "Folder of the intermediate graphs.", flags.path, metavar="DIR"
    )
    intermediate_store_frequency: int = flags.define(
        0, "Steps between two intermediate graphs; 0 for none.", flags.count_or_none
    )
    checkpoint_path: Path = flags.define(
        Path("/tmp/_retrain_checkpoint"),
        "Prefix of the new layer's checkpoint files.",
        flags.path,
        metavar="PREFIX",
    )
    print_misclassified_test_images: bool = flags.define(
        False, "List the test images that were classified wrongly.", flags.boolean, **flags.SWITCH
    )
    logging_verbosity: str = flags.define(
        "INFO", f"One of {' '.join(LEVELS)}.", flags.one_of(*LEVELS), metavar="LEVEL"
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        files = self._files()
        for flag, path in files.items():
            output_paths.check_file(flag, path)
        folders = self._folders()
        for flag, path in folders.items():
            output_paths.check_folder(flag, path)
        output_paths.check_apart(files, folders)
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
        if flag != "--saved_model_dir" and output_paths.is_within(path, folder):
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
        if output_paths.is_same(self.output.summaries_dir, self.data.image_dir):
            raise BadRequest(
                "--summaries_dir must not be --image_dir, where its folders would become classes; received "
                f"'{self.data.image_dir}' twice."
            )
        if output_paths.is_within(self.output.output_graph, Path(self.module.tfhub_module)):
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

    graph: Path = flags.define(
        OutputOptions.output_graph, "A frozen graph, as retrain.py writes it.", flags.path, metavar="FILE"
    )
    labels: Path = flags.define(
        OutputOptions.output_labels, "Its labels, one per line, in order.", flags.path, metavar="FILE"
    )
    image: tuple[Path, ...] = flags.define(
        (),
        "Images and folders of images; may be repeated.",
        flags.path,
        metavar="PATH",
        action="extend",
        nargs="+",
        required=True,
    )
    input_layer: str | None = flags.define(
        None, "Name of the input op; found in the graph if not given.", str, metavar="NAME"
    )
    output_layer: str | None = flags.define(
        None, "Name of the op of the scores; found in the graph if not given.", str, metavar="NAME"
    )
    input_height: int | None = flags.define(
        None, "Height of the input in pixels; read from the graph if not given.", flags.count
    )
    input_width: int | None = flags.define(
        None, "Width of the input in pixels; read from the graph if not given.", flags.count
    )
    input_mean: float = flags.define(
        0,
        "Taken from each pixel value of 0 to 255.",
        flags.finite_number,
    )
    input_std: float = flags.define(255, "Each pixel value is then divided by this.", flags.positive_number)
    num_top_predictions: int = flags.define(5, "How many of the best labels are printed.", flags.count)


@dataclasses.dataclass(frozen=True)
class NetworkOptions:
    """The network to look into: one of the first three flags."""

    graph: Path | None = flags.define(
        None, "A frozen graph: what retrain.py writes, or any other (.pb).", flags.path, metavar="FILE"
    )
    tfhub_module: str = flags.define(
        "", "A module: any handle that retrain.py's --tfhub_module takes.", str, metavar="HANDLE"
    )
    network: str = flags.define(
        "", f"A network by name: {', '.join(architectures.NAMES)}.", str, metavar="NAME"
    )
    weights: Path | None = flags.define(
        None,
        "Weights of --network, as compare writes them; without, they are drawn.",
        flags.optional_path,
        metavar="FILE",
    )
    image_size: int | None = flags.define(
        None,
        "Height and width in pixels, for a network that takes any; others record their own.",
        flags.count,
    )
    input_tensor_name: str | None = flags.define(
        None, "Input of a frozen graph; found in the graph if not given.", str, metavar="NAME"
    )
    bottleneck_tensor_name: str | None = flags.define(
        None,
        "Result of a frozen graph; found in the graph if not given. Only layers that it needs are seen.",
        str,
        metavar="NAME",
    )
    input_mean: float | None = flags.define(
        None,
        "Taken from each pixel value of 0 to 255 for a frozen graph; without, as for label_image.py.",
        flags.finite_number,
    )
    input_std: float | None = flags.define(
        None, "Each pixel value is then divided by this for a frozen graph.", flags.positive_number
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        sources = {"--graph": self.graph, "--tfhub_module": self.tfhub_module, "--network": self.network}
        given = [flag for flag, value in sources.items() if value]
        if len(given) != 1:
            raise BadRequest(
                f"one of --graph, --tfhub_module and --network names the network, received "
                f"{' and '.join(given) or 'none'}. Give one, such as --tfhub_module builtin."
            )
        if self.network:
            self._check_network()
        elif self.weights is not None:
            raise BadRequest("--weights are those of a --network. Name it, or leave the weights out.")
        if self.tfhub_module:
            self.module().check()

    def _check_network(self) -> None:
        architectures.image_size_of(self.network, self.image_size)
        for flag in GRAPH_FILE_FLAGS:
            if getattr(self, flag) is not None:
                raise BadRequest(f"--{flag} is for a frozen graph (.pb). Leave it out with --network.")
        if self.weights is not None and self.image_size is not None:
            raise BadRequest("--image_size is recorded in the file of --weights. Leave it out.")

    def check_files(self) -> None:
        """Raise BadRequest if a file that these flags name is not there."""
        if self.graph is not None and not self.graph.is_file():
            raise BadRequest(f"--graph '{self.graph}' does not exist. retrain.py writes one.")
        if self.weights is not None and not self.weights.is_file():
            raise BadRequest(f"--weights '{self.weights}' does not exist. compare writes weights.")

    def module(self) -> ModuleOptions:
        """Return these flags as those of a module that retrain.py takes."""
        return ModuleOptions(
            tfhub_module=str(self.graph or self.tfhub_module),
            image_size=self.image_size,
            input_tensor_name=self.input_tensor_name,
            bottleneck_tensor_name=self.bottleneck_tensor_name,
            input_mean=self.input_mean,
            input_std=self.input_std,
        )


@dataclasses.dataclass(frozen=True)
class MapsOptions:
    """What is shown of the network, and where."""

    image: Path | None = flags.define(
        None, "The photograph that the network is shown.", flags.path, metavar="FILE"
    )
    layers: str = flags.define(
        "",
        "Layers to show, with commas between them; without, the first convolution, one at each new size of "
        "the maps, and the last.",
        str,
        metavar="NAMES",
    )
    list_layers: bool = flags.define(
        False,
        "Print name, operation and shape of every convolution, and exit.",
        flags.boolean,
        **flags.SWITCH,
    )
    output_dir: Path = flags.define(
        Path("/tmp/feature_maps"), "Folder of the pictures.", flags.path, metavar="DIR"
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        if self.image is None and not self.list_layers:
            raise BadRequest("--image is required: the photograph that the network is shown.")
        output_paths.check_folder("--output_dir", self.output_dir)


@dataclasses.dataclass(frozen=True)
class FeatureMapsOptions:
    """All of feature_maps' flags, by group."""

    network: NetworkOptions
    maps: MapsOptions


@dataclasses.dataclass(frozen=True)
class DreamOptions:
    """What the network dreams of, and how."""

    layers: str = flags.define(
        "",
        "Layers whose mean activation is raised, each for a picture of its own, with commas between them; "
        f"'{ALL_LAYERS}' for every convolution, deepest first; without, one two thirds of the way in.",
        str,
        metavar="NAMES",
    )
    channel: int | None = flags.define(
        None, "Raise only this channel of the layers; the first is 0.", flags.count_or_none
    )
    class_label: str = flags.define(
        "",
        "Raise a class's logit instead: what the network thinks a tulip is.",
        str,
        flag="--class",
        metavar="LABEL",
    )
    labels: Path = flags.define(
        OutputOptions.output_labels,
        "Labels of --graph, one per line, for --class.",
        flags.path,
        metavar="FILE",
    )
    list_layers: bool = flags.define(
        False,
        "Print name, operation and shape of every convolution, and exit.",
        flags.boolean,
        **flags.SWITCH,
    )
    image: Path | None = flags.define(
        None, "A photograph to begin with; without, grey with noise.", flags.path, metavar="FILE"
    )
    steps: int = flags.define(20, "Steps of gradient ascent in each octave.", flags.count)
    step_size: float = flags.define(
        2.5, "Change of a pixel value of 0 to 255 in a step, on average.", flags.positive_number
    )
    octaves: int = flags.define(4, "Sizes of the picture, one after the other.", flags.count)
    octave_scale: float = flags.define(1.4, "How much larger the next one is.", flags.scale)
    seed: int = flags.define(0, "Seed of all that is drawn: same seed, same picture.", flags.count_or_none)
    output_dir: Path = flags.define(
        Path("/tmp/deep_dream"), "Folder of the pictures.", flags.path, metavar="DIR"
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        if self.class_label and (self.layers or self.channel is not None):
            raise BadRequest(
                "--class raises a logit, --layers and --channel an activation. Give one of them."
            )
        if self.channel is not None and self.layers in ("", ALL_LAYERS):
            raise BadRequest("--channel is one of a named layer. Name it with --layers.")
        output_paths.check_folder("--output_dir", self.output_dir)

    def check_files(self) -> None:
        """Raise BadRequest if the labels that these flags need are not there."""
        if self.class_label and not self.labels.is_file():
            raise BadRequest(f"--labels '{self.labels}' does not exist. retrain.py writes graph and labels.")


@dataclasses.dataclass(frozen=True)
class DeepDreamOptions:
    """All of deep_dream's flags, by group."""

    network: NetworkOptions
    dream: DreamOptions


@dataclasses.dataclass(frozen=True)
class ComparisonOptions:
    """The models to compare, and how they are trained."""

    models: tuple[str, ...] = flags.define(
        (),
        "Models to compare, with commas between them: modules, as --tfhub_module of retrain.py takes them, "
        f"and networks that are trained from scratch: {', '.join(architectures.NAMES)}.",
        flags.names,
        metavar="A,B,...",
    )
    optimizer: tuple[str, ...] = flags.define(
        ("adam",),
        f"Of {', '.join(LEARNING_RATES)}; networks are trained once with each that is named.",
        flags.names,
        metavar="A,B,...",
    )
    learning_rate: float | None = flags.define(
        None, "Learning rate of the networks; without, the optimizer's own.", flags.positive_number
    )
    epochs: int = flags.define(30, "Times that a network is shown every training image.", flags.count)
    batch_size: int = flags.define(32, "Images of one training step of a network.", flags.count)
    image_size: int | None = flags.define(
        None,
        "Height and width in pixels of the networks' images; without, that of each one's paper.",
        flags.image_size,
    )
    width: float = flags.define(
        1.0, "Share of the networks' filters that are kept: 0.25 for a thin version.", flags.share
    )
    how_many_training_steps: int = flags.define(
        TrainingOptions.how_many_training_steps,
        "Training steps of a module's new layer, shared out over the epochs.",
        flags.several,
    )
    seed: int = flags.define(
        0, "Seed of all that is drawn: same images and seed, same weights.", flags.count_or_none
    )
    bottleneck_dir: Path = flags.define(
        ModuleOptions.bottleneck_dir,
        "Cache of feature vectors, reused by later runs.",
        flags.path,
        metavar="DIR",
    )
    output_dir: Path = flags.define(
        Path("/tmp/compare"),
        "Folder of the curves, the table, the logs, the networks and the winner.",
        flags.path,
        metavar="DIR",
    )

    def check(self) -> None:
        """Raise BadRequest if these flags contradict each other or what is on disk."""
        if not self.models:
            raise BadRequest("--models is required: the models to compare, with commas between them.")
        for flag, names in (("--models", self.models), ("--optimizer", self.optimizer)):
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice:
                raise BadRequest(f"{flag} names '{twice}' twice. Name it once.")
        for optimizer in self.optimizer:
            if optimizer not in LEARNING_RATES:
                raise BadRequest(
                    f"--optimizer must be of {', '.join(LEARNING_RATES)}, received '{optimizer}'."
                )
        for model in self.models:
            self._check_model(model)
        output_paths.check_folder("--output_dir", self.output_dir)
        output_paths.check_folder("--bottleneck_dir", self.bottleneck_dir)

    def _check_model(self, model: str) -> None:
        if model in architectures.NAMES:
            architectures.image_size_of(model, self.image_size)
            return
        nearest = difflib.get_close_matches(model, architectures.NAMES, n=1, cutoff=0.8)
        is_module = Path(model).exists() or any(model == known.name for known in catalogue.known_modules())
        if nearest and not is_module:
            raise BadRequest(f"'{model}' is no network that can be trained. Did you mean {nearest[0]}?")
        self.module(model).check()

    def module(self, handle: str) -> ModuleOptions:
        """Return the options of the module that one of `models` names."""
        return ModuleOptions(tfhub_module=handle, bottleneck_dir=self.bottleneck_dir)


@dataclasses.dataclass(frozen=True)
class CompareOptions:
    """All of compare's flags, by group."""

    data: DataOptions
    comparison: ComparisonOptions
    distortions: DistortionOptions

    def check(self) -> None:
        """Raise BadRequest if the flags contradict each other or what is on disk."""
        self.data.check()
        self.comparison.check()
        modules = [model for model in self.comparison.models if model not in architectures.NAMES]
        if modules and self.distortions.are_fresh():
            raise BadRequest(
                "--distorted_views must be at least 1 for modules, whose vectors are kept, received 0 with "
                f"'{modules[0]}'."
            )

    def outputs(self) -> tuple[Path, ...]:
        """Return every folder that is written."""
        return (self.comparison.output_dir, self.comparison.bottleneck_dir)


@dataclasses.dataclass(frozen=True)
class OxfordFlowersOptions:
    """All of oxford_flowers17's flags."""

    source: Path = flags.define(
        None, "Folder of image_0001.jpg to image_1360.jpg, as Oxford publishes it.", flags.path, metavar="SRC"
    )
    destination: Path = flags.define(
        None, "Folder to make the 17 class folders in.", flags.path, metavar="DST"
    )


@dataclasses.dataclass(frozen=True)
class SamplePhotosOptions:
    """All of sample_photos' flags."""

    folder: Path = flags.define(
        None, "Folder to draw into; class folders are made in it.", flags.path, metavar="DIR"
    )
    per_class: int = flags.define(60, "Photographs of each kind of flower.", flags.count)
    seed: int = flags.define(
        0, "Seed of all that is drawn: same seed, same photographs.", flags.count_or_none
    )


def parse_retrain(argv: Sequence[str] | None) -> RetrainOptions:
    """Return retrain.py's options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
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
        data=flags.take(DataOptions, values),
        module=flags.take(ModuleOptions, values),
        distortions=flags.take(DistortionOptions, values),
        training=flags.take(TrainingOptions, values),
        output=flags.take(OutputOptions, values),
    )
    options.check()
    return options


def parse_label_image(argv: Sequence[str] | None) -> LabelImageOptions:
    """Return label_image.py's options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="label_image",
        description="Classify images with the network that retrain.py exported.",
        epilog="Example: label_image.py --graph output_graph.pb --labels output_labels.txt --image photo.jpg",
    )
    parser.add_flags(LabelImageOptions)
    options = flags.take(LabelImageOptions, parser.parse(argv))
    return dataclasses.replace(options, image=tuple(options.image))


def parse_sample_photos(argv: Sequence[str] | None) -> SamplePhotosOptions:
    """Return sample_photos' options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="sample_photos", description="Draw photographs of five kinds of flower, to try the retrainer on."
    )
    parser.add_flags(SamplePhotosOptions, positional=("folder",))
    return flags.take(SamplePhotosOptions, parser.parse(argv))


def parse_feature_maps(argv: Sequence[str] | None) -> FeatureMapsOptions:
    """Return feature_maps' options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="feature_maps",
        description="Show what the layers of a network make of a photograph.",
        epilog="Example: python -m retraining.feature_maps --tfhub_module builtin --image photo.jpg",
    )
    for group in (NetworkOptions, MapsOptions):
        parser.add_flags(group)
    values = parser.parse(argv)
    options = FeatureMapsOptions(flags.take(NetworkOptions, values), flags.take(MapsOptions, values))
    options.network.check()
    options.maps.check()
    return options


def parse_deep_dream(argv: Sequence[str] | None) -> DeepDreamOptions:
    """Return deep_dream's options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="deep_dream",
        description="Draw what excites a layer of a network, or what it takes for one of its classes.",
        epilog="Example: python -m retraining.deep_dream --graph /tmp/output_graph.pb --class tulips",
    )
    for group in (NetworkOptions, DreamOptions):
        parser.add_flags(group)
    values = parser.parse(argv)
    options = DeepDreamOptions(flags.take(NetworkOptions, values), flags.take(DreamOptions, values))
    options.network.check()
    options.dream.check()
    if options.dream.class_label and options.network.graph is None:
        raise BadRequest("--class is one of a --graph with --labels, as retrain.py writes them. Give both.")
    return options


def parse_compare(argv: Sequence[str] | None) -> CompareOptions:
    """Return compare's options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="compare",
        description="Train several models on the same photographs and say which to use.",
        epilog="Example: python -m retraining.compare --image_dir ~/flower_photos --models builtin,googlenet",
    )
    for group in (DataOptions, ComparisonOptions, DistortionOptions):
        parser.add_flags(group)
    values = parser.parse(argv)
    options = CompareOptions(
        data=flags.take(DataOptions, values),
        comparison=flags.take(ComparisonOptions, values),
        distortions=flags.take(DistortionOptions, values),
    )
    options.check()
    return options


def parse_oxford_flowers17(argv: Sequence[str] | None) -> OxfordFlowersOptions:
    """Return oxford_flowers17's options from command-line words. Raises BadRequest."""
    parser = flags.Parser(
        prog="oxford_flowers17",
        description="Make class folders of the one folder in which Oxford's 17 flowers come.",
    )
    parser.add_flags(OxfordFlowersOptions, positional=("source", "destination"))
    return flags.take(OxfordFlowersOptions, parser.parse(argv))
