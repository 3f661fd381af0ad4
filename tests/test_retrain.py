"""The commands as a user runs them, end to end."""

from __future__ import annotations

import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import label_image
import retrain
from retraining.cli import commands
from retraining.features import extractor
from retraining.settings.module import ModuleSettings
from tests.cli.test_commands import IN_A_CHECKOUT
from tests.cli.test_streams import unread
from tests.conftest import COLOURS, FEW_COLOURS_TESTED, PROJECT, write_colour_photos, write_photo
from tests.data.test_leftovers import litter
from tests.forked_retrain import Forks


def words(photos: Path, out: Path, *more: str | Path, module: str | Path = "builtin_small") -> list[str]:
    flags = {
        "--image_dir": photos,
        "--tfhub_module": module,
        "--bottleneck_dir": out / "bottlenecks",
        "--output_graph": out / "graph.pb",
        "--output_labels": out / "labels.txt",
        "--summaries_dir": out / "logs",
        "--checkpoint_path": out / "checkpoint",
        "--intermediate_output_graphs_dir": out / "intermediate",
        "--report": "none",
        "--how_many_training_steps": 400,
    }
    return [str(word) for pair in flags.items() for word in pair] + [str(word) for word in more]


def kept(out: Path) -> int:
    """Return the number of vectors in complete files on disk."""
    return sum(int(path.stem[-5:]) for path in (out / "bottlenecks").glob("*/*.tfrecord"))


def final_accuracy(output: str) -> float:
    match = re.search(r"^Final test accuracy = ([\d.]+)% \(N=\d+\)$", output, re.MULTILINE)
    assert match is not None, output
    return float(match[1])


