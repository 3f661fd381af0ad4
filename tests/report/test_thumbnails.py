from __future__ import annotations

import base64
import io
from pathlib import Path

from PIL import Image

from retraining.data.dataset import LabelledImage
from retraining.data.image_list import Known
from retraining.data.split import Split
from retraining.report import thumbnails


def picture_of(path: Path) -> tuple[thumbnails.Picture, Image.Image]:
    picture = thumbnails.make([LabelledImage(str(path), 0, Split.TESTING)]).pictures[str(path)]
    return picture, Image.open(io.BytesIO(base64.b64decode(picture.base64)))


def test_picture_is_small_and_keeps_its_shape(tmp_path: Path) -> None:
    Image.new("RGB", (1600, 400), "red").save(tmp_path / "wide.jpg")
    picture, image = picture_of(tmp_path / "wide.jpg")
    assert (picture.width, picture.height) == image.size == (160, 40)


def test_picture_is_turned_as_the_camera_says(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the top is on the right
    Image.new("RGB", (320, 160), "red").save(tmp_path / "turned.jpg", exif=exif)
    picture, _ = picture_of(tmp_path / "turned.jpg")
    assert (picture.width, picture.height) == (80, 160)


def test_picture_has_nothing_but_the_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "a secret"
    Image.new("RGB", (320, 160), "red").save(tmp_path / "told.jpg", exif=exif, comment=b"a secret")
    _, image = picture_of(tmp_path / "told.jpg")
    assert "exif" not in image.info
    assert "comment" not in image.info


def test_file_that_has_changed_since_the_list_was_made_is_not_shown(tmp_path: Path) -> None:
    Image.new("RGB", (16, 16), "red").save(tmp_path / "red.jpg")
    listed = LabelledImage(str(tmp_path / "red.jpg"), 0, Split.TESTING, Known(bytes(32)))
    made = thumbnails.make([listed])
    assert made.pictures == {}
    assert made.unreadable == {listed.file: "has changed since the list was made (its SHA-256 differs)"}


def test_16_bit_picture_is_as_bright_as_it_looks(tmp_path: Path) -> None:
    Image.new("I;16", (64, 48), 40_000).save(tmp_path / "deep.png")
    _, image = picture_of(tmp_path / "deep.png")
    red, _, _ = image.convert("RGB").getpixel((5, 5))  # type: ignore[misc]
    assert abs(red - 156) <= 3
