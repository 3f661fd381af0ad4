from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import pytest

from retraining.data import dataset
from retraining.data.split import Split, split_of
from retraining.errors import BadRequest
from retraining.settings.data import DataSettings


def split(name: str, validation: float = 10, testing: float = 10) -> Split:
    return split_of(name, validation_percentage=validation, testing_percentage=testing)


def percentage(name: str) -> float:
    """Return a name's percentage in the published formula, found by bisection where its set changes."""
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if split(name, middle, 0) is Split.VALIDATION else (middle, high)
    return low


def published(name: str) -> float:
    """Return a name's percentage by the formula as it was published."""
    return int(hashlib.sha1(name.encode()).hexdigest(), 16) % 2**27 * (100.0 / (2**27 - 1))


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"no file is opened by the scan")


def many(folder: Path, *classes: str, count: int = 60) -> Path:
    for name in classes:
        touch(folder / name, *(f"image_{index}.jpg" for index in range(count)))
    return folder


def splits(folder: Path) -> dict[str, Split]:
    scanned = dataset.scan(DataSettings(folder))
    return {str(image.path.relative_to(folder)): image.split for image in scanned.images}


def test_split_is_the_published_formula() -> None:
    # int(sha1(b"a.jpg").hexdigest(), 16) % 2**27 * (100 / (2**27 - 1)), by Python's own hashlib.
    assert percentage("a.jpg") == pytest.approx(81.5861566, abs=1e-6)
    assert percentage("leaf") == pytest.approx(94.4999374, abs=1e-6)


@pytest.mark.parametrize("percentage", [0, 10, 33.3, 100])
def test_many_names_are_split_by_the_published_formula_to_the_last_bit(percentage: float) -> None:
    names = [f"image_{number}.jpg" for number in range(300)]
    percentages = [published(name) for name in names]
    # A name's own percentage is tried as a bound too: a name at the bound is not below it.
    for bound in (percentage, *percentages[:20]):
        expected = [Split.VALIDATION if value < bound else Split.TRAINING for value in percentages]
        assert [split(name, bound, 0) for name in names] == expected


def test_close_variants_share_a_set() -> None:
    assert percentage("leaf_nohash_1.jpg") == percentage("leaf_nohash_2.png") == percentage("leaf")
    assert percentage("leaf_1.jpg") != percentage("leaf_2.jpg")


HASHES = (
    "0123456789abcdef0123456789abcdef",
    "FFB357957A29CDEF43F3FDFB2A13C417",
    "KNOIXW0DLHHTTrUoVsOA",
    "deadbeef",
)


@pytest.mark.parametrize(
    "rest", [*(f"{hashed}.jpg" for hashed in HASHES), f"{HASHES[2]}_aug3 (1).png", HASHES[0]]
)
def test_variants_that_roboflow_made_of_a_photo_share_a_set(rest: str) -> None:
    assert percentage(f"leaf.rf.{rest}") == percentage("leaf")
    assert percentage(f"IMG_1_jpg.rf.{rest}") == percentage("IMG_1_jpg")


@pytest.mark.parametrize("name", ["a.rf.jpg", "a.rf.12.jpg", "a.rf.side_view.jpg", "a.rf.1234567.jpg"])
def test_name_with_something_else_behind_rf_is_hashed_as_a_whole(name: str) -> None:
    assert percentage(name) == pytest.approx(published(name), abs=1e-6)


def test_sets_have_the_requested_percentages() -> None:
    sets = [split(f"{index}.jpg", 20, 30) for index in range(5000)]
    assert sets.count(Split.VALIDATION) / 5000 == pytest.approx(0.2, abs=0.02)
    assert sets.count(Split.TESTING) / 5000 == pytest.approx(0.3, abs=0.02)


def test_moved_folder_is_split_in_the_same_way(tmp_path: Path) -> None:
    here = many(tmp_path / "here", "roses", "tulips")
    before = splits(here)
    there = tmp_path / "some" / "where" / "else"
    shutil.move(here, there)
    assert splits(there) == before


def test_image_stays_in_its_set_when_others_are_added(tmp_path: Path) -> None:
    before = splits(many(tmp_path, "roses", "tulips", count=60))
    after = splits(many(tmp_path, "daisy", "roses", "tulips", count=90))
    assert before.items() <= after.items()
    assert len(after) == 270


def test_labels_are_the_folder_names_sorted_and_unchanged(tmp_path: Path) -> None:
    many(tmp_path, "Zebra", "ant & bee", "été", "猫", "b-2")
    assert dataset.scan(DataSettings(tmp_path)).labels == ("Zebra", "ant & bee", "b-2", "été", "猫")


