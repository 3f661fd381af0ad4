"""Images are sorted without ever losing or overwriting one, whatever is in their place or goes wrong."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from retraining.errors import BadRequest, WorkFailed
from retraining.sorting.outcome import Outcome, Sorted
from retraining.sorting.sorter import Sorter

LABELS = ("rose", "wild tulip")


def file(path: Path, content: str = "pixels") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    os.utime(path, (1_000_000_000, 1_000_000_000))
    return path


def contents(folder: Path) -> dict[str, str]:
    """Return what is in the files at any depth in a folder, by their paths in it."""
    return {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def other_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Renaming fails as between two file systems."""
    rename = Path.replace

    def replace(self: Path, target: Path) -> Path:
        if self.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", replace)


@pytest.fixture(params=["same disk", "other disk"])
def disks(request: pytest.FixtureRequest) -> None:
    if request.param == "other disk":
        request.getfixturevalue("other_disk")


@pytest.mark.usefixtures("disks")
def test_image_is_moved_with_its_date(tmp_path: Path) -> None:
    done = Sorter(tmp_path / "out", LABELS).sort(file(tmp_path / "in" / "a.jpg"), "wild tulip")
    target = tmp_path / "out" / "wild tulip" / "a.jpg"
    assert done == Sorted(Outcome.MOVED, target)
    assert contents(tmp_path) == {"out/wild tulip/a.jpg": "pixels"}
    assert target.stat().st_mtime == 1_000_000_000


def test_image_is_copied_with_its_date(tmp_path: Path) -> None:
    done = Sorter(tmp_path / "out", LABELS, is_copied=True).sort(file(tmp_path / "in" / "a.jpg"), "rose")
    assert done == Sorted(Outcome.COPIED, tmp_path / "out" / "rose" / "a.jpg")
    assert contents(tmp_path) == {"in/a.jpg": "pixels", "out/rose/a.jpg": "pixels"}
    assert (tmp_path / "out" / "rose" / "a.jpg").stat().st_mtime == 1_000_000_000


@pytest.mark.usefixtures("disks")
def test_another_file_of_the_name_is_kept_and_the_image_gets_a_number(tmp_path: Path) -> None:
    file(tmp_path / "out" / "rose" / "a.jpg", "another")
    file(tmp_path / "out" / "rose" / "a_2.jpg", "a third")
    done = Sorter(tmp_path / "out", LABELS).sort(file(tmp_path / "a.jpg"), "rose")
    assert done.path == tmp_path / "out" / "rose" / "a_3.jpg"
    assert contents(tmp_path / "out" / "rose") == {
        "a.jpg": "another",
        "a_2.jpg": "a third",
        "a_3.jpg": "pixels",
    }


@pytest.mark.parametrize("name", ["a.jpg", "a_2.jpg"])
def test_image_that_is_there_already_stays(name: str, tmp_path: Path) -> None:
    file(tmp_path / "out" / "rose" / "a.jpg", "another")
    file(tmp_path / "out" / "rose" / name)
    before = contents(tmp_path)
    done = Sorter(tmp_path / "out", LABELS).sort(file(tmp_path / "a.jpg"), "rose")
    assert done == Sorted(Outcome.ALREADY_THERE, tmp_path / "out" / "rose" / name)
    assert contents(tmp_path) == before | {"a.jpg": "pixels"}


def test_dry_run_says_the_same_and_changes_nothing(tmp_path: Path) -> None:
    images = [file(tmp_path / folder / "a.jpg", folder) for folder in ("one", "two")]
    images.append(file(tmp_path / "three" / "a.jpg", "one"))
    before = sorted(tmp_path.rglob("*"))
    trial = Sorter(tmp_path / "out", LABELS, is_dry_run=True)
    planned = [trial.sort(image, "rose") for image in images]
    assert sorted(tmp_path.rglob("*")) == before
    real = Sorter(tmp_path / "out", LABELS)
    assert [real.sort(image, "rose") for image in images] == planned
    assert [done.outcome for done in planned] == [Outcome.MOVED, Outcome.MOVED, Outcome.ALREADY_THERE]


def refusal(sorter: Sorter, image: Path) -> str:
    with pytest.raises(WorkFailed) as caught:
        sorter.sort(image, "rose")
    return str(caught.value)


def test_links_are_neither_moved_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "link.jpg").symlink_to(file(tmp_path / "elsewhere" / "a.jpg"))
    sorter = Sorter(tmp_path / "out", LABELS)
    assert refusal(sorter, tmp_path / "link.jpg") == "is a link, and links are not sorted"
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "rose").symlink_to(tmp_path / "elsewhere")
    planted = f"cannot be sorted: '{tmp_path / 'out' / 'rose'}' is a link or a file"
    assert refusal(sorter, file(tmp_path / "b.jpg")) == planted
    assert contents(tmp_path) == {"elsewhere/a.jpg": "pixels", "link.jpg": "pixels", "b.jpg": "pixels"}


def test_link_in_the_place_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "out" / "rose").mkdir(parents=True)
    (tmp_path / "out" / "rose" / "a.jpg").symlink_to(tmp_path / "nowhere")
    done = Sorter(tmp_path / "out", LABELS).sort(file(tmp_path / "a.jpg"), "rose")
    assert done.path == tmp_path / "out" / "rose" / "a_2.jpg"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.usefixtures("other_disk")
@pytest.mark.parametrize("is_copied", [False, True])
def test_disk_that_fills_up_leaves_the_image_and_nothing_half_written(
    is_copied: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("shutil.copyfileobj", full)
    image = file(tmp_path / "in" / "a.jpg")
    message = refusal(Sorter(tmp_path / "out", LABELS, is_copied=is_copied), image)
    assert message == f"'{tmp_path / 'out' / 'rose' / 'a.jpg'}' cannot be written: No space left on device."
    assert contents(tmp_path) == {"in/a.jpg": "pixels"}
    assert list((tmp_path / "out" / "rose").iterdir()) == []


@pytest.mark.usefixtures("other_disk")
def test_image_that_changes_while_it_is_copied_is_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = file(tmp_path / "in" / "a.jpg")
    monkeypatch.setattr("retraining.sorting.placing._sync_folder", lambda _: file(image, "newer pixels"))
    message = refusal(Sorter(tmp_path / "out", LABELS), image)
    assert message == "was copied, but has changed since, so it is not removed"
    assert contents(tmp_path) == {"in/a.jpg": "newer pixels", "out/rose/a.jpg": "pixels"}


@pytest.mark.parametrize("label", ["", " ", ".", "..", ".hidden", "a/b", "a\\b", "../up", "nul\0", "x" * 256])
def test_label_that_is_no_name_of_a_folder_is_refused_before_any_work(label: str, tmp_path: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        Sorter(tmp_path, ("rose", label))
    assert str(caught.value) == (
        f"images cannot be sorted into a folder named '{label}', as one of the labels is. Give others with labels."
    )


def test_images_in_class_folders_count_as_sorted_however_their_path_is_written(tmp_path: Path) -> None:
    sorter = Sorter(tmp_path / "out", LABELS)
    inside = file(tmp_path / "out" / "rose" / "may" / "a.jpg")
    (tmp_path / "link").symlink_to(tmp_path / "out")
    assert sorter.is_sorted(inside)
    assert sorter.is_sorted(tmp_path / "link" / "rose" / "a.jpg")
    for path in ("out/a.jpg", "out/others/a.jpg", "rose/a.jpg", "a.jpg"):
        assert not sorter.is_sorted(tmp_path / path)
