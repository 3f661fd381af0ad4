"""A list gives the data set of the folder that it was made from; what cannot be used of it is named."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable
from pathlib import Path

import pytest

from retraining.data import dataset, needed_files
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.image_list import Known, ListedImage, to_json
from retraining.data.split import Split
from retraining.errors import BadRequest
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import ComparisonSettings
from retraining.settings.data import DataSettings
from retraining.settings.export import ExportSettings
from retraining.settings.fine_tuning import FineTuningSettings
from tests.data.test_dataset import touch
from tests.data.test_set_folders import in_sets

TRAINING, VALIDATION, TESTING = Split
SHA256 = "0123456789abcdef" * 4


def scanned(path: Path, **settings: float | None) -> Dataset:
    return dataset.scan(DataSettings(image_list=path, **settings))  # type: ignore[arg-type]


def written(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def refusal(path: Path, *lines: str, **settings: float | None) -> str:
    with pytest.raises(BadRequest) as caught:
        scanned(written(path, *lines) if lines else path, **settings)
    return str(caught.value).replace(str(path.parent), "lists")


def listed(found: Dataset, path: Path, *, with_sets: bool = False) -> Path:
    """Write the list of a data set in its folder, in no order, with the first line at the end once more."""
    lines = [
        to_json(
            ListedImage(
                str(image.path.relative_to(path.parent)),
                found.labels[image.label],
                image.split if with_sets else None,
            )
        )
        for image in found.images
    ]
    random.Random(1).shuffle(lines)
    return written(path, *lines)


def splits(found: Dataset) -> dict[Split, int]:
    counted = [image.split for image in found.images]
    return {split: counted.count(split) for split in Split if split in counted}


def nested(folder: Path) -> Path:
    """Write class folders whose names and sub-folders are sorted one way by a walk, and another as paths."""
    names = ("b.jpg", "a.jpg", "a-b.jpg", "0.jpg", "é.jpg")
    for place in ("one", "one/a", "one/a b", "one/a-b", "one/a/b", "one/ab", "one two", "one-two/x", "two"):
        touch(folder / place, *(name.replace(".", f"_{place.replace('/', '_')}.") for name in names))
    touch(folder / "one" / "a", *(f"{number}.jpg" for number in range(60)))
    return folder


@pytest.mark.parametrize("with_sets", [False, True])
def test_list_gives_what_the_folder_gives_whatever_the_order_of_its_lines(
    tmp_path: Path, with_sets: bool
) -> None:
    of_folder = dataset.scan(DataSettings(nested(tmp_path)))
    of_list = scanned(listed(of_folder, tmp_path / "list.jsonl", with_sets=with_sets))
    assert of_list.images == of_folder.images
    assert of_list.labels == of_folder.labels
    assert of_list.has_given_sets is with_sets


def test_list_gives_what_set_folders_give(tmp_path: Path) -> None:
    of_folder = dataset.scan(DataSettings(in_sets(tmp_path / "sets", "train", "test")))
    of_list = scanned(listed(of_folder, tmp_path / "list.jsonl", with_sets=True))
    for split in Split:
        in_folder = [image for image in of_folder.images if image.split is split]
        assert [image for image in of_list.images if image.split is split] == in_folder
    assert of_list.has_given_sets


def test_paths_without_a_folder_are_those_of_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path, "a.jpg", "b.jpg")
    found = scanned(
        written(Path("list.csv"), "a.jpg,x", "b.jpg,y"), testing_percentage=0, validation_percentage=0
    )
    assert [image.file for image in found.images] == ["a.jpg", "b.jpg"]


def images(*sets: tuple[str, int]) -> Iterable[str]:
    """Yield the lines of a list with so many images of two classes in each set."""
    yield "path,label,set"
    for name, count in sets:
        yield from (f"{name or 'none'}_{number}.jpg,{'xy'[number % 2]},{name}" for number in range(count))


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A path for a list whose files are there, as far as anyone looks."""
    touch(tmp_path, *(f"{name}_0.jpg" for name in ("train", "none", "test", "val")))
    return tmp_path / "list.csv"


