"""Folders that are the sets of a split: recognised, refused if half like it, and else classes as always."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import pytest

from retraining.data import dataset, set_folders
from retraining.data.dataset import Dataset
from retraining.data.split import Split, split_of
from retraining.errors import BadRequest
from retraining.settings.data import DataSettings
from tests.data.test_dataset import many, touch
from tests.data.test_leftovers import litter

HERE = Path("photos")
CLASSES = ("roses", "tulips")
TRAINING, VALIDATION, TESTING = Split


def in_sets(folder: Path, *sets: str, classes: Sequence[str] = CLASSES, count: int = 60) -> Path:
    """Write a folder for each set, with the same classes in it, each with `count` images."""
    for name in sets:
        for label in classes:
            touch(folder / name / label, *(f"{name}_{index}.jpg" for index in range(count)))
    return folder


def scanned(folder: Path, **percentages: float) -> Dataset:
    return dataset.scan(DataSettings(folder, **percentages))  # type: ignore[arg-type]


def refusal(folder: Path, **percentages: float) -> str:
    with pytest.raises(BadRequest) as caught:
        scanned(folder, **percentages)
    return str(caught.value).replace(str(folder), "photos")


def splits_in(found: Dataset, folder: Path) -> dict[Split, int]:
    """Return how many of the images in a set's folder are in which set."""
    splits = [image.split for image in found.images if folder in image.path.parents]
    return {split: splits.count(split) for split in Split if split in splits}


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("names", "sets"),
    [
        ("train val test", "train val test"),
        ("test train valid", "train valid test"),
        ("Training VALIDATION Testing", "Training VALIDATION Testing"),
        ("dev train", "train dev -"),
        ("eval train", "train eval -"),
        ("evaluation test train", "train evaluation test"),
        ("dev eval train", "train dev eval"),
        ("Evaluation train val", "train val Evaluation"),
        ("test training", "training - test"),
        ("train", "train - -"),
    ],
)
def test_folders_with_the_names_of_sets_are_the_sets(names: str, sets: str) -> None:
    found = set_folders.sets_among(HERE, dict.fromkeys(names.split(), CLASSES))
    assert list(found) == [split for split in Split if split in found]
    assert [found.get(split, "-") for split in Split] == sets.split()


@pytest.mark.parametrize(
    "folders",
    [
        {"roses": (), "tulips": ()},
        {"cars": (), "ships": (), "train": ()},
        {"cars": (), "ships": (), "train": ("steam", "diesel")},  # a class may have sub-folders
        {"Train": ("steam", "diesel"), "ship": (), "training": ("sport",)},  # which is not two sets either
        {"valid": (), "invalid": ()},
        {"train": ()},
        {"test": ()},
        {},
    ],
)
def test_other_folders_are_classes(folders: dict[str, Sequence[str]]) -> None:
    assert set_folders.sets_among(HERE, folders) == {}


def test_images_are_in_the_set_of_their_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_sets(tmp_path, "train", "val", "test")
    touch(tmp_path / "test" / "roses" / "2019" / "may", "deep.jpg")
    found = scanned(tmp_path)
    assert found.labels == CLASSES
    assert found.has_given_sets
    assert splits_in(found, tmp_path / "train") == {TRAINING: 120}
    assert splits_in(found, tmp_path / "val") == {VALIDATION: 120}
    assert splits_in(found, tmp_path / "test") == {TESTING: 121}
    for image in found.images:
        assert found.labels[image.label] == image.path.relative_to(tmp_path).parts[1]
    assert caplog.messages == [
        f"Using the folders of '{tmp_path}' as the split: 'train' for training, 'val' for validation, 'test' for "
        "testing."
    ]


