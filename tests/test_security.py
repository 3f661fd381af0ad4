"""Shared machines and untrusted files: no planted link is followed, no pickle is loaded, no terminal is controlled."""

from __future__ import annotations

import ast
import os
import re
import stat
import tarfile
from pathlib import Path

import pytest

import label_image
import retrain
from retraining.cli import output_paths
from retraining.cli.output_paths import OutputPath
from retraining.cli.programs import RETRAIN
from retraining.errors import BadModule, BadRequest, WorkFailed
from retraining.modules import archive
from retraining.printable import printable
from retraining.storage import atomic_files
from tests.conftest import COLOURS, PROJECT, checked, refused, write_colour_photos, write_photo
from tests.test_retrain import words

STRANGER = 12345

SOURCES = sorted(
    [*PROJECT.glob("*.py"), *PROJECT.glob("retraining/**/*.py"), *PROJECT.glob("benchmarks/*.py")]
)


def shared_folder(folder: Path) -> Path:
    """Make a folder that anyone may write to, such as /tmp."""
    folder.mkdir()
    folder.chmod(0o1777)
    return folder


def plant(link: Path, target: Path) -> None:
    """Make a link that belongs to another user."""
    link.symlink_to(target)
    if os.geteuid() != 0:
        pytest.skip("only the superuser can make another user's link")
    os.chown(link, STRANGER, STRANGER, follow_symlinks=False)


FILES = ("output_graph", "output_labels", "checkpoint_path")
FOLDERS = (
    "summaries_dir",
    "bottleneck_dir",
    "intermediate_output_graphs_dir",
    "saved_model_dir",
    "model_dir",
)


