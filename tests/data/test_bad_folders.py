"""Folders with all kinds of names, sizes and contents."""

from __future__ import annotations

import csv
import io
import os
import re
import shutil
import sys
from pathlib import Path

import pytest

import label_image
import retrain
from retraining.data import dataset
from retraining.data.split import Split, split_of
from retraining.errors import BadRequest
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.settings.data import DataSettings
from retraining.storage import labels_file
from tests.conftest import COLOURS, FEW_COLOURS_TESTED, write_colour_photos, write_photo
from tests.data.test_dataset import many, touch
from tests.test_retrain import words

# Labels, and how each is shown on a terminal.
NAMES = {
    "rosé": "rosé",
    "薔薇": "薔薇",
    "وردة": "وردة",
    "роза": "роза",
    "🌹": "🌹",
    "👩‍🌾 family": "👩‍🌾 family",
    " two  spaces ": " two  spaces ",
    "line\nbreak": "line\\nbreak",
    "ends with a break\n": "ends with a break\\n",
    "carriage\rreturn\r": "carriage\\rreturn\\r",
    "tab\there": "tab\\there",
    'it\'s "quoted"': 'it\'s "quoted"',
    "-leading-dash": "-leading-dash",
    "--image_dir": "--image_dir",
    "back\\slash\\n": "back\\slash\\n",
    "a,comma;semicolon": "a,comma;semicolon",
    "%s %d {} $HOME `id`": "%s %d {} $HOME `id`",
    "=cmd()": "=cmd()",
    "\x1b[31mred": "\\x1b[31mred",
    "turned \u202e round": "turned \\u202e round",
    os.fsdecode(b"caf\xe9"): "caf\\xe9",
    os.fsdecode(b"\xff\xfe"): "\\xff\\xfe",
    "x" * 255: "x" * 255,
}


