"""Every flag with every kind of wrong value: one line that names flag, value and rule; exit status 2."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import pytest

import label_image
import retrain
from retraining import distribute, relabel, serve
from retraining.cli import output_paths
from retraining.cli.output_paths import OutputPath
from retraining.cli.programs import RETRAIN
from retraining.errors import BadRequest
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.distribute import DistributedRunSettings, ListedDataSettings, SharedModuleSettings
from retraining.settings.export import ExportSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.label_image import AnswerSettings, LabelImageSettings
from retraining.settings.module import ExtractorSettings, ModuleSettings
from retraining.settings.output import OutputSettings
from retraining.settings.relabel import RelabelSettings
from retraining.settings.serve import ServeSettings
from retraining.settings.training import TrainingSettings
from tests.conftest import refused


def fields(*groups: type[Any]) -> set[str]:
    return {field.name for group in groups for field in dataclasses.fields(group)}


NUMBERS = ("", "x", "nan", "-1", "1e999", "0x10", "1,5", " ", "9" * 5000)
FLOATS = (*NUMBERS, "inf", "-inf", "-0.001")
WHOLE = (*NUMBERS, "1.5", "1e3")

# The values that each flag must refuse; a test checks that no flag is missing here.
REFUSED = {
    "image_dir": ("",),
    "image_list": ("", "/nowhere/list.csv", "/tmp", "/dev/null"),
    "testing_percentage": (*FLOATS, "100.1"),
    "validation_percentage": (*FLOATS, "100.1"),
    "strict": ("maybe", "2", "-"),
    "significant_bits": (*WHOLE, "7", "17"),
    "group_near_duplicates": ("maybe", "2", "-"),
    "tfhub_module": ("", "no_such_module", "mobilenet_v9_100_224"),
    "architecture": ("alexnet", "mobilenet_1.0", "mobilenet_3.0_224"),
    "model_dir": ("/dev/null", "/dev/null/below", "~no_such_user/x"),
    "image_size": (*WHOLE, "0", "4097"),
    "engine": ("", "LiteRT", "tflite"),
    "precision": ("", "float16", "BFLOAT16"),
    "input_mean": ("", "x", "nan", "inf"),
    "input_std": ("", "x", "nan", "inf", "0", "-1"),
    "bottleneck_dir": ("", "/dev/null", "/dev/null/below", "~no_such_user/x"),
    "flip_left_right": ("maybe", "2"),
    "random_crop": (*FLOATS, "101"),
    "random_scale": (*FLOATS, "101"),
    "random_brightness": (*FLOATS, "101"),
    "distorted_views": (*WHOLE, "1001"),
    "how_many_training_steps": (*WHOLE, "0", "-5", "1000000001"),
    "learning_rate": (*FLOATS, "0", "1e-400"),
    "eval_step_interval": (*WHOLE, "0"),
    "train_batch_size": ("", "x", "nan", "0", "-2", "1.5", "1000001"),
    "validation_batch_size": ("", "x", "nan", "0", "-2", "1.5", "1000001"),
    "test_batch_size": ("", "x", "nan", "0", "-2", "1.5", "1000001"),
    "seed": (*WHOLE, "-1"),
    "calibrate": ("maybe", "2"),
    "export": ("", "tf", "tflight", ",", "TFLITE"),
    "fine_tune": ("maybe",),
    "fine_tune_blocks": ("", "x", "0", "-1", "1.5", "every", "ALL"),
    "fine_tune_epochs": (*WHOLE, "0"),
    "fine_tune_learning_rate": (*FLOATS, "0"),
    "output_graph": ("", "/", "/tmp", "/dev/null", "/dev/null/below", "x" * 300, "~no_such_user/x"),
    "report": ("/", "/tmp", "/dev/null", "/dev/null/below", "x" * 300),
    "output_labels": ("", "/", "/tmp", "/dev/null", "/dev/null/below", "x" * 300),
    "saved_model_dir": ("/dev/null", "/dev/null/below", "/usr"),
    "onnxruntime_web": ("/dev/null", "/dev/null/below", "/usr"),
    "final_tensor_name": (
        "",
        " ",
        "a b",
        "a:0",
        "a/b",
        "^a",
        "-a",
        "_a",
        "é",
        "a\nb",
        "Placeholder",
        "placeholder",
        "module",
        "Module",
        "final_layer",
        "FINAL_LAYER",
    ),
    "summaries_dir": ("", "/dev/null", "/dev/null/below", "x" * 300),
    "intermediate_output_graphs_dir": ("", "/dev/null", "/dev/null/below"),
    "intermediate_store_frequency": (*WHOLE, "-1"),
    "checkpoint_path": ("", "/dev/null/below"),
    "float32_weights": ("maybe",),
    "print_misclassified_test_images": ("maybe",),
    "logging_verbosity": ("", "info", "LOUD"),
}
LABEL_IMAGE_REFUSED = {
    "graph": ("", "/dev/null", "/nowhere/graph.pb", "/tmp"),
    "labels": ("/dev/null", "/nowhere/labels.txt", "/tmp"),
    "image": ("",),
    "input_height": (*WHOLE, "0"),
    "input_width": (*WHOLE, "0"),
    "input_mean": ("", "x", "nan", "inf"),
    "input_std": ("", "x", "nan", "inf", "0", "-1"),
    "significant_bits": (*WHOLE, "7", "17"),
    "num_top_predictions": (*WHOLE, "0"),
    "engine": ("", "litert", "TensorFlow"),
    "cache_dir": ("/dev/null", "/dev/null/below", "~no_such_user/x"),
    "unknown": ("maybe", "2", "-"),
    "watch": ("/dev/null", "/nowhere/camera", "~no_such_user/x"),
    "min_score": ("", "x", "nan", "inf"),
    "output": ("", "JSON", "xml"),
    "move_to": ("/dev/null", "/dev/null/below", "~no_such_user/x"),
    "copy_to": ("/dev/null", "/dev/null/below", "~no_such_user/x"),
    "dry_run": ("maybe", "2"),
}
SERVE_REFUSED = {
    **{flag: values for flag, values in LABEL_IMAGE_REFUSED.items() if flag in fields(AnswerSettings)},
    "host": ("", "no such host", "192.0.2.1"),
    "port": (*WHOLE, "65536"),
    "num_top_predictions": (*WHOLE, "0"),
    "batch_size": (*WHOLE, "0"),
    "max_megabytes": (*WHOLE, "0"),
    "max_images": (*WHOLE, "0"),
    "max_requests": (*WHOLE, "0"),
    "timeout": (*FLOATS, "0"),
}
# The settings that distribute shares with retrain.py are refused there for the same values.
DISTRIBUTE_REFUSED = {
    **{
        flag: REFUSED[flag]
        for flag in REFUSED
        if flag in fields(ListedDataSettings, ExtractorSettings, AugmentationSettings)
        and flag not in ("image_dir", "image_list")
    },
    "image_dir": ("", "/nowhere/photos", "~no_such_user/x"),
    "image_list": ("", "/nowhere/list.csv", "/tmp", "~no_such_user/x"),
    "bottleneck_dir": ("", "/dev/null", "/dev/null/below", "~no_such_user/x"),
    "output_dir": ("", "/dev/null", "/dev/null/below", "~no_such_user/x"),
    "seed": (*WHOLE, "-1"),
    "worker_threads": (*WHOLE, "0"),
    "dry_run": ("maybe", "2"),
    "logging_verbosity": ("", "info", "LOUD"),
}
RELABEL_REFUSED = {"csv": ("", "/dev/null", "/nowhere/list.csv", "/tmp"), "apply": ("maybe", "2")}


def cases(refused: dict[str, tuple[str, ...]]) -> list[Any]:
    return [
        pytest.param(flag, value, id=f"{flag} {value[:20]!r}") for flag in refused for value in refused[flag]
    ]


def test_every_flag_is_tried() -> None:
    groups = (
        DataSettings,
        ModuleSettings,
        AugmentationSettings,
        TrainingSettings,
        FineTuningSettings,
        OutputSettings,
        ExportSettings,
    )
    any_text = {"input_tensor_name", "bottleneck_tensor_name"}  # refused with the graph in hand
    assert set(REFUSED) == fields(*groups) - any_text
    assert set(LABEL_IMAGE_REFUSED) == fields(LabelImageSettings) - {"input_layer", "output_layer"}
    assert set(RELABEL_REFUSED) == fields(RelabelSettings)
    in_groups = fields(ListedDataSettings, SharedModuleSettings, AugmentationSettings, DistributedRunSettings)
    assert set(DISTRIBUTE_REFUSED) == in_groups - any_text - {"beam_flags"}
    assert set(SERVE_REFUSED) == fields(ServeSettings) - {"input_layer", "output_layer"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder that must stay empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(("flag", "value"), cases(REFUSED))
def test_retrain_refuses_a_wrong_value_in_one_line_before_any_work(
    flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # If the images were checked first, the message would be about this folder.
    image_dir = [] if flag in ("image_dir", "image_list") else ["--image_dir", "nowhere"]
    assert retrain.main([*image_dir, f"--{flag}={value}"]) == 2
    assert_one_line_names(flag, value, capsys.readouterr().err)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("flag", "value"), cases(LABEL_IMAGE_REFUSED))
def test_label_image_refuses_a_wrong_value_in_one_line(
    flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "graph.pb").touch()
    (folder / "labels.txt").touch()
    words = {"graph": "graph.pb", "labels": "labels.txt", "image": "x.jpg"} | {flag: value}
    assert label_image.main([f"--{name}={word}" for name, word in words.items()]) == 2
    assert_one_line_names(flag, value, capsys.readouterr().err)


@pytest.mark.parametrize(("flag", "value"), cases(SERVE_REFUSED))
def test_serve_refuses_a_wrong_value_in_one_line(
    flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "graph.pb").touch()
    words = {"graph": "graph.pb", "port": "0"} | {flag: value}
    assert serve.main([f"--{name}={word}" for name, word in words.items()]) == 2
    assert_one_line_names(flag, value, capsys.readouterr().err)


@pytest.mark.parametrize(("flag", "value"), cases(DISTRIBUTE_REFUSED))
def test_distribute_refuses_a_wrong_value_in_one_line_before_any_work(
    flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = {} if flag in ("image_dir", "image_list") else {"image_dir": "nowhere"}
    words |= {"bottleneck_dir": "cache", flag: value}
    assert distribute.main([f"--{name}={word}" for name, word in words.items()]) == 2
    assert_one_line_names(flag, value, capsys.readouterr().err)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(("flag", "value"), cases(RELABEL_REFUSED))
def test_relabel_refuses_a_wrong_value_in_one_line(
    flag: str, value: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "list.csv").touch()
    assert relabel.main([value] if flag == "csv" else ["list.csv", f"--{flag}={value}"]) == 2
    assert_one_line_names(flag, value, capsys.readouterr().err)


def assert_one_line_names(flag: str, value: str, errors: str) -> None:
    assert errors.count("\n") == 1, errors
    assert errors.split(": ")[1] == "error"
    assert f"--{flag}" in errors or f"'{value}'" in errors
    assert (value[:60] or "''").replace("\n", "\\n") in errors


def test_value_that_begins_with_a_dash_is_refused_with_the_form_that_works(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert retrain.main(["--image_dir", "-photos"]) == 2
    assert capsys.readouterr().err == (
        "retrain: error: --image_dir needs a value; give one that begins with '-' as --image_dir=VALUE.\n"
    )


CONTRADICTIONS = {
    "output_graph=a output_labels=a": "--output_graph and --output_labels must differ, received 'a' twice.",
    "output_graph=a output_labels=./b/../a": "--output_graph and --output_labels must differ, received 'a' twice.",
    "output_graph=c.index checkpoint_path=c": (
        "--output_graph and --checkpoint_path must differ, received 'c.index' twice."
    ),
    "output_graph=a summaries_dir=a": "--output_graph and --summaries_dir must differ, received 'a' twice.",
    "output_graph=a summaries_dir=a/logs": (
        "--output_graph must be a file, received 'a', the folder of --summaries_dir."
    ),
    "output_labels=a output_graph=a/graph.pb": (
        "--output_labels must be a file, received 'a', the folder of --output_graph."
    ),
    "saved_model_dir=a output_graph=a/graph.pb": (
        "--output_graph must be outside --saved_model_dir 'a', received 'a/graph.pb'."
    ),
    "saved_model_dir=a summaries_dir=a/logs": (
        "--summaries_dir must be outside --saved_model_dir 'a', received 'a/logs'."
    ),
    "image_dir=photos summaries_dir=./photos": (
        "--summaries_dir must not be --image_dir, or its folders would become classes; received 'photos' for both."
    ),
    "tfhub_module=net.pb output_graph=net.pb": (
        "--output_graph must not be inside the module that it is made from, received 'net.pb'."
    ),
    "testing_percentage=50 validation_percentage=50": (
        "--testing_percentage and --validation_percentage must leave some images for training, received "
        "50 + 50 = 100. Lower one of them."
    ),
    "fine_tune_epochs=3": (
        "--fine_tune_epochs means nothing without --fine_tune, received 3. Add --fine_tune, or leave it out."
    ),
    "fine_tune_blocks=all fine_tune=False": (
        "--fine_tune_blocks means nothing without --fine_tune, received all. Add --fine_tune, or leave it out."
    ),
    "architecture=inception_v3 tfhub_module=builtin_small": (
        "--architecture and --tfhub_module both name the network, received 'inception_v3' and 'builtin_small'. Keep one "
        "of them."
    ),
}


@pytest.mark.parametrize("flags", CONTRADICTIONS)
def test_flags_that_contradict_each_other_are_refused(flags: str, folder: Path) -> None:
    del folder
    given = [f"--{flag}" for flag in flags.split()]
    assert refused(RETRAIN, ["--image_dir=elsewhere", *given]) == CONTRADICTIONS[flags]


@pytest.mark.parametrize(
    "flag",
    [
        "output_graph",
        "output_labels",
        "checkpoint_path",
        "summaries_dir",
        "bottleneck_dir",
        "saved_model_dir",
        "intermediate_output_graphs_dir",
        "model_dir",
    ],
)
@pytest.mark.parametrize("below", ["locked/x", "locked/new/deep/x"])
def test_output_without_write_permission_is_refused(flag: str, below: str, ordinary_user: Path) -> None:
    (ordinary_user / "locked").mkdir(mode=0o555)
    place = ordinary_user / below
    out = [
        f"--{name}={ordinary_user / name}"
        for name in (
            "output_graph",
            "output_labels",
            "checkpoint_path",
            "summaries_dir",
            "bottleneck_dir",
            "intermediate_output_graphs_dir",
        )
    ]
    message = refused(RETRAIN, ["--image_dir=photos", *out, f"--{flag}={place}"])
    assert message.endswith(
        f"cannot be written: no permission to write into '{ordinary_user / 'locked'}'. Name another place."
    )
    assert message.startswith(f"--{flag} '{place}")


def test_file_of_another_user_in_a_shared_folder_is_refused_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = tmp_path / "tmp"
    shared.mkdir()
    shared.chmod(0o1777)
    (shared / "output_graph.pb").touch()
    output = OutputPath.of_setting("output_graph", shared / "output_graph.pb")
    output_paths.check_file(output)
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(BadRequest) as caught:
        output_paths.check_file(output)
    assert str(caught.value) == (
        f"output_graph '{shared / 'output_graph.pb'}' belongs to another user. Name another place."
    )


@pytest.mark.parametrize("word", ["-x", "--", "---", "--=", "--image_dir", "\x1b[31m", "-", "photos"])
def test_words_that_are_not_flags_are_refused(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert retrain.main([word]) == 2
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert "\x1b" not in errors
