from __future__ import annotations

from pathlib import Path

import pytest

from retraining.errors import WorkFailed
from retraining.storage.atomic_files import replacing, write_bytes


def test_parent_folders_are_created(tmp_path: Path) -> None:
    write_bytes(tmp_path / "a" / "b" / "c.txt", b"content")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == b"content"


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError), replacing(path) as beside:
        beside.write_bytes(b"half")
        raise RuntimeError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_planted_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "someone_elses.txt"
    target.write_bytes(b"theirs")
    link = tmp_path / "output.txt"
    link.symlink_to(target)
    write_bytes(link, b"ours")
    assert target.read_bytes() == b"theirs"
    assert not link.is_symlink()
    assert link.read_bytes() == b"ours"


def test_path_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    path = tmp_path / "file" / "graph.pb"
    with pytest.raises(WorkFailed) as caught:
        write_bytes(path, b"content")
    assert str(caught.value) == f"'{path}' cannot be written: File exists."