@pytest.mark.parametrize(
    ("sets", "expected", "said"),
    [
        ([("", 400)], {TRAINING: 330, VALIDATION: 38, TESTING: 32}, None),
        (
            [("train", 400), ("val", 40), ("test", 60)],
            {TRAINING: 400, VALIDATION: 40, TESTING: 60},
            "Using the sets in 'lists/list.csv' as the split: 400 training, 40 validation, 60 testing images.",
        ),
        (
            [("train", 400), ("val", 40), ("test", 60), ("", 5)],
            {TRAINING: 405, VALIDATION: 40, TESTING: 60},
            "Using the sets in 'lists/list.csv' as the split: 400 training, 40 validation, 60 testing images. Images "
            "without a set (5): all for training.",
        ),
        (
            [("train", 400), ("test", 60)],
            {TRAINING: 358, VALIDATION: 42, TESTING: 60},
            "Using the sets in 'lists/list.csv' as the split: 400 training, 60 testing images. Training images: "
            "10% for validation, the rest for training.",
        ),
        (
            [("", 400), ("test", 60)],
            {TRAINING: 362, VALIDATION: 38, TESTING: 60},
            "Using the sets in 'lists/list.csv' as the split: 60 testing images. Images without a set (400): 10% "
            "for validation, the rest for training.",
        ),
        (
            [("train", 400), ("", 400)],
            {TRAINING: 730, VALIDATION: 38, TESTING: 32},
            "Using the sets in 'lists/list.csv' as the split: 400 training images. Images without a set (400): "
            "10% for validation, 10% for testing, the rest for training.",
        ),
    ],
)
def test_sets_that_no_line_names_are_cut_from_images_without_a_set_or_else_from_training(
    here: Path,
    caplog: pytest.LogCaptureFixture,
    sets: list[tuple[str, int]],
    expected: dict[Split, int],
    said: str | None,
) -> None:
    caplog.set_level(logging.INFO)
    found = scanned(written(here, *images(*sets)))
    assert splits(found) == expected
    told = [message.replace(str(here.parent), "lists") for message in caplog.messages]
    assert [message for message in told if message.startswith("Using")] == ([said] if said else [])


def test_percentage_of_a_set_that_the_list_has_is_refused(here: Path) -> None:
    lines = [*images(("train", 40), ("test", 20))]
    assert refusal(here, *lines, testing_percentage=20) == (
        "testing_percentage must be left out where the list says which the testing images are, as 'lists/list.csv' does; "
        "received 20. Leave it out, or leave the sets out of the list."
    )
    assert splits(scanned(here, validation_percentage=0)) == {TRAINING: 40, TESTING: 20}


def test_near_duplicates_are_not_moved_between_sets_of_the_list(here: Path) -> None:
    lines = [*images(("train", 40), ("test", 20))]
    assert refusal(here, *lines, group_near_duplicates=True) == (
        "group_near_duplicates would move images between sets, but 'lists/list.csv' says which set each is in. Turn it "
        "off, or give the images without sets."
    )


def test_bad_lines_are_named_the_first_ten_of_them(here: Path) -> None:
    good = [*images(("", 40))]
    assert refusal(here, *good[:3], "a.jpg,,", *good[3:]) == (
        "image_list 'lists/list.csv' has 1 line that cannot be used: line 4 has no label. Correct or remove it."
    )
    named = "; ".join(f"line {number} has 1 field, not 3" for number in range(42, 52))
    assert refusal(here, *good, *["x"] * 1234) == (
        f"image_list 'lists/list.csv' has 1,234 lines that cannot be used: {named}; and 1,224 more. Correct or remove "
        "them."
    )