@pytest.mark.parametrize("name", NAMES, ids=[f"name {number}" for number in range(len(NAMES))])
def test_class_with_any_name_is_trained_exported_and_shown(
    name: str, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for index in range(25):
        write_photo(photos / name / f"{index}.jpg", COLOURS["cyan"], index)
        write_photo(photos / "other" / f"{index}.jpg", COLOURS["yellow"], 100 + index)
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    assert set(labels_file.read(tmp_path / "labels.txt")) == {name, "other"}
    capsys.readouterr()
    files = ["--graph", tmp_path / "graph.pb", "--labels", tmp_path / "labels.txt"]
    files += ["--image", photos / name / "0.jpg", "--num_top_predictions", "1"]
    assert label_image.main([str(word) for word in files]) == 0
    assert capsys.readouterr().out.rpartition(" ")[0] == NAMES[name]


def test_two_thousand_classes_are_scanned_with_few_warnings(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trained = [f"{index}.jpg" for index in range(40) if split(f"{index}.jpg") is Split.TRAINING][:3]
    for number in range(2000):
        touch(tmp_path / f"class {number:04}", *trained)
    scanned = dataset.scan(DataSettings(tmp_path))
    assert len(scanned.labels) == 2000
    assert len(scanned.images) == 6000
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 33
    assert messages[10] == "1,990 more classes have fewer than 20 images."
    assert messages[21] == "1,990 more classes have no validation images."
    assert messages[32] == "1,990 more classes have no testing images."


@pytest.mark.soak
def test_two_thousand_classes_are_trained_and_exported(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for number in range(2000):
        colour = (number * 37 % 256, number * 101 % 256, number * 197 % 256)
        for index in range(3):
            write_photo(photos / f"{number:04}" / f"{index}_{number}.jpg", colour, 3 * number + index)
    more = ("--validation_percentage", "0", "--testing_percentage", "0")
    assert retrain.main(words(photos, tmp_path, *more, module=tf2_module)) == 0
    assert "Found 6000 images in 2000 classes (6000 training" in capsys.readouterr().out
    assert len(labels_file.read(tmp_path / "labels.txt")) == 2000


def split(name: str) -> Split:
    return split_of(name, validation_percentage=10, testing_percentage=10)


@pytest.mark.parametrize("count", [1, 2, 19])
def test_class_with_few_images_is_trained_if_one_is_in_the_training_set(
    count: int, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    names = [f"{index}.jpg" for index in range(200)]
    in_training = next(name for name in names if split(name) is Split.TRAINING)
    few = [in_training, *(name for name in names if name != in_training)][:count]
    for index, name in enumerate(few):
        write_photo(photos / "few" / name, (0, 0, 0), 9000 + index)
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    assert f"warning: class 'few' has only {count} images (" in capsys.readouterr().err


@pytest.mark.soak
def test_class_a_thousand_times_larger_does_not_drown_the_other(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = tmp_path / "photos"
    for index in range(5):
        write_photo(photos / "large" / f"source_{index}.jpg", COLOURS["cyan"], index)
        write_photo(photos / "small" / f"{index}.jpg", COLOURS["yellow"], 100 + index)
    sources = [path.read_bytes() for path in (photos / "large").iterdir()]
    for index in range(4995):  # the bytes after the end of the image differ
        content = sources[index % 5] + index.to_bytes(4, "big")
        (photos / "large" / f"{index}.jpg").write_bytes(content)
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    write_photo(tmp_path / "new.jpg", COLOURS["yellow"], 7)
    capsys.readouterr()
    files = ["--graph", tmp_path / "graph.pb", "--labels", tmp_path / "labels.txt"]
    assert label_image.main([str(word) for word in (*files, "--image", tmp_path / "new.jpg")]) == 0
    assert capsys.readouterr().out.startswith("small ")


def test_conflicts_leaks_and_copies_of_images_are_told_apart(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    shutil.copy(photos / "cyan" / "cyan_001.jpg", photos / "yellow" / "cyan_001.jpg")
    training = [path for path in sorted((photos / "magenta").iterdir()) if split(path.name) is Split.TRAINING]
    held_out = next(f"{n}.jpg" for n in range(99) if split(f"{n}.jpg") is Split.TESTING)
    shutil.copy(training[0], photos / "magenta" / held_out)
    again = next(f"{n}.jpg" for n in range(99) if split(f"{n}.jpg") is Split.TRAINING)
    shutil.copy(training[1], photos / "magenta" / again)
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    listing = tmp_path / "logs" / "duplicate_images.csv"
    assert capsys.readouterr().err.splitlines() == [
        f"warning: conflict: the same image is in several classes: '{photos}/cyan/cyan_001.jpg' and "
        f"'{photos}/yellow/cyan_001.jpg'. Keep it in one.",
        f"warning: leak: the same image is in several sets, testing and training: '{photos}/magenta/{held_out}' "
        f"and '{training[0]}'. Keep one, or the test accuracy will be too optimistic.",
        f"warning: 1 image appears more than once in the same class: see '{listing}'.",
        "warning: fewer than 10 test images in 3 of 3 classes (magenta: 2, cyan: 4, yellow: 7): one image more "
        "or less changes the recall of 'magenta' by 50 points. Add images, or raise --testing_percentage.",
    ]
    with listing.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["group"], row["kind"], Path(row["path"]).name) for row in rows] == [
        ("1", "conflict", "cyan_001.jpg"),
        ("1", "conflict", "cyan_001.jpg"),
        ("2", "leak", held_out),
        ("2", "leak", training[0].name),
        ("3", "copy", again),
        ("3", "copy", training[1].name),
    ]
    assert {row["class"] for row in rows[:2]} == {"cyan", "yellow"}


def test_names_that_only_a_computer_tells_apart_are_two_classes_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many(tmp_path, "Roses", "roses", "roses ", "caf\u00e9", "cafe\u0301")
    assert dataset.scan(DataSettings(tmp_path)).labels == (
        "Roses",
        "cafe\u0301",
        "caf\u00e9",
        "roses",
        "roses ",
    )
    pairs = ("cafe\u0301", "caf\u00e9"), ("Roses", "roses"), ("roses", "roses ")
    assert [record.getMessage() for record in caplog.records] == [
        f"classes '{one}' and '{other}' differ only in upper and lower case, in blanks or in how a letter is encoded. If "
        "they are one class, give them one name."
        for one, other in pairs
    ]


def test_image_folder_may_be_read_only(ordinary_user: Path, extractor: FeatureExtractor) -> None:
    photos = write_colour_photos(ordinary_user / "photos")
    folders = [photos, *photos.iterdir()]
    for folder in folders:
        folder.chmod(0o555)
    with pytest.raises(PermissionError):
        (photos / "cyan" / "new").touch()
    cache = BottleneckCache(ordinary_user / "cache", extractor)
    computed = bottlenecks.compute(dataset.scan(DataSettings(photos)), extractor, cache)
    for folder in folders:
        folder.chmod(0o755)
    assert len(computed.dataset.images) == 90


@pytest.mark.parametrize("spelling", ["trailing slash", "relative", "through a link", "with dots"])
def test_image_dir_may_be_written_in_any_way(
    spelling: str, tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    assert retrain.main(words(photos, tmp_path / "plain", module=tf2_module)) == 0
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(photos)
    spelt = {
        "trailing slash": f"{photos}/",
        "relative": "photos",
        "through a link": "link",
        "with dots": f"./photos/../{photos.name}/.",
    }[spelling]
    assert retrain.main(words(Path(spelt), tmp_path / "spelt", module=tf2_module)) == 0
    assert (tmp_path / "plain" / "graph.pb").read_bytes() == (tmp_path / "spelt" / "graph.pb").read_bytes()


def test_outputs_and_cache_inside_the_image_folder_are_not_classes_in_later_runs(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    inside = words(photos, photos / "results", module=tf2_module)
    inside[inside.index("--bottleneck_dir") + 1] = str(photos / "cache")
    inside[inside.index("--summaries_dir") + 1] = str(photos / "logs")
    for _ in range(2):
        assert retrain.main(inside) == 0
        captured = capsys.readouterr()
        assert "Found 90 images in 3 classes (69 training, 9 validation, 12 testing)." in captured.out
        assert captured.err.splitlines() == [FEW_COLOURS_TESTED]
    assert f"Folder '{photos / 'results'}' holds outputs of this program and is not a class." in captured.out
    # The cache is not a class either for a run whose own cache is elsewhere.
    assert dataset.scan(DataSettings(photos), [photos / "logs", *(photos / "results").iterdir()]).labels == (
        "cyan",
        "magenta",
        "yellow",
    )


def test_graph_written_into_a_class_folder_is_not_one_of_its_images(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    into = words(photos, tmp_path, module=tf2_module)
    into[into.index("--output_graph") + 1] = str(photos / "cyan" / "graph.pb")
    for _ in range(2):
        assert retrain.main(into) == 0
        assert capsys.readouterr().err.splitlines() == [FEW_COLOURS_TESTED]


def test_broken_links_and_images_outside_class_folders_are_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many(tmp_path, "roses", "tulips")
    touch(tmp_path, "LICENSE.txt", "loose.jpg", "loose.PNG")
    (tmp_path / "lilies").symlink_to(tmp_path / "not mounted")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert dataset.scan(DataSettings(tmp_path)).labels == ("roses", "tulips")
    assert [record.getMessage() for record in caplog.records] == [
        f"'{tmp_path / 'lilies'}' is a broken link, so it is not a class.",
        f"'{tmp_path / 'loop'}' is a broken link, so it is not a class.",
        f"2 images are in '{tmp_path}' itself, outside any class folder, and are ignored. Move them into a class folder.",
    ]


def test_class_folder_that_cannot_be_read_is_named(ordinary_user: Path) -> None:
    many(ordinary_user, "roses", "tulips")
    (ordinary_user / "tulips").chmod(0)
    with pytest.raises(BadRequest) as caught:
        dataset.scan(DataSettings(ordinary_user))
    assert str(caught.value) == f"folder '{ordinary_user / 'tulips'}' cannot be read: Permission denied."


def test_terminal_that_only_shows_ascii_does_not_stop_a_run(
    tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    (photos / "cyan").rename(photos / "🌹")
    (photos / "🌹" / "página.jpg").write_bytes(b"")
    terminal = io.BytesIO()
    for name, errors in (("stdout", "strict"), ("stderr", "backslashreplace")):  # as Python opens them
        monkeypatch.setattr(sys, name, io.TextIOWrapper(terminal, "ascii", errors, write_through=True))
    assert retrain.main(words(photos, tmp_path, module=tf2_module)) == 0
    printed = terminal.getvalue().decode("ascii")
    assert "\\U0001f339/p\\xe1gina.jpg: it is empty." in printed
    assert re.search(r"^\\U0001f339 +30 +\d of \d ", printed, re.MULTILINE)