@pytest.mark.parametrize("flag", FOLDERS)
@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_folder_behind_another_users_link_is_refused(flag: str, below: str, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    link = shared_folder(tmp_path / "tmp") / "retrain"
    plant(link, tmp_path / "victim")
    assert refused(RETRAIN, ["--image_dir=photos", f"--{flag}={link}{below}"]) == (
        f"--{flag} '{link}{below}' is refused: '{link}' is a link that another user has put into a shared folder. "
        "Name another place."
    )


@pytest.mark.parametrize("flag", FILES)
def test_file_behind_another_users_link_is_refused(flag: str, tmp_path: Path) -> None:
    (tmp_path / "victim").mkdir()
    link = shared_folder(tmp_path / "tmp") / "retrain"
    plant(link, tmp_path / "victim")
    with pytest.raises(BadRequest, match=r"is a link that another user has put into a shared folder"):
        checked(RETRAIN, ["--image_dir=photos", f"--{flag}={link}/output"])


def test_own_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    link = shared_folder(tmp_path / "tmp") / "logs"
    link.symlink_to(tmp_path / "mine")
    output_paths.check_folder(OutputPath.of_setting("summaries_dir", link / "run"))


@pytest.mark.parametrize(
    "name",
    ["graph.pb", "labels.txt", "checkpoint.index", "logs/skipped_images.csv", "logs/class_results.csv"],
)
def test_link_in_place_of_an_output_is_replaced_and_its_target_is_not_changed(
    name: str, tf2_module: Path, tmp_path: Path
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    precious = tmp_path / "precious"
    precious.write_bytes(b"someone's")
    link = tmp_path / "out" / name
    link.parent.mkdir(parents=True)
    link.symlink_to(precious)
    assert retrain.main(words(photos, tmp_path / "out", module=tf2_module)) == 0
    assert precious.read_bytes() == b"someone's"
    assert not link.is_symlink()
    assert link.stat().st_size > 0


def member(name: str, kind: bytes = tarfile.REGTYPE, *, target: str = "", size: int = 0) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, target, size
    return info


FEW_FILES = 50  # stands for archive.MAX_FILES, which take seconds to write
HOSTILE = {
    "parent": [member("../evil")],
    "parent below a folder": [member("a/../../evil")],
    "absolute": [member("/tmp/evil_of_the_test")],
    "link": [member("link", tarfile.SYMTYPE, target="/etc")],
    "link and a file through it": [member("l", tarfile.SYMTYPE, target=".."), member("l/evil")],
    "hard link": [member("hard", tarfile.LNKTYPE, target="/etc/passwd")],
    "device": [member("null", tarfile.CHRTYPE)],
    "pipe": [member("pipe", tarfile.FIFOTYPE)],
    "too large": [member("saved_model.pb", size=archive.MAX_BYTES + 1)],
    "too many": [member(f"{number}") for number in range(FEW_FILES + 1)],
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_hostile_archive_is_refused_and_writes_nothing_outside_its_folder(
    kind: str, mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archive, "MAX_FILES", FEW_FILES)
    packed = tmp_path / "module.tar.gz"
    with tarfile.open(packed, mode) as tar:  # type: ignore[call-overload]
        for info in HOSTILE[kind]:
            # The header alone, which says 8 GiB, must be refused.
            tar.addfile(info) if info.size == 0 else tar.fileobj.write(info.tobuf())
    folder = tmp_path / "unpacked"
    with pytest.raises(BadModule) as caught:
        archive.unpack(packed, folder, name="some module")
    assert str(caught.value).startswith("module archive some module is refused: ")
    assert {path.name for path in tmp_path.iterdir()} == {"module.tar.gz", "unpacked"}
    assert not Path("/tmp/evil_of_the_test").exists()
    assert all(stat.S_ISREG(path.lstat().st_mode) for path in folder.rglob("*"))


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_source_loads_pickles_or_runs_a_shell(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            assert not {"pickle", "dill", "joblib", "shelve", "marshal"}.intersection(names)
        if isinstance(node, ast.keyword):
            assert node.arg != "shell"
            assert node.arg != "allow_pickle" or ast.literal_eval(node.value) is False
        if isinstance(node, ast.Name):
            assert node.id not in ("eval", "exec")
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("system", "popen")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain, ünïcode 🌹", "plain, ünïcode 🌹"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("a\nb\rc\td", "a\\nb\\rc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("\u2028\u2029\u202e\u2066", "\\u2028\\u2029\\u202e\\u2066"),
        (os.fsdecode(b"\xe9"), "\\xe9"),
        ("\ud800", "\\ud800"),
        ("\x00\x7f", "\\x00\\x7f"),
    ],
)
def test_characters_that_could_control_a_terminal_are_escaped(text: str, seen: str) -> None:
    assert printable(text) == seen


CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def test_hostile_names_are_escaped_on_terminals_and_in_lists(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "\x1b[2J\x1b]0;pwned\x07\u202e\r\x9b"
    photos = write_colour_photos(tmp_path / "photos")
    (photos / "cyan").rename(photos / f"cyan{hostile}")
    (photos / "magenta" / f"{hostile}.jpg").write_bytes(b"<html>")
    for number in range(3):
        write_photo(photos / f"few{hostile}" / f"{number}{hostile}.jpg", COLOURS["cyan"], number)
    write_photo(photos / "yellow" / f"twice{hostile}.jpg", COLOURS["cyan"], 1)
    more = (
        "--print_misclassified_test_images",
        "--how_many_training_steps",
        "1",
        "--logging_verbosity",
        "DEBUG",
    )
    assert retrain.main(words(photos, tmp_path, *more, module=tf2_module)) in (0, 2)
    files = ["--graph", tmp_path / "graph.pb", "--labels", tmp_path / "labels.txt", "--image", photos]
    label_image.main([str(word) for word in files])
    captured = capsys.readouterr()
    assert "pwned" in captured.out
    assert "pwned" in captured.err
    assert CONTROL.search(captured.out) is None
    assert CONTROL.search(captured.err) is None
    for listing in (tmp_path / "logs").glob("*.csv"):
        text = listing.read_text(encoding="utf-8")
        assert "pwned" in text
        assert CONTROL.search(text) is None


def test_new_files_in_a_shared_folder_are_never_opened_through_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even someone who guesses the temporary name next to an output gains nothing."""
    import uuid

    fixed = uuid.UUID(int=1)
    monkeypatch.setattr(uuid, "uuid4", lambda: fixed)
    precious = tmp_path / "precious"
    precious.write_bytes(b"someone's")
    (tmp_path / f".labels.txt.{fixed.hex}").symlink_to(precious)
    with pytest.raises(WorkFailed, match=r"labels.txt' cannot be written: File exists\.$"):
        atomic_files.write_bytes(tmp_path / "labels.txt", b"a\nb\n")
    assert precious.read_bytes() == b"someone's"
