"""What systems leave among images is passed over in silence by all that walk folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from retraining.data import dataset, folder_walk
from retraining.errors import BadRequest
from retraining.settings.data import DataSettings
from tests.data.test_dataset import many, touch

FOLDERS = (
    "__MACOSX",
    "lost+found",
    "LOST+FOUND",
    "$RECYCLE.BIN",
    "$Recycle.Bin",
    "System Volume Information",
    "FOUND.000",
    "@eaDir",
    "#recycle",
    "#snapshot",
    "@Recycle",
    "@Recently-Snapshot",
    "Network Trash Folder",
    "TheVolumeSettingsFolder",
)
FILES = (
    "Thumbs.db",
    "thumbs.db",
    "Thumbs.db:encryptable",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "Desktop.ini",
    "Icon\r",
    "Picasa.ini",
    "IMG_1.AAE",
    "IMG_1.aae",
    "IMG_1.xmp",
    "IMG_1.JPG.XMP",
    "IMG_1.jpg:Zone.Identifier",
)


def litter(*folders: Path) -> None:
    """Leave each kind of file, and of folder with an image and such files in it, in each of `folders`."""
    for folder in folders:
        touch(folder, *FILES)
        for name in FOLDERS:
            touch(folder / name, "image_0.jpg", "roses/image_1.jpg", *FILES)


@pytest.fixture
def littered(tmp_path: Path) -> Path:
    """Two classes of 60 images, one with a deeper folder, with leftovers at each level."""
    photos = many(tmp_path / "photos", "roses", "tulips")
    touch(photos / "roses" / "2019", "deep.jpg")
    litter(photos, photos / "roses", photos / "roses" / "2019")
    return photos


def test_leftovers_are_no_classes_no_images_and_no_reason_to_warn(
    littered: Path, caplog: pytest.LogCaptureFixture
) -> None:
    scanned = dataset.scan(DataSettings(littered))
    assert scanned.labels == ("roses", "tulips")
    assert len(scanned.images) == 121
    assert caplog.records == []


def test_leftovers_are_no_images_to_label(littered: Path) -> None:
    assert len(folder_walk.image_files([littered])) == 121


def test_leftover_that_is_named_is_what_was_asked_for(littered: Path) -> None:
    named = [littered / "Thumbs.db", littered / "@eaDir"]
    found = folder_walk.image_files(named)
    assert found == [named[0], named[1] / "image_0.jpg", named[1] / "roses" / "image_1.jpg"]


def test_class_with_only_leftovers_has_no_images(tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    litter(tmp_path / "daisy")
    with pytest.raises(BadRequest, match=r"^class 'daisy' has no images\. "):
        dataset.scan(DataSettings(tmp_path))


@pytest.mark.parametrize(
    "name", ["Thumbs", "thumbs.db.jpg", "icon", "aae.jpg", "my desktop.ini", "a.db", "x.ini"]
)
def test_file_with_a_similar_name_is_still_tried_as_an_image(name: str, tmp_path: Path) -> None:
    many(tmp_path, "roses", "tulips")
    touch(tmp_path / "roses", name)
    assert str(tmp_path / "roses" / name) in {
        image.file for image in dataset.scan(DataSettings(tmp_path)).images
    }


@pytest.mark.parametrize(
    "name", ["found", "lost+found 2", "MACOSX", "eaDir", "recycle", "Thumbs.db", "x.aae"]
)
def test_folder_with_a_similar_name_is_a_class(name: str, tmp_path: Path) -> None:
    many(tmp_path, "roses", name)
    assert set(dataset.scan(DataSettings(tmp_path)).labels) == {"roses", name}


def test_broken_link_that_is_a_leftover_is_not_warned_about(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    many(tmp_path, "roses", "tulips")
    (tmp_path / "desktop.ini").symlink_to(tmp_path / "not mounted")
    dataset.scan(DataSettings(tmp_path))
    assert caplog.records == []
