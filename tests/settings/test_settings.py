"""Groups of settings: always valid however they are made, or refused with a message for Python or a shell."""

from __future__ import annotations

import copy
import dataclasses
import functools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.cli.parser import flag_name
from retraining.cli.programs import PROGRAMS
from retraining.errors import BadRequest
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import CompareSettings, ComparisonSettings
from retraining.settings.conversion import ConversionSettings
from retraining.settings.data import DataSettings
from retraining.settings.deep_dream import DeepDreamSettings, DreamSettings
from retraining.settings.distribute import ListedDataSettings
from retraining.settings.export import ExportSettings
from retraining.settings.feature_maps import MapsSettings
from retraining.settings.label_image import LabelImageSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.network import NetworkSettings
from retraining.settings.output import OutputSettings
from retraining.settings.relabel import RelabelSettings
from retraining.settings.samples import OxfordFlowersSettings, SamplePhotosSettings
from retraining.settings.setting import REQUIRED, Settings, fields, kind_of
from retraining.settings.training import TrainingSettings

GROUPS = sorted(
    {group for program in PROGRAMS for group in program.groups().values()}, key=lambda group: group.__name__
)

# Settings without which a group is refused.
NEEDED: dict[type[Settings], dict[str, Any]] = {
    ComparisonSettings: {"models": "builtin"},
    ConversionSettings: {"formats": ["onnx"]},
    DataSettings: {"image_dir": "photos"},
    ListedDataSettings: {"image_dir": "photos"},
    LabelImageSettings: {"image": "photo.jpg"},
    MapsSettings: {"image": "photo.jpg"},
    NetworkSettings: {"network": "vgg16"},
    OxfordFlowersSettings: {"source": "a", "destination": "b"},
    RelabelSettings: {"csv": "a.csv"},
    SamplePhotosSettings: {"folder": "a"},
}


def made(group: type[Settings], **changes: Any) -> Any:
    return group(**{**NEEDED.get(group, {}), **changes})


def refusal(make: Callable[[], object]) -> tuple[str, str]:
    """Return the message of a refusal as Python shows it, and as the command line does."""
    with pytest.raises(BadRequest) as caught:
        make()
    return str(caught.value), caught.value.message.text(setting_name=flag_name)


@pytest.mark.parametrize("group", GROUPS)
def test_defaults_follow_their_own_rules(group: type[Settings]) -> None:
    settings = made(group)
    for field in fields(group):
        value = getattr(settings, field.name)
        if value is not None:
            assert kind_of(field).convert(value) == value, field.name


@pytest.mark.parametrize("group", GROUPS)
def test_group_can_be_copied_and_pickled_but_not_changed(group: type[Settings]) -> None:
    settings = made(group)
    assert copy.deepcopy(settings) == pickle.loads(pickle.dumps(settings)) == settings
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(settings, fields(group)[0].name, None)


@pytest.mark.parametrize("group", GROUPS)
def test_each_setting_refuses_values_of_the_wrong_kind(group: type[Settings]) -> None:
    for field in fields(group):
        in_python, on_command_line = refusal(functools.partial(made, group, **{field.name: object()}))
        assert in_python.startswith(f"{field.name} must be ")
        assert ", received <object object at 0x" in in_python
        assert on_command_line.startswith(f"{flag_name(field.name)} must be ")


@pytest.mark.parametrize("group", GROUPS)
def test_none_is_only_accepted_where_it_is_the_default(group: type[Settings]) -> None:
    for field in fields(group):
        if field.default in (None, REQUIRED):
            continue
        assert refusal(functools.partial(made, group, **{field.name: None}))[0].endswith(", received None.")


def test_changed_copy_is_checked_like_a_new_group() -> None:
    training: Any = TrainingSettings(seed=3)
    assert dataclasses.replace(training, learning_rate="0.5") == TrainingSettings(seed=3, learning_rate=0.5)
    assert refusal(lambda: dataclasses.replace(training, learning_rate=-1)) == (
        "learning_rate must be a number greater than 0, received -1.",
        "--learning_rate must be a number greater than 0, received -1.",
    )


def test_text_and_python_values_make_the_same_settings() -> None:
    text = {"testing_percentage": "20", "validation_percentage": "5.5", "strict": "yes"}
    assert made(DataSettings, **text) == DataSettings(
        Path("photos"), testing_percentage=20, validation_percentage=5.5, strict=True
    )
    numbers = {"seed": np.int64(7), "train_batch_size": np.int32(-1), "learning_rate": np.float64(0.5)}
    assert made(TrainingSettings, **numbers) == made(
        TrainingSettings, seed="7", train_batch_size="-1", learning_rate="0.5"
    )
    assert made(ComparisonSettings, models="builtin, vgg16") == ComparisonSettings(("builtin", "vgg16"))


def test_numpy_numbers_become_python_numbers() -> None:
    settings = made(TrainingSettings, seed=np.int64(7), learning_rate=np.float32(0.5))
    assert (type(settings.seed), type(settings.learning_rate)) == (int, float)


def test_tilde_is_the_users_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert DataSettings("~/photos").image_dir == tmp_path / "photos"  # type: ignore[arg-type]
    assert OutputSettings(output_graph="~/graph.pb").output_graph == tmp_path / "graph.pb"  # type: ignore[arg-type]
    assert LabelImageSettings(image=["~/a.jpg"]).image == (tmp_path / "a.jpg",)  # type: ignore[arg-type]


def test_optional_folder_is_left_out_by_empty_text() -> None:
    assert OutputSettings(saved_model_dir="").saved_model_dir is None  # type: ignore[arg-type]
    assert ModuleSettings(model_dir="").model_dir is None  # type: ignore[arg-type]


