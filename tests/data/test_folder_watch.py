"""A watched folder gives each new file once, when it is complete. No test waits: they look by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retraining.data.folder_watch import FolderWatch
from retraining.errors import BadRequest


def write(path: Path, content: str, changed: int = 1) -> Path:
    path.write_text(content)
    os.utime(path, (changed, changed))
    return path


def test_new_file_is_given_once_when_it_has_stopped_growing(tmp_path: Path) -> None:
    write(tmp_path / "old.jpg", "old")
    watch = FolderWatch(tmp_path)
    assert watch.look() == []
    new = write(tmp_path / "new.jpg", "ha")
    assert watch.look() == []
    write(new, "half")
    assert watch.look() == []
    write(new, "half and half", changed=2)
    assert watch.look() == []
    assert watch.look() == [new]
    assert watch.look() == []


def test_file_that_is_overwritten_or_comes_back_is_new_again(tmp_path: Path) -> None:
    latest = write(tmp_path / "latest.jpg", "first")
    watch = FolderWatch(tmp_path)
    write(latest, "other", changed=2)
    assert [watch.look(), watch.look(), watch.look()] == [[], [latest], []]
    latest.unlink()
    assert watch.look() == []
    write(latest, "other", changed=2)
    assert [watch.look(), watch.look()] == [[], [latest]]


def test_sub_folders_are_watched_and_hidden_and_empty_files_are_not(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    (tmp_path / "DCIM").mkdir()
    new = write(tmp_path / "DCIM" / "IMG_1.jpg", "pixels")
    write(tmp_path / ".IMG_2.jpg.part", "pixels")
    (tmp_path / "IMG_3.jpg").touch()
    assert [watch.look(), watch.look()] == [[], [new]]


def test_files_that_are_looked_at_anyway_are_left_out(tmp_path: Path) -> None:
    watch = FolderWatch(tmp_path)
    seen, new = write(tmp_path / "seen.jpg", "1"), write(tmp_path / "new.jpg", "2")
    watch.leave_out([seen, tmp_path / "gone.jpg"])
    assert [watch.look(), watch.look()] == [[], [new]]


def test_folder_that_is_gone_for_a_while_is_warned_of_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    card = tmp_path / "card"
    card.mkdir()
    write(card / "old.jpg", "old")
    watch = FolderWatch(card)
    card.rename(tmp_path / "away")
    assert [watch.look(), watch.look()] == [[], []]
    assert caplog.messages == [f"folder '{card}' cannot be read: No such file or directory."]
    (tmp_path / "away").rename(card)
    new = write(card / "new.jpg", "new")
    assert [watch.look(), watch.look()] == [[], [new]]


def test_folder_that_is_not_there_at_first_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="cannot be read: No such file or directory"):
        FolderWatch(tmp_path / "nowhere")
