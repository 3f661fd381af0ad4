"""Files of all kinds in a class folder: used, or skipped and listed once with the reason."""

from __future__ import annotations

import collections
import csv
import os
import socket
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import retrain
from retraining.arrays import ImageSize
from retraining.data import dataset, file_kinds, images
from retraining.errors import BadImage
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.settings.data import DataSettings
from tests import image_files
from tests.conftest import COLOURS, write_photo
from tests.test_retrain import words

SIZE = ImageSize(6, 8)
BLACK, RED, WHITE = (0, 0, 0), (1, 0, 0), (1, 1, 1)


def assert_shows(pixels: np.ndarray, left: tuple[int, int, int]) -> None:
    assert pixels.dtype == np.float32
    np.testing.assert_allclose(pixels[:, :3], np.broadcast_to(left, (6, 3, 3)), atol=0.08)
    np.testing.assert_allclose(pixels[:, 5:], np.broadcast_to(WHITE, (6, 3, 3)), atol=0.08)


@pytest.mark.parametrize("kind", image_files.usable())
def test_every_kind_of_colour_image_is_seen_as_a_person_sees_it(kind: str) -> None:
    assert_shows(images.decode(image_files.usable()[kind], SIZE), RED)


@pytest.mark.parametrize("kind", image_files.usable_grey())
def test_every_kind_of_grey_image_is_seen_as_a_person_sees_it(kind: str) -> None:
    assert_shows(images.decode(image_files.usable_grey()[kind], SIZE), BLACK)


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.png", "a.PnG", "a", "a.txt", "a.tar.gz"])
def test_suffix_is_ignored(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(image_files.usable()["WebP"])
    assert_shows(images.decode(images.read(tmp_path / name), SIZE), RED)


@pytest.mark.parametrize("name", image_files.unusable())
def test_unusable_image_is_refused_with_the_reason(name: str) -> None:
    content, reason = image_files.unusable()[name]
    with pytest.raises(BadImage) as caught:
        images.decode(content, SIZE)
    assert str(caught.value) == reason


@pytest.mark.parametrize("kind", file_kinds.FORMATS)
@pytest.mark.parametrize("share", [0.05, 0.3, 0.8, 0.97])
def test_file_that_was_cut_short_is_refused_wherever_it_was_cut(kind: str, share: float) -> None:
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (90, 90, 3), np.uint8))
    content = image_files.encoded(noise, kind)
    with pytest.raises(BadImage, match="cut short"):
        images.decode(content[: int(share * len(content))], SIZE)


def odd_files(folder: Path) -> dict[Path, str]:
    """Put things that are not regular files into a folder; return each with the reason to refuse it."""
    (folder / "folder.jpg").mkdir()
    os.mkfifo(folder / "pipe.jpg")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.jpg"))
    (folder / "nowhere.jpg").symlink_to("gone.jpg")
    (folder / "loop.jpg").symlink_to("loop.jpg")
    (folder / "device.jpg").symlink_to("/dev/zero")
    return {
        folder / "folder.jpg": "is a folder, not a file",
        folder / "pipe.jpg": "is a named pipe, not a file",
        folder / "socket.jpg": "is a socket, not a file",
        folder / "nowhere.jpg": "is a broken link (No such file or directory)",
        folder / "loop.jpg": "is a broken link (Too many levels of symbolic links)",
        folder / "device.jpg": "is a device, not a file",
    }


def test_anything_but_a_regular_file_is_refused_at_once_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket has a limit
    Path("odd").mkdir()
    for path, reason in odd_files(Path("odd")).items():
        with pytest.raises(BadImage) as caught:
            images.read(path)
        assert str(caught.value) == reason


def test_pipe_that_replaces_a_file_just_before_it_is_opened_does_not_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, pipe = tmp_path / "plain.jpg", tmp_path / "pipe.jpg"
    plain.touch()
    os.mkfifo(pipe)
    status = plain.stat()
    monkeypatch.setattr(Path, "stat", lambda _: status)
    assert images.read(pipe) == b""