def test_long_text_is_cut_off_in_the_message() -> None:
    assert refusal(lambda: OutputSettings(logging_verbosity="x" * 61))[0] == (
        f"logging_verbosity must be one of DEBUG INFO WARN ERROR FATAL, received '{'x' * 60}...'."
    )
    assert refusal(lambda: OutputSettings(logging_verbosity="{seed}"))[1] == (
        "--logging_verbosity must be one of DEBUG INFO WARN ERROR FATAL, received '{seed}'."
    )


FRESH = AugmentationSettings(flip_left_right=True, distorted_views=0)

# Refused settings, each with the message on the command line; in Python it has no dashes.
REFUSALS: dict[str, tuple[Callable[[], object], str]] = {
    "bool for a number": (
        lambda: TrainingSettings(seed=True),
        "--seed must be a whole number of at least 0, received True.",
    ),
    "fraction for a whole number": (
        lambda: TrainingSettings(how_many_training_steps=1.5),  # type: ignore[arg-type]
        "--how_many_training_steps must be a whole number of at least 1, received 1.5.",
    ),
    "NaN": (
        lambda: AugmentationSettings(random_crop=float("nan")),
        "--random_crop must be a percentage from 0 to 100, received nan.",
    ),
    "number for a switch": (
        lambda: AugmentationSettings(flip_left_right=1),  # type: ignore[arg-type]
        "--flip_left_right must be True or False, received 1.",
    ),
    "no images": (
        lambda: DataSettings(),
        "--image_dir is required: the folder with one sub-folder of images per class. Or give a list of "
        "images as --image_list.",
    ),
    "images given twice": (
        lambda: DataSettings(Path("photos"), Path("list.csv")),
        "--image_dir and --image_list both name the images, received 'photos' and 'list.csv'. Keep one of them.",
    ),
    "nothing to train on": (
        lambda: DataSettings(Path("photos"), testing_percentage=60, validation_percentage=40),
        "--testing_percentage and --validation_percentage must leave some images for training, received "
        "60 + 40 = 100. Lower one of them.",
    ),
    "no module": (
        lambda: ModuleSettings(""),
        "--tfhub_module must name a module, received ''.",
    ),
    "two names of the network": (
        lambda: ModuleSettings("builtin_small", "inception_v3"),
        "--architecture and --tfhub_module both name the network, received 'inception_v3' and 'builtin_small'. Keep "
        "one of them.",
    ),
    "no network": (
        lambda: NetworkSettings(),
        "name the network with one of --graph, --tfhub_module and --network, received none. Give one, such as "
        "--tfhub_module builtin.",
    ),
    "two networks": (
        lambda: NetworkSettings(Path("graph.pb"), network="vgg16"),
        "name the network with one of --graph, --tfhub_module and --network, received --graph and --network. "
        "Give one, such as --tfhub_module builtin.",
    ),
    "unknown network": (
        lambda: NetworkSettings(network="vgg61"),
        "'vgg61' is not a network that can be trained from scratch. Did you mean vgg16?",
    ),
    "image size too small for a network": (
        lambda: NetworkSettings(network="alexnet", image_size=66),
        "--image_size of alexnet must be at least 67, received 66. Raise it, or leave the network out.",
    ),
    "weights without a network": (
        lambda: NetworkSettings(Path("graph.pb"), weights=Path("a.npz")),
        "--weights needs --network. Name the network, or leave the weights out.",
    ),
    "setting of frozen graphs for a network": (
        lambda: NetworkSettings(network="vgg16", input_mean=0),
        "--input_mean is for a frozen graph (.pb). Leave it out with --network.",
    ),
    "image size beside weights": (
        lambda: NetworkSettings(network="vgg16", weights=Path("a.npz"), image_size=224),
        "--image_size is recorded in the file of --weights. Leave it out.",
    ),
    "no image for feature maps": (
        lambda: MapsSettings(),
        "--image is required: the image to show the network.",
    ),
    "no image to label": (lambda: LabelImageSettings(), "--image is required: the images to label."),
    "class and layer": (
        lambda: DreamSettings(class_label="tulips", layers="conv1"),
        "--class raises a logit, --layers and --channel raise an activation. Give one or the other.",
    ),
    "channel of all layers": (
        lambda: DreamSettings(layers="all", channel=0),
        "--channel needs a layer. Name it with --layers.",
    ),
    "class of a module": (
        lambda: DeepDreamSettings(
            NetworkSettings(tfhub_module="builtin"), DreamSettings(class_label="tulips")
        ),
        "--class needs a --graph with its --labels, as retrain.py writes them.",
    ),
    "no models": (
        lambda: ComparisonSettings(),
        "--models is required: the models to compare, separated by commas.",
    ),
    "model named twice": (
        lambda: ComparisonSettings(("builtin", "vgg16", "builtin")),
        "--models names 'builtin' twice. Name it once.",
    ),
    "optimizer named twice": (
        lambda: ComparisonSettings(("vgg16",), ("adam", "adam")),
        "--optimizer names 'adam' twice. Name it once.",
    ),
    "unknown optimizer": (
        lambda: ComparisonSettings(("vgg16",), ("lion",)),
        "--optimizer must be one of adagrad, adam, rmsprop, sgd, received 'lion'.",
    ),
    "module on fresh views": (
        lambda: CompareSettings(
            DataSettings(Path("a")), ComparisonSettings(("builtin",)), FRESH, ExportSettings()
        ),
        "--distorted_views must be at least 1 for modules, whose feature vectors are stored, received 0 with "
        "'builtin'.",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_names_settings_in_python_and_flags_on_the_command_line(name: str) -> None:
    make, shown = REFUSALS[name]
    in_python, on_command_line = refusal(make)
    assert on_command_line == shown
    assert in_python == shown.replace("--class", "--class_label").replace("--", "")