def test_colours_are_learnt_and_the_export_labels_new_photos(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    captured = capsys.readouterr()
    assert captured.err.splitlines() == [FEW_COLOURS_TESTED]
    assert final_accuracy(captured.out) == 100
    for colour, value in COLOURS.items():
        write_photo(tmp_path / "new.jpg", value, seed=9000 + len(colour))
        files = ["--graph", tmp_path / "graph.pb", "--labels", tmp_path / "labels.txt"]
        assert label_image.main([str(word) for word in (*files, "--image", tmp_path / "new.jpg")]) == 0
        assert capsys.readouterr().out.split()[0] == colour


def test_random_colours_are_not_learnt(
    tmp_path: Path, tf2_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    colours = list(COLOURS.values())
    for name in ("a", "b", "c"):
        for index in range(60):
            seed = int(rng.integers(1_000_000))
            write_photo(tmp_path / "photos" / name / f"{name}_{index}.jpg", colours[rng.integers(3)], seed)
    assert retrain.main(words(tmp_path / "photos", tmp_path, module=tf2_module)) == 0
    assert final_accuracy(capsys.readouterr().out) < 75


def write_sets(folder: Path, **per_class: int) -> Path:
    """Write a folder for each set, with so many images of each colour, no two alike."""
    for name, count in per_class.items():
        for colour, value in COLOURS.items():
            for index in range(count):
                seed = sum(f"{name}/{colour}".encode()) * 1000 + index
                write_photo(folder / name / colour / f"{index}.jpg", value, seed)
    return folder


def test_sets_that_come_as_folders_are_used_and_leftovers_are_no_reason_to_stop(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_sets(tmp_path / "photos", train=20, val=3, test=10)
    litter(photos, photos / "train", photos / "test" / "cyan")
    assert retrain.main(words(photos, tmp_path, "--strict", module=tf2_module)) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines()[:2] == [
        f"Using the folders of '{photos}' as the split: 'train' for training, 'val' for validation, 'test' for "
        "testing.",
        "Found 99 images in 3 classes (60 training, 9 validation, 30 testing).",
    ]
    assert "Final test accuracy = 100.0% (N=30)\n" in captured.out
    assert (tmp_path / "labels.txt").read_text().splitlines() == list(COLOURS)


def test_set_that_loses_an_image_keeps_its_advice(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_sets(tmp_path / "photos", train=20, test=1)
    (photos / "test" / "cyan" / "0.jpg").write_bytes(b"<html>")
    assert retrain.main(words(photos, tmp_path, "--validation_percentage=0", module=tf2_module)) == 0
    warned = capsys.readouterr().err
    # Not to raise a percentage, which decides nothing here.
    assert (
        "class 'cyan' has no testing images (20 training, 0 validation, 0 testing), so testing accuracy says "
        in warned
    )
    assert "_percentage" not in warned


def test_percentage_of_a_set_that_is_a_folder_is_refused_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_sets(tmp_path / "photos", train=1, test=1)
    assert retrain.main(words(photos, tmp_path / "out", "--testing_percentage", "10")) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err == (
        "retrain: error: --testing_percentage must be left out where the testing set has its own folder, as here "
        f"with '{photos / 'test'}'; received 10. Leave it out, or move that folder out of '{photos}'.\n"
    )
    assert not (tmp_path / "out").exists()


def quoted(path: Path) -> str:
    return shlex.quote(str(path))


def test_lines_that_scripts_parse(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(commands, "this_start", lambda: IN_A_CHECKOUT)
    more = ("--print_misclassified_test_images", "--how_many_training_steps", "21", "--learning_rate", "1e-9")
    assert retrain.main(words(colour_photos, tmp_path, *more, module=tf2_module)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Found 90 images in 3 classes (69 training, 9 validation, 12 testing)."
    assert lines[1] == "Module colour_grid: 32x32 pixels to 48 features, computed by TensorFlow."
    assert re.fullmatch(r"90 bottlenecks computed in \d+\.\d s \(\d+ images per second\)\.", lines[2])
    lines[2:3] = []
    patterns = (
        r"Step {}: Train accuracy = \d+\.\d%",
        r"Step {}: Cross entropy = \d\.\d{{6}}",
        r"Step {}: Validation accuracy = \d+\.\d% \(N=100\)",
    )
    for row, step in enumerate((0, 10, 20)):
        for offset, pattern in enumerate(patterns):
            assert re.fullmatch(pattern.format(step), lines[2 + 3 * row + offset])
    assert re.fullmatch(r"Final test accuracy = \d+\.\d% \(N=12\)", lines[11])
    assert re.fullmatch(r"95% confidence interval: \d+\.\d% to \d+\.\d%", lines[12])
    assert lines[13:15] == ["", "class    images   right  precision  recall"]
    for line in lines[15:18]:
        assert re.fullmatch(r"(cyan   |magenta|yellow )      30  \d of [147]  [ \d.%-]{9}  [ \d.]{5}%", line)
    assert lines[18] == "=== MISCLASSIFIED TEST IMAGES ==="
    listed = [line for line in lines[19:] if line.endswith(tuple(COLOURS)) and str(colour_photos) in line]
    assert len(listed) == round(12 * (1 - float(lines[11].split("= ")[1].split("%")[0]) / 100))
    assert listed
    assert all(re.fullmatch(r" *\S.*/\w+_\d{3}\.jpg  (cyan|magenta|yellow)", line) for line in listed)
    test_image = colour_photos / "cyan" / "cyan_005.jpg"
    assert lines[-6:] == [
        f"Graph:  {tmp_path / 'graph.pb'}",
        f"Labels: {tmp_path / 'labels.txt'}",
        "Classify an image:",
        f"  python label_image.py --graph {quoted(tmp_path / 'graph.pb')} --labels "
        f"{quoted(tmp_path / 'labels.txt')} --image {quoted(test_image)}",
        "Look at the training:",
        f"  tensorboard --logdir {quoted(tmp_path / 'logs')}",
    ]


def hard_names(folder: Path, module: Path) -> list[str]:
    """Write images into a folder whose name a shell must be told carefully; return a run's flags there."""
    photos = write_colour_photos(folder / "it's my \U0001f337 photos", per_class=10)
    flags = words(Path(photos.name), Path("-out"), "--how_many_training_steps", "5", module=module)
    return [f"{flag}={value}" for flag, value in zip(flags[::2], flags[1::2], strict=True)]


def check_printed_command(output: str, folder: Path) -> None:
    (line,) = [line for line in output.splitlines() if "label_image" in line]
    printed = subprocess.check_output(["sh", "-c", line], cwd=folder, text=True)
    assert sorted(line.split()[0] for line in printed.splitlines()) == sorted(COLOURS)


@pytest.mark.soak
def test_printed_command_labels_an_image_when_a_shell_runs_it(
    tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(PROJECT / "retrain.py")])
    assert retrain.main(hard_names(tmp_path, tf2_module)) == 0
    check_printed_command(capsys.readouterr().out, tmp_path)


@pytest.mark.soak
def test_command_that_a_process_without_streams_prints_labels_an_image(
    tf2_module: Path, tmp_path: Path
) -> None:
    command = [sys.executable, str(PROJECT / "retrain.py"), *hard_names(tmp_path, tf2_module)]
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- 2>&-', "sh", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0
    check_printed_command(done.stdout, tmp_path)


def test_run_whose_output_loses_its_reader_writes_its_results_in_silence(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with unread() as output, unread() as errors:
        monkeypatch.setattr(sys, "stdout", output)
        monkeypatch.setattr(sys, "stderr", errors)
        (colour_photos / "cyan" / "page.jpg").write_bytes(b"<html>")  # of which a warning tells
        assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
        files = ["--graph", str(tmp_path / "graph.pb"), "--labels", str(tmp_path / "labels.txt")]
        assert label_image.main([*files, "--image", str(colour_photos / "magenta")]) == 141


def test_results_of_each_class_are_written_beside_the_tensorboard_logs(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    assert (tmp_path / "logs" / "class_results.csv").read_text() == (
        "class,images,tested,right,precision,recall\n"
        "cyan,30,4,4,1.0,1.0\n"
        "magenta,30,1,1,1.0,1.0\n"
        "yellow,30,7,7,1.0,1.0\n"
    )


def test_unbalanced_classes_are_warned_of_and_counted_without_skipped_files(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for label, count in (("cyan", 61), ("yellow", 12)):
        for index in range(count):
            write_photo(photos / label / f"{index}.jpg", COLOURS[label], seed=1000 * count + index)
    (photos / "yellow" / "page.jpg").write_bytes(b"<html>")
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    warnings = [line for line in capsys.readouterr().err.splitlines() if "are unbalanced" in line]
    assert len(warnings) == 1
    assert "'cyan' has 61 images, but 'yellow' only 12. " in warnings[0]


def test_same_seed_gives_the_same_bytes_from_an_empty_or_a_full_cache(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    graphs = []
    for out, seed in (("a", 7), ("b", 7), ("b", 7), ("b", 8)):
        assert retrain.main(words(colour_photos, tmp_path / out, "--seed", str(seed), module=tf2_module)) == 0
        graphs.append((tmp_path / out / "graph.pb").read_bytes())
    assert graphs[0] == graphs[1] == graphs[2] != graphs[3]


def test_both_forms_of_a_module_give_the_same_classifier(
    colour_photos: Path, tf1_hub_module: Path, tf2_module: Path, tmp_path: Path
) -> None:
    pixels = np.random.default_rng(0).random((3, 32, 32, 3), np.float32)
    vectors = [
        extractor.load_extractor(ModuleSettings(str(folder))).extract(pixels)
        for folder in (tf1_hub_module, tf2_module)
    ]
    np.testing.assert_allclose(vectors[0], vectors[1], atol=1e-5)
    assert retrain.main(words(colour_photos, tmp_path, module=tf1_hub_module)) == 0


def test_broken_files_are_skipped_counted_and_do_not_end_the_run(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (colour_photos / "cyan" / "page.jpg").write_bytes(b"<html>")
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    assert capsys.readouterr().err.splitlines() == [
        f"warning: skipped {colour_photos / 'cyan' / 'page.jpg'}: it is a web page, not an image.",
        FEW_COLOURS_TESTED,
        f"warning: 1 file skipped; the reasons are above and in {tmp_path / 'logs' / 'skipped_images.csv'}.",
    ]


def test_class_with_only_broken_files_is_an_error(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for index in range(25):
        path = colour_photos / "daisy" / f"{index}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"<html>")
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "retrain: error: class 'daisy' has no usable images, only 25 web pages. Add images of it, or "
        "remove the class."
    )
    assert not (tmp_path / "graph.pb").exists()


def test_bad_request_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "photos" / "roses").mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    assert retrain.main(words(tmp_path / "photos", tmp_path / "out")) == 2
    assert "needs at least two class folders" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_smallest_possible_dataset_is_trained(
    tmp_path: Path, tf2_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("cyan", "yellow"):
        write_photo(tmp_path / "photos" / name / f"{name}_000.jpg", COLOURS[name], seed=1)
    assert retrain.main(words(tmp_path / "photos", tmp_path, module=tf2_module)) == 0
    captured = capsys.readouterr()
    assert "Validation accuracy" not in captured.out
    assert "warning: no class has a test image, so there is no test accuracy. Add images." in captured.err
    assert "confidence interval" not in captured.out
    assert (tmp_path / "logs" / "class_results.csv").read_text().splitlines()[1:] == [
        "cyan,1,0,0,,",
        "yellow,1,0,0,,",
    ]
    assert (tmp_path / "graph.pb").exists()


@pytest.mark.soak
def test_ctrl_c_keeps_the_vectors_and_exits_130(tf2_module: Path, tmp_path: Path, forks: Forks) -> None:
    photos = tmp_path / "photos"
    for name in ("cyan", "yellow"):
        for index in range(200):
            write_photo(photos / name / f"{name}_{index:03}.jpg", COLOURS[name], seed=index)
    flush = "retraining.features.cache:BottleneckCache.flush"
    run = forks.run(words(photos, tmp_path, module=tf2_module), tmp_path, sent=signal.SIGINT, call=flush)
    assert (run.status, run.errors) == (130, "\nretrain: interrupted; what was computed is kept\n")
    assert 256 <= kept(tmp_path) < 400
    assert not (tmp_path / "graph.pb").exists()