def test_file_as_large_as_a_video_is_refused_without_reading_all_of_it(tmp_path: Path) -> None:
    path = tmp_path / "video.jpg"
    with path.open("wb") as file:
        file.truncate(images.MAX_FILE_BYTES + 1)  # holes take no space
    with pytest.raises(BadImage, match=r"^is larger than 1 GiB$"):
        images.read(path)


def test_file_without_read_permission_is_refused_with_the_reason(ordinary_user: Path) -> None:
    write_photo(ordinary_user / "mine.jpg", COLOURS["cyan"], 0)
    (ordinary_user / "mine.jpg").chmod(0)
    with pytest.raises(BadImage, match=r"^cannot be read \(Permission denied\)$"):
        images.read(ordinary_user / "mine.jpg")


def test_folder_without_read_permission_is_listed_among_the_files_of_its_class(ordinary_user: Path) -> None:
    for name in ("cyan", "yellow"):
        write_photo(ordinary_user / name / f"{name}_000.jpg", COLOURS[name], 0)
    locked = ordinary_user / "cyan" / "locked"
    locked.mkdir(mode=0)
    assert [image.path for image in dataset.scan(DataSettings(ordinary_user)).images][1] == locked


def test_run_uses_all_usable_files_and_lists_every_other_file_once(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = write_all_kinds(colour_photos, monkeypatch)
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    captured = capsys.readouterr()
    assert "Final test accuracy = 100.0%" in captured.out
    skipped = [line for line in captured.err.splitlines() if line.startswith("warning: skipped ")]
    assert sorted(skipped) == sorted(
        f"warning: skipped {path}: it {reason}." for path, reason in expected.items()
    )
    listing = tmp_path / "logs" / "skipped_images.csv"
    assert captured.err.splitlines()[-1] == (
        f"warning: {len(expected)} files skipped; the reasons are above and in {listing}."
    )
    with listing.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]): row["reason"] for row in rows} == expected
    assert max(collections.Counter(row["path"] for row in rows).values()) == 1


def write_all_kinds(photos: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Path, str]:
    """Put every kind of file into a class; return those that cannot be used, with their reasons."""
    folder = photos / "magenta"
    expected = {}
    for name, (content, reason) in image_files.unusable().items():
        (folder / name).write_bytes(content)
        expected[folder / name] = reason
    monkeypatch.chdir(folder)  # the path of a socket has a limit
    odd = odd_files(Path())
    return expected | {folder / path: reason for path, reason in odd.items()}


def test_strict_lists_every_unusable_file_and_ends_the_run(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = write_all_kinds(colour_photos, monkeypatch)
    assert retrain.main(words(colour_photos, tmp_path, "--strict", module=tf2_module)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert sorted(lines[:-1]) == sorted(
        f"warning: skipped {path}: it {reason}." for path, reason in expected.items()
    )
    listing = tmp_path / "logs" / "skipped_images.csv"
    assert lines[-1] == (
        f"retrain: error: {len(expected)} files cannot be used, listed above and in '{listing}', and --strict is "
        "on. Fix or remove what is listed, or turn --strict off."
    )
    assert not (tmp_path / "graph.pb").exists()


def test_list_of_skipped_files_from_an_earlier_run_is_replaced(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    (colour_photos / "cyan" / "page.jpg").write_bytes(b"<html>")
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    (colour_photos / "cyan" / "page.jpg").unlink()
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    assert (tmp_path / "logs" / "skipped_images.csv").read_text() == "path,reason\n"


@pytest.mark.parametrize("change", ["vanish", "empty", "another image"])
def test_file_that_changes_during_a_run_neither_ends_it_nor_spoils_the_cache(
    change: str, colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    scanned = dataset.scan(DataSettings(colour_photos))
    changed = scanned.images[7].path
    if change == "vanish":
        changed.unlink()
    elif change == "empty":
        changed.write_bytes(b"")
    else:
        write_photo(changed, COLOURS["yellow"], 77)
    result = bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / "cache", extractor))
    reasons = {"vanish": "cannot be read (No such file or directory)", "empty": "is empty"}
    assert [image.reason for image in result.skipped] == ([reasons[change]] if change in reasons else [])
    fresh = bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / "fresh", extractor))
    np.testing.assert_array_equal(result.training.vectors, fresh.training.vectors)
