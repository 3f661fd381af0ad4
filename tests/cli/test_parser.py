from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from retraining.cli import parser
from retraining.cli.programs import LABEL_IMAGE, RETRAIN
from retraining.modules import handles
from retraining.settings.data import HeldOut
from retraining.settings.retrain import RetrainSettings
from tests.conftest import checked, refused


def parse(*words: str) -> RetrainSettings:
    settings: RetrainSettings = checked(RETRAIN, ["--image_dir", "photos", *words])
    return settings


def refusal(*words: str) -> str:
    return refused(RETRAIN, ["--image_dir", "photos", *words])


def test_defaults_are_those_of_the_tutorials_with_the_network_that_ships() -> None:
    settings = parse()
    assert settings.data.held_out == HeldOut(testing=10, validation=10)
    assert settings.module.tfhub_module == "builtin"
    assert settings.module.bottleneck_dir == Path("/tmp/bottleneck")
    training = settings.training
    assert (training.how_many_training_steps, training.learning_rate) == (4000, 0.01)
    assert (training.train_batch_size, training.validation_batch_size, training.test_batch_size) == (
        100,
        100,
        -1,
    )
    assert training.eval_step_interval == 10
    output = settings.output
    assert output.output_graph == Path("/tmp/output_graph.pb")
    assert output.output_labels == Path("/tmp/output_labels.txt")
    assert output.summaries_dir == Path("/tmp/retrain_logs")
    assert output.final_tensor_name == "final_result"
    assert output.checkpoint_path == Path("/tmp/_retrain_checkpoint")
    assert (output.saved_model_dir, output.intermediate_store_frequency) == (None, 0)


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ([], False),
        (["--X"], True),
        (["--X", "True"], True),
        (["--X", "False"], False),
        (["--X=false"], False),
    ],
)
def test_switch_takes_true_and_false_after_it(words: list[str], value: bool) -> None:
    flag = "--print_misclassified_test_images"
    settings = parse(*(word.replace("--X", flag) for word in words))
    assert settings.output.print_misclassified_test_images is value


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--learning_rate 0", "--learning_rate must be a number greater than 0, received '0'."),
        ("--learning_rate nan", "--learning_rate must be a number greater than 0, received 'nan'."),
        (
            "--how_many_training_steps -5",
            "--how_many_training_steps must be a whole number of at least 1, received '-5'.",
        ),
        (
            "--train_batch_size 0",
            "--train_batch_size must be a whole number from 1 to 1000000, or -1 for the whole set, received '0'.",
        ),
        (
            "--testing_percentage 101",
            "--testing_percentage must be a percentage from 0 to 100, received '101'.",
        ),
        (
            "--testing_percentage 60 --validation_percentage 40",
            "--testing_percentage and --validation_percentage must leave some images for training, received "
            "60 + 40 = 100. Lower one of them.",
        ),
        (
            "--final_tensor_name a:0",
            "--final_tensor_name must be letters, digits, '_', '.' or '-', beginning with a letter or digit, "
            "received 'a:0'.",
        ),
        (
            "--final_tensor_name Placeholder",
            "--final_tensor_name must not be a name that the exported graph uses (Placeholder, module, final_layer), received 'Placeholder'.",
        ),
        (
            "--logging_verbosity LOUD",
            "--logging_verbosity must be one of DEBUG INFO WARN ERROR FATAL, received 'LOUD'.",
        ),
        ("--precision float16", "--precision must be one of auto float32 bfloat16, received 'float16'."),
        (
            "--print_misclassified_test_images maybe",
            "--print_misclassified_test_images must be True or False, received 'maybe'.",
        ),
        ("--output_graph ''", "--output_graph must be a path, received ''."),
        (
            "--output_graph same --output_labels same",
            "--output_graph and --output_labels must differ, received 'same' twice.",
        ),
        ("--seed", "--seed needs a value; give one that begins with '-' as --seed=VALUE."),
        ("--image_dirr x", "unknown flag --image_dirr. Did you mean --image_dir?"),
        (
            "--train-batch-size=5",
            "unknown flag --train-batch-size. Did you mean --train_batch_size?",
        ),
        ("--learning 5", "unknown flag --learning. Did you mean --learning_rate?"),
        ("--quux 5", "unknown flag --quux. See --help for the flags."),
        ("quux", "'quux' does not belong to any flag. See --help for the flags."),
    ],
)
def test_flag_that_cannot_be_used_is_refused_with_its_rule(words: str, message: str) -> None:
    assert refusal(*(word.strip("'") for word in words.split())) == message


