from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from retraining import sample_photos as command
from retraining.data import sample_photos


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*.*")}


def test_same_seed_draws_the_same_bytes_also_if_more_photos_are_drawn(tmp_path: Path) -> None:
    sample_photos.write(tmp_path / "a", per_class=3, seed=1)
    sample_photos.write(tmp_path / "b", per_class=4, seed=1)
    sample_photos.write(tmp_path / "c", per_class=3, seed=2)
    first, more, other = (contents(tmp_path / name) for name in "abc")
    assert first.items() < more.items()
    assert len(more) == 20
    assert not set(first.values()) & set(other.values())


def test_photos_have_both_formats_and_both_orientations(tmp_path: Path) -> None:
    sample_photos.write(tmp_path, per_class=20, seed=0)
    assert {path.name for path in tmp_path.iterdir()} == set(sample_photos.KINDS)
    formats, orientations = set(), set()
    for path in tmp_path.rglob("*.*"):
        with Image.open(path) as image:
            formats.add(image.format)
            orientations.add(image.width > image.height)
    assert formats == {"JPEG", "PNG"}
    assert orientations == {True, False}


def test_command_prints_what_it_drew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main([str(tmp_path / "photos"), "--per_class", "2"]) == 0
    assert capsys.readouterr().out == f"10 photos in 5 folders under {tmp_path / 'photos'}\n"


def test_folder_that_cannot_be_written_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").touch()
    assert command.main([str(tmp_path / "file"), "--per_class", "2"]) == 1
    assert capsys.readouterr().err.startswith(f"sample_photos: error: '{tmp_path / 'file'}")


def test_per_class_of_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["photos", "--per_class", "0"]) == 2
    assert capsys.readouterr().err == (
        "sample_photos: error: --per_class must be a whole number of at least 1, received '0'.\n"
    )
