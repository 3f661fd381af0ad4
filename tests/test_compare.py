"""The command as a user runs it, end to end."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

import label_image
from retraining import compare
from retraining.cli.programs import COMPARE
from retraining.networks import construction
from tests.conftest import FEW_COLOURS_TESTED, PROJECT, refused, write_colour_photos, write_photo


def words(photos: Path, out: Path, models: str, *more: str) -> list[str]:
    flags = {
        "--image_dir": photos,
        "--models": models,
        "--epochs": 3,
        "--image_size": 67,
        "--width": 0.05,
        "--how_many_training_steps": 200,
        "--bottleneck_dir": out / "bottlenecks",
        "--output_dir": out / "compared",
    }
    return [str(word) for pair in flags.items() for word in pair] + list(more)


@pytest.fixture(scope="module")
def compared(
    tf2_module: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Path, list[str]]]:
    """A folder in which a module and a network with two optimizers were compared, and the command."""
    out = tmp_path_factory.mktemp("compare")
    photos = write_colour_photos(out / "photos")
    command = words(photos, out, f"{tf2_module},alexnet", "--optimizer", "adam,adagrad")
    assert compare.main(command) == 0
    yield out, out / "compared", command


def test_all_models_are_in_the_table(compared: tuple[Path, Path, list[str]]) -> None:
    _, folder, _ = compared
    table = (folder / "table.csv").read_text().splitlines()
    rows = {row["model"]: row for row in csv.DictReader(table)}
    assert list(rows) == ["colour_grid", "alexnet-adam", "alexnet-adagrad"]
    assert float(rows["colour_grid"]["test_accuracy"]) == 1
    assert (
        int(rows["alexnet-adam"]["parameters"])
        == construction.build("alexnet", classes=3, image_size=67, width=0.05).count_params()
    )
    for row in rows.values():
        assert float(row["training_seconds"]) > 0
        assert float(row["images_per_second"]) > 0
        assert int(row["file_bytes"]) > 4 * int(row["parameters"])
    assert (folder / "table.md").read_text().count("\n") == 5


def test_curves_and_tensorboard_runs_are_written(compared: tuple[Path, Path, list[str]]) -> None:
    _, folder, _ = compared
    with Image.open(folder / "curves.png") as image:
        assert image.width > image.height > 300
    assert (folder / "curves.svg").read_text().startswith("<?xml")
    runs = sorted(path.parent.relative_to(folder / "logs") for path in folder.glob("logs/*/*/events*"))
    assert list(map(str, runs)) == [
        f"{model}/{split}"
        for model in ("alexnet-adagrad", "alexnet-adam", "colour_grid")
        for split in ("train", "validation")
    ]


def test_exported_winner_classifies_new_images(
    compared: tuple[Path, Path, list[str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, folder, _ = compared
    write_photo(tmp_path / "new.jpg", (255, 255, 0), seed=77)
    files = ["--graph", folder / "output_graph.pb", "--labels", folder / "output_labels.txt"]
    assert label_image.main([str(word) for word in (*files, "--image", tmp_path / "new.jpg")]) == 0
    assert capsys.readouterr().out.split()[0] == "yellow"


@dataclasses.dataclass(frozen=True)
class SecondRun:
    """What the command of `compared` prints when it is given again, and the graph that was there before."""

    output: str
    warnings: str
    earlier_graph: bytes


@pytest.fixture(scope="module")
def second_run(compared: tuple[Path, Path, list[str]]) -> SecondRun:
    _, folder, command = compared
    earlier = (folder / "output_graph.pb").read_bytes()
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        assert compare.main(command) == 0
    return SecondRun(output.getvalue(), errors.getvalue(), earlier)


def test_second_run_trains_nothing_again_and_prints_the_same(
    compared: tuple[Path, Path, list[str]], second_run: SecondRun
) -> None:
    _, folder, _ = compared
    output = second_run.output
    assert second_run.warnings.splitlines() == [FEW_COLOURS_TESTED]  # once, not for each model
    assert "alexnet-adam: 3 of 3 epochs were already done." in output
    assert "epoch 1 of 3" not in output
    assert re.search(
        r"^Use colour_grid: 100\.0% on the validation images, 100\.0% on the test images\.$", output, re.M
    )
    assert re.search(
        r"^95% confidence interval of colour_grid's test accuracy: 75\.8% to 100\.0% \(N=12\)\n\n"
        r"class    images   right  precision  recall\n"
        r"cyan         30  4 of 4     100\.0%  100\.0%\n",
        output,
        re.M,
    )
    assert f"\nClasses: {folder / 'class_results.csv'}\n" in output
    assert (folder / "class_results.csv").read_text().count("\n") == 4
    assert re.search(r"^The graph was read back and agrees with the classifier on 12 images\.$", output, re.M)
    (weights,) = re.findall(r"^Weights: (.+) \(alexnet-adagrad\)$", output, re.M)
    assert construction.read_network(Path(weights)).name == "alexnet"
    assert (folder / "output_graph.pb").read_bytes() == second_run.earlier_graph


def test_table_is_printed_line_by_line(second_run: SecondRun) -> None:
    lines = second_run.output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("| model |"))
    table = lines[first : first + 5]
    assert table[1] == "|---|---|---|---|---|---|---|---|---|"
    assert [line.split(" | ")[:2] for line in table[2:]] == [
        ["| colour_grid", "new layer"],
        ["| alexnet-adam", "from scratch"],
        ["| alexnet-adagrad", "from scratch"],
    ]
    assert {line.count("|") for line in table} == {10}
    assert lines[first + 5] == ""


def test_network_that_wins_is_exported_and_classifies_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    assert compare.main(words(photos, tmp_path, "alexnet", "--epochs", "8")) == 0
    assert "Use alexnet-adam: 100.0%" in capsys.readouterr().out
    folder = tmp_path / "compared"
    files = ["--graph", folder / "output_graph.pb", "--labels", folder / "output_labels.txt"]
    for colour, value in {"cyan": (0, 255, 255), "magenta": (255, 0, 255)}.items():
        write_photo(tmp_path / "new.jpg", value, seed=5)
        assert label_image.main([str(word) for word in (*files, "--image", tmp_path / "new.jpg")]) == 0
        assert capsys.readouterr().out.split()[0] == colour


@pytest.mark.soak
def test_run_that_was_killed_continues(tmp_path: Path) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    command = [
        sys.executable,
        "-m",
        "retraining.compare",
        *words(photos, tmp_path, "alexnet", "--epochs", "40"),
    ]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "epoch 5 of 40" in line:
                process.send_signal(signal.SIGKILL)
                break
    time.sleep(0.1)
    again = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    match = re.search(r"alexnet-adam: (\d+) of 40 epochs were already done", again.stdout)
    assert match is not None
    assert 5 <= int(match[1]) <= 10
    assert f"epoch {int(match[1]) + 1} of 40" in again.stdout
    assert "epoch 1 of 40" not in again.stdout


def refusal(*more: str) -> str:
    return refused(COMPARE, ["--image_dir", "photos", *more])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("", "--models is required: the models to compare, separated by commas."),
        ("--models builtin,", "--models must be names separated by commas, received 'builtin,'."),
        ("--models vgg16,vgg16", "--models names 'vgg16' twice. Name it once."),
        (
            "--models vgg16 --optimizer adam,lamb",
            "--optimizer must be one of adagrad, adam, rmsprop, sgd, received 'lamb'.",
        ),
        (
            "--models builtin,inception_v3 --image_size 64",
            "--image_size of inception_v3 must be at least 75, received 64. Raise it, or leave the network out.",
        ),
        ("--models vgg16 --width 1.5", "--width must be a number above 0, and at most 1, received '1.5'."),
        ("--models gogglenet", "'gogglenet' is not a network that can be trained. Did you mean googlenet?"),
    ],
)
def test_flag_that_breaks_a_rule_is_refused(more: str, message: str) -> None:
    assert refusal(*more.split()) == message


def test_output_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal("--models", "builtin", "--output_dir", str(tmp_path / "file")) == (
        f"--output_dir must be a folder, received the file '{tmp_path / 'file'}'."
    )


def test_comparison_without_held_out_images_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=30)
    none = ("--validation_percentage", "0", "--testing_percentage", "0")
    assert compare.main(words(photos, tmp_path, "alexnet", *none)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "compare: error: a comparison needs images that no model is trained on, but none are held out. Raise "
        "--validation_percentage or --testing_percentage, or add images."
    )


def test_sets_that_come_as_folders_are_the_split(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("train", "val", "test"):
        write_colour_photos(tmp_path / "photos" / name, per_class=10)
    assert compare.main(words(tmp_path / "photos", tmp_path, f"{tmp_path}/gone")) == 2
    assert capsys.readouterr().out == (
        f"Using the folders of '{tmp_path / 'photos'}' as the split: 'train' for training, 'val' for validation, "
        "'test' for testing.\nFound 90 images in 3 classes (30 training, 30 validation, 30 testing).\n"
    )
    given = ("--validation_percentage", "10")
    assert compare.main(words(tmp_path / "photos", tmp_path, "alexnet", *given)) == 2
    assert capsys.readouterr().err.startswith(
        "compare: error: --validation_percentage must be left out where the validation set has its own folder"
    )


def test_sets_that_hold_nothing_out_are_refused_with_a_remedy_that_helps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos" / "train", per_class=20).parent
    for name in ("cyan", "magenta", "yellow"):
        (photos / "test" / name).mkdir(parents=True)
    none = ("--validation_percentage", "0")
    assert compare.main(words(photos, tmp_path, "alexnet", *none)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "compare: error: a comparison needs images that no model is trained on, but none are held out. Add "
        "validation or test images."
    )


def test_missing_module_is_reported_before_any_model_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=30)
    assert compare.main(words(photos, tmp_path, f"builtin_small,alexnet,{tmp_path}/gone")) == 2
    captured = capsys.readouterr()
    assert captured.out == "Found 90 images in 3 classes (69 training, 9 validation, 12 testing).\n"
    assert captured.err.splitlines()[-1] == (
        f"compare: error: --tfhub_module '{tmp_path}/gone' is not an existing folder or file, a web address, "
        "a name from --list_modules, 'keras:NAME' or 'builtin'."
    )
    assert not (tmp_path / "compared").exists()
    assert [path.name for path in (tmp_path / "bottlenecks").iterdir()] == ["networks"]


def test_help_does_not_import_tensorflow() -> None:
    code = (
        "import sys, retraining.compare, retraining.oxford_flowers17; sys.exit('tensorflow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