def test_image_dir_is_required() -> None:
    assert refused(RETRAIN, []) == (
        "--image_dir is required: the folder with one sub-folder of images per class. Or give a list of "
        "images as --image_list."
    )


def test_output_that_is_a_folder_is_refused(tmp_path: Path) -> None:
    assert refusal("--output_graph", str(tmp_path)) == (
        f"--output_graph must be a file, received the folder '{tmp_path}'."
    )


def test_saved_model_dir_that_is_not_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").touch()
    assert refusal("--saved_model_dir", str(tmp_path)) == (
        f"--saved_model_dir must be a new or empty folder, received '{tmp_path}'. Name another, or remove this one."
    )


@pytest.mark.parametrize(
    ("name", "handle"),
    [
        ("inception_v3", "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3"),
        ("mobilenet_1.0_224", "https://tfhub.dev/google/imagenet/mobilenet_v1_100_224/feature_vector/3"),
        (
            "mobilenet_0.50_192_quantized",
            "https://tfhub.dev/google/imagenet/mobilenet_v1_050_192/quantops/feature_vector/3",
        ),
    ],
)
def test_architecture_of_tensorflows_script_means_the_hub_module(name: str, handle: str) -> None:
    assert handles.resolve(parse("--architecture", name).module) == handle


def test_unknown_architecture_is_refused_with_the_known_ones() -> None:
    assert refusal("--architecture", "mobilenet_0.3_96") == (
        "--architecture must be inception_v3 or mobilenet_<width>_<image size>[_quantized] with a width of "
        "1.0, 0.75, 0.50, 0.25 and a size of 224, 192, 160, 128, received 'mobilenet_0.3_96'."
    )


def test_alias_stands_for_its_address() -> None:
    assert handles.resolve(parse("--tfhub_module", "mobilenet_v2_100_224").module) == (
        "https://tfhub.dev/google/imagenet/mobilenet_v2_100_224/feature_vector/5"
    )


def test_unknown_alias_is_refused_with_the_nearest_ones() -> None:
    assert refusal("--tfhub_module", "mobilnet_v2_100_224").startswith(
        "'mobilnet_v2_100_224' is not a known module. Did you mean mobilenet_v2_100_224, "
    )


def test_folder_is_preferred_to_an_alias_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "inception_v3").mkdir()
    assert handles.resolve(parse("--tfhub_module", "inception_v3").module) == "inception_v3"


def test_flags_of_frozen_graphs_are_refused_for_other_modules() -> None:
    assert refusal("--tfhub_module", "builtin", "--input_mean", "5") == (
        "--input_mean is for a frozen graph (.pb), but the module is 'builtin'. Leave it out."
    )
    assert parse("--tfhub_module", "net.pb", "--input_mean", "-5").module.input_mean == -5


def test_known_modules_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        checked(RETRAIN, ["--list_modules"])
    assert caught.value.code == 0
    assert re.search(r"^mobilenet_v1_025_128 +128 +256 ", capsys.readouterr().out, re.MULTILINE)


def test_two_names_for_the_network_are_refused() -> None:
    assert refusal("--architecture", "inception_v3", "--tfhub_module", "builtin_small") == (
        "--architecture and --tfhub_module both name the network, received 'inception_v3' and 'builtin_small'. "
        "Keep one of them."
    )


def test_label_image_accepts_several_images() -> None:
    settings = parser.parse(LABEL_IMAGE, ["--image", "a.jpg", "b.png", "--image", "folder"])
    assert settings.image == (Path("a.jpg"), Path("b.png"), Path("folder"))
    assert settings.num_top_predictions == 5


def test_label_image_accepts_an_explicit_zero() -> None:
    assert parser.parse(LABEL_IMAGE, ["--image", "a.jpg", "--input_mean", "0"]).input_mean == 0
    words = ["--image", "a.jpg", "--input_std", "0"]
    assert refused(LABEL_IMAGE, words) == "--input_std must be a number greater than 0, received '0'."


def test_label_image_requires_an_image() -> None:
    assert refused(LABEL_IMAGE, []) == "--image is required: the images to label."


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        parse().training.seed = 1  # type: ignore[misc]