def test_images_at_any_depth_are_found_and_hidden_ones_are_not(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    touch(
        tmp_path,
        "roses/2019/may/deep.JPG",
        "roses/.DS_Store",
        "roses/.cache/x.jpg",
        ".git/y.jpg",
        "LICENSE.txt",
    )
    scanned = dataset.scan(DataSettings(tmp_path))
    assert scanned.labels == ("roses", "tulips")
    names = {image.path.name for image in scanned.images}
    assert "deep.JPG" in names
    assert not names & {".DS_Store", "x.jpg", "y.jpg", "LICENSE.txt"}


def test_link_back_to_a_parent_is_not_walked_for_ever(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    (tmp_path / "roses" / "loop").symlink_to(tmp_path / "roses", target_is_directory=True)
    assert len(dataset.scan(DataSettings(tmp_path)).images) == 120


def test_linked_folder_is_a_class(tmp_path: Path) -> None:
    many(tmp_path / "elsewhere", "lilies")
    photos = many(tmp_path / "photos", "roses")
    (photos / "lilies").symlink_to(tmp_path / "elsewhere" / "lilies", target_is_directory=True)
    assert dataset.scan(DataSettings(photos)).labels == ("lilies", "roses")


def test_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        dataset.scan(DataSettings(tmp_path / "nowhere"))
    assert str(caught.value) == (
        "image_dir must be a folder with one sub-folder of images per class; "
        f"'{tmp_path / 'nowhere'}' does not exist."
    )


def test_file_instead_of_a_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "photo.jpg")
    with pytest.raises(BadRequest, match=r"photo.jpg' is a file\.$"):
        dataset.scan(DataSettings(tmp_path / "photo.jpg"))


@pytest.mark.parametrize(("classes", "found"), [((), "none"), (("roses",), "only 'roses'")])
def test_fewer_than_two_classes_is_an_error_that_shows_the_layout(
    tmp_path: Path, classes: tuple[str, ...], found: str
) -> None:
    many(tmp_path, *classes)
    with pytest.raises(BadRequest) as caught:
        dataset.scan(DataSettings(tmp_path))
    assert str(caught.value) == (
        f"image_dir needs at least two class folders; '{tmp_path}' has {found}. "
        "Put the images of each class into a sub-folder of their own, such as "
        f"'{tmp_path / 'roses'}' and '{tmp_path / 'tulips'}'."
    )


def test_class_without_images_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    (tmp_path / "daisy").mkdir()
    with pytest.raises(BadRequest) as caught:
        dataset.scan(DataSettings(tmp_path))
    assert str(caught.value) == "class 'daisy' has no images. Add some, or remove the class."


def test_class_without_training_images_is_an_error_with_its_counts(tmp_path: Path) -> None:
    many(tmp_path, "roses")
    held_out = next(f"{index}.jpg" for index in range(100) if split(f"{index}.jpg") is Split.TESTING)
    touch(tmp_path / "tulips", held_out)
    with pytest.raises(BadRequest) as caught:
        dataset.scan(DataSettings(tmp_path))
    assert str(caught.value) == (
        "class 'tulips' has no training images: 0 training, 0 validation, 1 testing. Add images, or lower "
        "validation_percentage and testing_percentage."
    )


def test_few_images_and_empty_sets_are_warned_about(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    many(tmp_path, "roses")
    trained = [f"{index}.jpg" for index in range(60) if split(f"{index}.jpg") is Split.TRAINING][:3]
    touch(tmp_path / "tulips", *trained)
    dataset.scan(DataSettings(tmp_path))
    assert [record.getMessage() for record in caplog.records] == [
        "class 'tulips' has only 3 images (3 training, 0 validation, 0 testing). Use at least 20 images per "
        "class; 100 is good.",
        "class 'tulips' has no validation images (3 training, 0 validation, 0 testing), so validation accuracy "
        "says nothing about it. Add images, or raise validation_percentage.",
        "class 'tulips' has no testing images (3 training, 0 validation, 0 testing), so testing accuracy says "
        "nothing about it. Add images, or raise testing_percentage.",
    ]


def test_scan_changes_nothing(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*"))
    dataset.scan(DataSettings(tmp_path))
    assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*")) == before


def test_name_that_is_not_utf8_is_split_by_its_bytes(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    name = os.fsdecode(b"caf\xe9.jpg")
    touch(tmp_path / "roses", name)
    assert splits(tmp_path)[f"roses/{name}"] is split(name)