def test_repeated_lines_are_left_out_and_contradicting_ones_refused(
    here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = [*images(("train", 40), ("test", 20), ("val", 20))]
    assert len(scanned(written(here, *good, good[3], "", good[3], good[7])).images) == 80
    assert f"3 lines of '{here}' that repeat others are left out." in caplog.messages
    bad = ["train_2.jpg,y,train", "", "train_3.jpg,y,test"]
    assert refusal(here, *good, *bad) == (
        "image_list 'lists/list.csv' has 2 lines that cannot be used: line 82 gives 'lists/train_2.jpg' another label "
        "than line 4; line 84 gives 'lists/train_3.jpg' another set than line 5. Correct or remove them."
    )


def test_repeated_line_adds_a_checksum_and_another_one_is_refused(here: Path) -> None:
    header, *lines = images(("train", 40), ("test", 20), ("val", 20))
    good = [f"{header},sha256,bits", *(f"{line},," for line in lines)]
    touch(here.parent, "train_1.jpg")
    known = [good[1], f"train_0.jpg,x,train,{SHA256},12"]
    found = scanned(written(here, *good, *known)).images
    assert [image.known for image in found if image.file.endswith("train_0.jpg")] == [
        Known(bytes.fromhex(SHA256), 12)
    ]
    bad = [f"train_0.jpg,x,train,{'a' * 64},12", f"train_0.jpg,x,train,{SHA256},"]
    assert refusal(here, good[0], *reversed(known), *good[2:], *bad) == (
        "image_list 'lists/list.csv' has 2 lines that cannot be used: line 83 gives 'lists/train_0.jpg' another sha256 "
        "than line 2; line 84 gives 'lists/train_0.jpg' another number of bits than line 2. Correct or remove them."
    )


def test_list_that_cannot_be_used_at_all_is_refused(here: Path) -> None:
    assert refusal(here) == "image_list must be a file that lists images; 'lists/list.csv' does not exist."
    assert refusal(here.parent).endswith("is not a file.")
    assert refusal(here, "a.jpg,x", "b.jpg,x") == (
        "image_list needs at least two labels; 'lists/list.csv' has only 'x'. Add images of another class."
    )
    assert refusal(here, "path,label") == (
        "image_list needs at least two labels; 'lists/list.csv' has none. Add images of another class."
    )


def test_list_in_another_folder_than_its_paths_say_is_refused_at_once(here: Path) -> None:
    lines = [f"photos/{number}.jpg,{'xy'[number % 2]}" for number in range(40)]
    assert refusal(here, *lines) == (
        "image_list 'lists/list.csv' names files that are not there, first 'lists/photos/0.jpg' in line 1. Correct the "
        "paths: they are relative to the folder of the list."
    )
    touch(here.parent / "photos", "9.jpg")
    assert len(scanned(here).images) == 40


def test_addresses_need_a_checksum(here: Path) -> None:
    line = "gs://bucket/{number}.jpg,{label},{sha256}"
    lines = [line.format(number=n, label="xy"[n % 2], sha256=SHA256) for n in range(40)]
    found = scanned(written(here, "path,label,sha256", *lines), testing_percentage=0, validation_percentage=0)
    known = Known(bytes.fromhex(SHA256))
    assert found.images[0] == LabelledImage("gs://bucket/0.jpg", 0, TRAINING, known)
    assert refusal(here, "path,label,sha256", *lines, "gs://bucket/40.jpg,x,") == (
        "image_list 'lists/list.csv' has images that are not on this computer, first 'gs://bucket/40.jpg' in line 42. Give "
        "it to python -m retraining.distribute, which writes a list with which they need not be here."
    )


def test_what_needs_the_images_themselves_says_so_before_any_work(tmp_path: Path) -> None:
    settings = DataSettings(tmp_path), AugmentationSettings(), FineTuningSettings(), ExportSettings()
    fresh = AugmentationSettings(flip_left_right=True, distorted_views=0)

    def check(*files: str) -> str | None:
        known = Known(b"")
        found = Dataset(("x",), tuple(LabelledImage(file, 0, TRAINING, known) for file in files))
        needed_files.check(found, *settings)
        try:
            needed_files.check(found, *settings, fresh)
        except BadRequest as error:
            return str(error)
        return None

    touch(tmp_path, "a.jpg")
    here = str(tmp_path / "a.jpg")
    for files in (("s3://b/a.jpg", here), (here, "s3://b/a.jpg")):
        assert check(*files) == (
            "distorted_views needs the images themselves, not only their feature vectors, but 's3://b/a.jpg' is not on "
            "this computer. Copy the images here and list them by their new paths, or do without distorted_views."
        )
    assert "'/mnt/away/b.jpg' is not on this computer" in str(check("/mnt/away/b.jpg"))
    assert check("/mnt/away/b.jpg", here) is None
    assert check() is None
    away = Dataset(("x",), (LabelledImage("/mnt/away/b.jpg", 0, TRAINING, Known(b"")),))
    for needing, name in (
        (DataSettings(tmp_path, group_near_duplicates=True), "group_near_duplicates"),
        (FineTuningSettings(fine_tune=True), "fine_tune"),
        (ExportSettings(("pb", "tflite-int8")), "export"),
        (ComparisonSettings(("builtin",)), "models"),
    ):
        with pytest.raises(BadRequest) as caught:
            needed_files.check(away, *settings, needing)
        assert str(caught.value).startswith(f"{name} needs the images themselves")


def test_most_bits_of_several_lists_are_enough_for_all(here: Path) -> None:
    header = "path,label,sha256,bits,significant_bits"
    rest = [f"{n}.jpg,{'xy'[n % 2]},{SHA256},{'12' if n > 3 else ''}," for n in range(40)]
    assert scanned(written(here, header, *rest)).significant_bits is None
    decided = [f"d{n}.jpg,x,{SHA256},,{bits}" for n, bits in enumerate((10, 12, 8))]
    written(here, header, *rest, *decided)
    assert scanned(here).significant_bits == 12
    assert scanned(here, significant_bits=14).significant_bits == 14