@pytest.mark.parametrize(("own", "cut"), [("val", TESTING), ("test", VALIDATION)])
def test_missing_set_is_cut_from_training_by_its_own_percentage_alone(
    own: str, cut: Split, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_sets(tmp_path, "train", own, count=200)
    found = scanned(tmp_path, **{f"{cut.value}_percentage": 30})
    percentages = {"validation_percentage": 0.0, "testing_percentage": 0.0, f"{cut.value}_percentage": 30.0}
    for image in found.images:
        if tmp_path / "train" in image.path.parents:
            assert image.split is split_of(image.path.name, **percentages)
        else:
            assert image.split not in (TRAINING, cut)
    parts = {TESTING: "'val' for validation, 30% of 'train' for testing"}
    parts[VALIDATION] = "30% of 'train' for validation, 'test' for testing"
    assert caplog.messages == [
        f"Using the folders of '{tmp_path}' as the split: 'train' for training, {parts[cut]}."
    ]


def test_training_folder_alone_is_split_as_its_classes_would_be(tmp_path: Path) -> None:
    in_sets(tmp_path, "train")
    found = scanned(tmp_path)
    assert found == scanned(tmp_path / "train")
    assert not found.has_given_sets


@pytest.mark.parametrize("name", ["testing", "validation"])
def test_percentage_of_a_set_that_has_a_folder_is_refused(name: str, tmp_path: Path) -> None:
    in_sets(tmp_path, "train", "validation", "testing")
    for percentage in (0, 10, 20.5):
        assert refusal(tmp_path, **{f"{name}_percentage": percentage}) == (
            f"{name}_percentage must be left out where the {name} set has its own folder, as here with "
            f"'photos/{name}'; received {percentage}. Leave it out, or move that folder out of 'photos'."
        )


def test_leftovers_outputs_hidden_and_loose_files_do_not_hide_the_sets(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_sets(tmp_path, "train", "test")
    litter(tmp_path, tmp_path / "train", tmp_path / "test" / "roses")
    touch(
        tmp_path,
        "data.yaml",
        "README.txt",
        ".git/x",
        "logs/events",
        "train/results/graph.pb",
        "test/_classes.csv",
    )
    touch(tmp_path / "cache", "CACHEDIR.TAG", "module/x.tfrecord")
    touch(tmp_path / "val", "CACHEDIR.TAG", "module/x.tfrecord")  # which is a cache by the name of a set
    found = dataset.scan(
        DataSettings(tmp_path), [tmp_path / "logs", tmp_path / "train" / "results" / "graph.pb"]
    )
    assert (found.labels, len(found.images), found.has_given_sets) == (CLASSES, 240, True)
    assert warnings(caplog) == []


def test_loose_images_in_a_set_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    in_sets(tmp_path, "train", "test")
    touch(tmp_path / "train", "loose.jpg", "_annotations.csv")
    assert len(scanned(tmp_path).images) == 240
    assert warnings(caplog) == [
        f"1 images are in '{tmp_path / 'train'}' itself, outside any class folder, and are ignored. Move them into "
        "a class folder."
    ]


def test_class_may_have_an_empty_folder_in_a_set_that_is_not_for_training(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_sets(tmp_path, "train", "val", "test")
    in_sets(tmp_path, "train", "test", classes=["daisy"])
    (tmp_path / "val" / "daisy").mkdir()
    assert scanned(tmp_path).labels == ("daisy", *CLASSES)
    assert warnings(caplog) == [
        "class 'daisy' has no validation images (60 training, 0 validation, 60 testing), so validation accuracy "
        "says nothing about it. Add images."
    ]


def test_class_without_training_images_is_an_error_that_names_no_percentages(tmp_path: Path) -> None:
    in_sets(tmp_path, "train", "test")
    in_sets(tmp_path, "test", classes=["daisy"])
    (tmp_path / "train" / "daisy").mkdir()
    assert refusal(tmp_path) == (
        "class 'daisy' has no training images: 0 training, 0 validation, 60 testing. Add training images."
    )


def test_single_class_in_sets_is_an_error_that_shows_the_place(tmp_path: Path) -> None:
    in_sets(tmp_path, "train", "test", classes=["roses"])
    assert refusal(tmp_path) == (
        "image_dir needs at least two class folders; 'photos/train' has only 'roses'. Put the images of each "
        "class into a sub-folder of their own, such as 'photos/train/roses' and 'photos/train/tulips'."
    )


# First-level folders that are half like sets, with the classes in them, and the message.
HALF_LIKE: dict[str, tuple[dict[str, Sequence[str]], str]] = {
    "classes beside sets": (
        {"test": CLASSES, "train": CLASSES, "roses": (), "a": (), "b": (), "c": (), "d": ()},
        "image_dir must have either class folders or set folders, such as train and test; in 'photos', 'test' "
        "and 'train' are beside 'roses', 'a', 'b' and 2 more. Move one kind elsewhere, or rename 'test' and "
        "'train' if all are classes.",
    ),
    "two folders for a set": (
        {"train": CLASSES, "val": CLASSES, "Valid": CLASSES},
        "image_dir must have one folder for each set; 'photos' has 'val' and 'Valid' for the validation set. "
        "Merge them, or rename them if they are classes.",
    ),
    "the same name in two cases": (
        {"Train": CLASSES, "train": CLASSES},
        "image_dir must have one folder for each set; 'photos' has 'Train' and 'train' for the training set. "
        "Merge them, or rename them if they are classes.",
    ),
    "no training set": (
        {"test": CLASSES, "val": CLASSES},
        "image_dir with set folders must have a training set; 'photos' has only 'test' and 'val'. Add the folder "
        "'photos/train', or rename 'test' and 'val' if they are classes.",
    ),
    "test set alone": (
        {"test": CLASSES},
        "image_dir with set folders must have a training set; 'photos' has only 'test'. Add the folder "
        "'photos/train', or rename 'test' if they are classes.",
    ),
    "images directly in the sets": (
        {"test": (), "train": ()},
        "each set must have one sub-folder of images per class, but there is none in 'test' and 'train' of "
        "'photos'. Put the images of each class into a sub-folder such as 'photos/test/roses', or move 'test' "
        "and 'train' elsewhere.",
    ),
    "images directly in one set": (
        {"test": (), "train": CLASSES},
        "each set must have one sub-folder of images per class, but there is none in 'test' of 'photos'. Put the "
        "images of each class into a sub-folder such as 'photos/test/roses', or move 'test' elsewhere.",
    ),
    "other classes": (
        {"test": ("Tulips", *"abcdefgh"), "train": ("tulips", *"abcdefgh"), "val": ("tulips", *"abc")},
        "the sets in 'photos' must have the same class folders: 'test' lacks 'tulips'; 'train' lacks 'Tulips'; "
        "'val' lacks 'Tulips', 'd', 'e' and 3 more. Add them, empty if there are no images, or correct their "
        "names.",
    ),
    "images and labels": (
        {"train": ("images", "labels"), "valid": ("images", "labels")},
        "each set must have one sub-folder of images per class; those in 'photos' have 'images' and 'labels', as "
        "data sets for object detection do. Sort the images into class folders.",
    ),
}


@pytest.mark.parametrize("name", HALF_LIKE)
def test_folders_that_are_half_like_sets_are_refused_with_a_remedy(name: str, tmp_path: Path) -> None:
    folders, message = HALF_LIKE[name]
    with pytest.raises(BadRequest) as caught:
        set_folders.sets_among(HERE, folders)
    assert str(caught.value) == message
    for folder, classes in folders.items():
        if classes:
            many(tmp_path / folder, *classes, count=1)
        else:
            touch(tmp_path / folder, "image.jpg")
    with pytest.raises(BadRequest):
        scanned(tmp_path)


@pytest.mark.parametrize(
    "names", [("seg_test", "seg_train"), ("Test Images", "train"), ("train2017", "valset")]
)
def test_folders_with_almost_the_names_of_sets_are_refused(names: Sequence[str], tmp_path: Path) -> None:
    in_sets(tmp_path, *names, count=1)
    assert refusal(tmp_path) == (
        f"set folders must be named like train, val and test, received '{names[0]}' and '{names[1]}' in 'photos'. "
        "Rename them, or, if they are classes, put their images into them directly."
    )


@pytest.mark.parametrize(
    "names", [("steam train", "test tube"), ("2019 train", "2020 train"), ("contest", "strain")]
)
def test_classes_with_such_words_in_their_names_are_classes(names: Sequence[str], tmp_path: Path) -> None:
    many(tmp_path, *names)
    if "2019 train" in names:
        in_sets(tmp_path, *names)
    assert scanned(tmp_path).labels == tuple(names)


def test_class_that_is_called_train_is_a_class_without_a_word(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many(tmp_path, "cars", "ships", "train")
    in_sets(tmp_path, "train", classes=["steam", "diesel"])
    found = scanned(tmp_path)
    assert found.labels == ("cars", "ships", "train")
    assert sum(splits_in(found, tmp_path / "train").values()) == 180
    assert not found.has_given_sets
    assert caplog.messages == []


def test_sets_inside_classes_are_warned_about_since_they_are_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    in_sets(tmp_path, *CLASSES, classes=["train", "val", "test"])
    assert not scanned(tmp_path).has_given_sets
    assert caplog.messages == [
        f"the folders 'test', 'train' and 'val' in '{tmp_path / 'roses'}' are not used as the split: they must hold the "
        f"class folders, as in '{tmp_path / 'train' / 'roses'}'."
    ]


def test_set_that_cannot_be_read_is_named(ordinary_user: Path) -> None:
    in_sets(ordinary_user, "train", "test", count=1)
    (ordinary_user / "test").chmod(0)
    assert refusal(ordinary_user) == "folder 'photos/test' cannot be read: Permission denied."


def test_linked_sets_are_sets(tmp_path: Path) -> None:
    in_sets(tmp_path / "elsewhere", "a", "b")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "train").symlink_to(tmp_path / "elsewhere" / "a", target_is_directory=True)
    (tmp_path / "photos" / "test").symlink_to(tmp_path / "elsewhere" / "b", target_is_directory=True)
    assert splits_in(scanned(tmp_path / "photos"), tmp_path / "photos" / "test") == {TESTING: 120}
