from __future__ import annotations

from pathlib import Path

import pytest

from retraining import oxford_flowers17
from retraining.data import dataset
from retraining.settings.data import DataSettings


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A folder like Oxford's; each file contains its own number."""
    folder = tmp_path / "jpg"
    folder.mkdir()
    for number in range(1, 1361):
        (folder / f"image_{number:04d}.jpg").write_text(str(number))
    (folder / "files.txt").write_text("as published")
    return folder


def refusal(*words: Path, capsys: pytest.CaptureFixture[str]) -> str:
    assert oxford_flowers17.main([str(word) for word in words]) == 2
    return capsys.readouterr().err.strip().removeprefix("oxford_flowers17: error: ")


def test_each_flower_gets_its_eighty_photos(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flowers = tmp_path / "flowers17"
    assert oxford_flowers17.main([str(published), str(flowers)]) == 0
    assert capsys.readouterr().out == f"1360 photos in 17 folders under {flowers}, 80 in each\n"
    found = dataset.scan(DataSettings(flowers))
    assert len(found.labels) == 17
    assert len(found.images) == 1360
    numbers = {
        label: sorted(int(path.read_text()) for path in (flowers / label).iterdir()) for label in found.labels
    }
    assert numbers["daffodil"] == list(range(1, 81))
    assert numbers["tulip"] == list(range(561, 641))
    assert numbers["pansy"] == list(range(1281, 1361))
    assert len(list(published.iterdir())) == 1361


def test_files_are_copied_if_they_cannot_be_linked(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: Path) -> None:
        raise OSError("cross-device link")

    monkeypatch.setattr("os.link", refuse)
    assert oxford_flowers17.main([str(published), str(tmp_path / "copied")]) == 0
    assert (tmp_path / "copied" / "snowdrop" / "image_0081.jpg").read_text() == "81"


def test_incomplete_set_is_refused_before_anything_is_written(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (published / "image_0700.jpg").unlink()
    (published / "image_0702.jpg").unlink()
    assert refusal(published, tmp_path / "out", capsys=capsys) == (
        f"SRC must hold image_0001.jpg to image_1360.jpg; 2 of them are missing from '{published}', the first is image_0700.jpg. "
        "Unpack 17flowers.tgz again and name its folder 'jpg'."
    )
    assert not (tmp_path / "out").exists()


def test_larger_set_is_refused(published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (published / "image_1361.jpg").touch()
    assert refusal(published, tmp_path / "out", capsys=capsys) == (
        f"SRC must hold 1360 images, 80 of each flower; '{published}' has 1 more. Is it the data set of 102 flowers?"
    )


def test_missing_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert refusal(tmp_path / "none", tmp_path / "out", capsys=capsys) == (
        f"SRC must be the folder that holds image_0001.jpg; '{tmp_path / 'none'}' is not a folder."
    )


def test_destination_that_is_not_empty_or_lies_in_the_source_is_refused(
    published: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    assert refusal(published, tmp_path / "out", capsys=capsys) == (
        f"DST must be a new or empty folder; '{tmp_path / 'out'}' is not empty."
    )
    assert refusal(published, published / "out", capsys=capsys) == (
        f"DST must be outside SRC, received '{published / 'out'}'. Name a folder next to it."
    )
