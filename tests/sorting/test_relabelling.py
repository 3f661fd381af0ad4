"""Photos change their class as they were marked; none is ever lost, overwritten or moved elsewhere, and all go back."""

from __future__ import annotations

import csv
import hashlib
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from retraining import relabel
from retraining.settings.data import DataSettings
from retraining.sorting import placing, relabelling, suspected_labels
from retraining.sorting.suspected_labels import COLUMNS, SuspectedLabel

CLASSES = ("daisy", "roses", "tulips")


class Photos:
    """A folder of photos with the list of all of them as suspects, each suggested to be a tulip."""

    def __init__(self, folder: Path, *, above: str = "") -> None:
        self.folder = folder / "photos"
        self.classes = self.folder / above
        self.list = folder / "logs" / "suspected_labels.csv"
        for label in CLASSES:
            (self.classes / label).mkdir(parents=True)

    def add(self, name: str, content: str = "") -> Path:
        path = self.classes / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content or f"pixels of {os.fsencode(name)!r}")
        return path

    def write(self, **actions: str) -> list[str]:
        """Write the list, marked as in `actions` (by the stem of a file's name, or all)."""
        found = []
        for path in sorted(self.folder.rglob("*")):
            if path.is_file() and ".git" not in path.parts:
                label = path.relative_to(self.classes).parts[0]
                digest = hashlib.sha256(path.read_bytes()).digest()
                found.append(SuspectedLabel(str(path), label, "tulips", 0.04, 0.9, digest))
        suspected_labels.write(found, DataSettings(self.folder), self.list)
        self.edit(lambda row: row | {"action": actions.get("all", actions.get(Path(row["image"]).stem, ""))})
        return [Path(one.file).name for one in found]

    def edit(self, change: Callable[[dict[str, str]], dict[str, str]]) -> None:
        """Change each row of the list, as someone with a spreadsheet program would."""
        text = self.list.read_text(encoding="utf-8-sig")
        separator = ";" if text.startswith("image;") else ","
        rows = list(csv.DictReader(text.split("\n"), delimiter=separator))
        with self.list.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(
                file, rows[0].keys() if rows else COLUMNS, delimiter=";", lineterminator="\r\n"
            )
            writer.writeheader()
            writer.writerows(map(change, rows))

    def path(self, name: str) -> Path:
        return self.classes / name

    def contents(self) -> dict[str, bytes]:
        """Return what is in the files, by their paths below the class folders; what is linked elsewhere is left out."""
        files = (path for path in self.classes.rglob("*") if path.is_file() and not path.is_symlink())
        return {str(path.relative_to(self.classes)): path.read_bytes() for path in files}

    def undo(self) -> Path:
        return self.list.with_name("suspected_labels_undo.csv")


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    return Photos(tmp_path)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str], list[str]]]:
    """Run the program; return its exit status and the lines that it printed, on both streams."""

    def run(*words: object) -> tuple[int, list[str], list[str]]:
        status = relabel.main([str(word) for word in words])
        captured = capsys.readouterr()
        return status, captured.out.splitlines(), captured.err.splitlines()

    return run


Call = Callable[..., tuple[int, list[str], list[str]]]

AGAIN = "Now run retrain.py again. It is quick: photos that were moved keep their vectors."


def command(line: str) -> list[str]:
    """Return the words after the program in a command that was printed."""
    words = shlex.split(line)
    assert words[1:3] == ["-m", "retraining.relabel"]
    return words[3:]


def test_photos_are_shown_then_moved_then_taken_back_by_the_commands_that_are_printed(
    photos: Photos, call: Call
) -> None:
    for name in ("roses/a.jpg", "roses/may/deep/b.jpg", "daisy/c.jpg", "daisy/d.jpg", "daisy/e.jpg"):
        photos.add(name)
    photos.write(a="move", b=" MOVE ", c="roses", e="daisy")
    before = photos.contents()

    status, lines, errors = call(photos.list)
    assert (status, errors) == (0, [])
    assert lines[:-1] == [
        "daisy/c.jpg would be moved to roses/c.jpg",
        "roses/a.jpg would be moved to tulips/a.jpg",
        "roses/may/deep/b.jpg would be moved to tulips/may/deep/b.jpg",
        "3 of 5 in the list would be moved, nothing has changed yet. Move them:",
    ]
    assert photos.contents() == before
    assert [path.name for path in photos.list.parent.iterdir()] == ["suspected_labels.csv"]

    status, lines, errors = call(*command(lines[-1]))
    assert (status, errors) == (0, [])
    undo = command(lines.pop(1))
    assert lines == [
        "This takes everything back, also after an interruption:",
        "daisy/c.jpg moved to roses/c.jpg",
        "roses/a.jpg moved to tulips/a.jpg",
        "roses/may/deep/b.jpg moved to tulips/may/deep/b.jpg",
        "3 of 5 in the list were moved.",
        AGAIN,
    ]
    assert undo == [str(photos.undo()), "--apply"]
    moved = {
        "roses/c.jpg": "daisy/c.jpg",
        "tulips/a.jpg": "roses/a.jpg",
        "tulips/may/deep/b.jpg": "roses/may/deep/b.jpg",
    }
    assert photos.contents() == {
        **{name: before[name] for name in ("daisy/d.jpg", "daisy/e.jpg")},
        **{name: before[old] for name, old in moved.items()},
    }

    assert call(undo[0])[1][-2] == "3 of 3 in the list would be moved, nothing has changed yet. Move them:"
    status, lines, errors = call(*undo)
    assert (status, errors) == (0, [])
    assert lines[-3:] == [
        "tulips/may/deep/b.jpg moved to roses/may/deep/b.jpg",
        "3 of 3 in the list were moved.",
        AGAIN,
    ]
    assert photos.contents() == before
    assert call(*undo) == (0, ["There is nothing to take back: each photo is where it was."], [])
    assert sorted(path.name for path in photos.list.parent.iterdir()) == [
        "suspected_labels.csv",
        "suspected_labels_undo.csv",
    ]


def test_list_without_a_mark_says_how_to_mark(photos: Photos, call: Call) -> None:
    photos.add("roses/a.jpg")
    photos.write()
    assert call(photos.list, "--apply") == (
        0,
        [
            "None of 1 photos is marked. Write into the column 'action' of those with a wrong label: 'move' for the "
            "suggested class, or the name of another."
        ],
        [],
    )
    assert not photos.undo().exists()


def test_list_of_nobody_is_a_header(photos: Photos) -> None:
    photos.write()
    assert photos.list.read_text(encoding="utf-8-sig").splitlines() == [";".join(COLUMNS)]


@pytest.mark.parametrize("above", ["train", "test"])
def test_photos_stay_in_their_set(above: str, tmp_path: Path, call: Call) -> None:
    photos = Photos(tmp_path, above=above)
    for name in ("roses/a.jpg", "roses/b.jpg", "daisy/c.jpg"):
        photos.add(name)
    photos.write(all="move")
    assert call(photos.list, "--apply")[0] == 0
    assert set(photos.contents()) == {"tulips/a.jpg", "tulips/b.jpg", "tulips/c.jpg"}


HOSTILE = (
    "=cmd|' /C calc'!A0.jpg",
    "+1-1.jpg",
    "@SUM(A1).jpg",
    "007",
    "a,b;c\td.jpg",
    "\"quoted\" 'too'.jpg",
    "line\nend\r.jpg",
    "\x1b[2J\x1b]0;pwned\x07.jpg",
    "\u202egpj.exe\u2066.jpg",
    os.fsdecode(b"caf\xe9 \xff\x85.jpg"),
    "back\\slash\\x41.jpg",
    " spaces around .jpg ",
    "<img src=x onerror=alert(1)>.jpg",
    "--apply",
    "größe 🌹.jpg",
    "\ufeffmark.jpg",
)


@pytest.mark.parametrize("label", ["roses", "=1+1", "007", os.fsdecode(b"\xff,\n\x1b"), " rose "])
def test_names_may_hold_anything(label: str, photos: Photos, call: Call) -> None:
    """The list is saved with semicolons and a mark of the encoding, as Excel does."""
    for name in HOSTILE:
        photos.add(f"{label}/{name}")
    photos.write(all="move")
    before = photos.contents()
    status, lines, errors = call(photos.list, "--apply")
    assert (status, errors) == (0, [])
    assert f"{len(HOSTILE)} of {len(HOSTILE)} in the list were moved." in lines
    assert not any("\x1b" in line or "\u202e" in line for line in lines)
    assert photos.contents() == {f"tulips/{name}": before[f"{label}/{name}"] for name in HOSTILE}
    photos.edit(lambda row: row)
    assert call(photos.undo(), "--apply")[0] == 0
    assert photos.contents() == before


def test_class_may_be_written_as_the_list_shows_it_even_if_it_is_called_move(
    photos: Photos, call: Call
) -> None:
    for label in ("move", "=1+1", " b\\c "):
        (photos.classes / label).mkdir()
    for name in ("x", "y", "z"):
        photos.add(f"roses/{name}.jpg")
    photos.write(x="./move", y="./=1+1", z="./\\x20b\\\\c\\x20")
    assert call(photos.list, "--apply")[0] == 0
    assert set(photos.contents()) == {"move/x.jpg", "=1+1/y.jpg", " b\\c /z.jpg"}


def test_another_photo_of_the_name_is_kept_and_the_moved_one_gets_a_number(
    photos: Photos, call: Call
) -> None:
    photos.add("roses/a.jpg", "of a rose")
    photos.add("daisy/a.jpg", "of a daisy")
    photos.add("tulips/a.jpg", "of a tulip")
    photos.write(all="move")
    before = photos.contents()
    status, lines, _ = call(photos.list)
    assert status == 0
    assert lines[:2] == [
        "daisy/a.jpg would be moved to tulips/a_2.jpg",
        "roses/a.jpg would be moved to tulips/a_3.jpg",
    ]
    assert call(photos.list, "--apply")[0] == 0
    assert photos.contents() == {
        "tulips/a.jpg": b"of a tulip",
        "tulips/a_2.jpg": b"of a daisy",
        "tulips/a_3.jpg": b"of a rose",
    }
    assert call(photos.undo(), "--apply")[0] == 0
    assert photos.contents() == before


def put_a_link(photos: Photos, name: str) -> None:
    """Put a link in the place of a file or folder, to where it is then."""
    path = photos.path(name)
    path.symlink_to(path.rename(photos.folder.parent / f"elsewhere {path.name}"))


# By what happens to roses/a.jpg, or is written beside it, before it is to be moved to the tulips.
REFUSED: dict[str, tuple[Callable[[Photos], object], str]] = {
    "vanished": (lambda photos: photos.path("roses/a.jpg").unlink(), "it is no longer there"),
    "changed": (
        lambda photos: photos.add("roses/a.jpg", "edited"),
        "it has changed since the list was written",
    ),
    "moved already": (
        lambda photos: photos.path("roses/a.jpg").rename(photos.path("tulips/a.jpg")),
        "it is no longer there",
    ),
    "a link": (lambda photos: put_a_link(photos, "roses/a.jpg"), "it is a link, or no file"),
    "its folder is a link": (lambda photos: put_a_link(photos, "roses"), "'roses' is a link or a file"),
    "the class is a link": (
        lambda photos: put_a_link(photos, "tulips"),
        "there is no folder of a class 'tulips'",
    ),
    "the same photo is there": (
        lambda photos: photos.add("tulips/a.jpg", photos.path("roses/a.jpg").read_text()),
        "'tulips/a.jpg' has the same content",
    ),
    "no such class": (
        lambda photos: photos.write(a="tulip", b="roses"),
        "there is no folder of a class 'tulip' (did you mean 'tulips'?)",
    ),
    "a path as class": (
        lambda photos: photos.write(a="../photos/tulips", b="roses"),
        "there is no folder of a class '../photos/tulips'",
    ),
    "a hidden class": (
        lambda photos: photos.write(a=photos.add(".git/config").parent.name, b="roses"),
        "there is no folder of a class '.git'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("words", [(), ("--apply",)])
def test_photo_that_cannot_be_moved_is_refused_with_the_reason_and_the_others_go_on(
    case: str, words: tuple[str, ...], photos: Photos, call: Call
) -> None:
    photos.add("roses/a.jpg")
    photos.add("daisy/b.jpg")
    photos.write(a="move", b="daisy" if case == "its folder is a link" else "roses")
    change, reason = REFUSED[case]
    change(photos)
    before = photos.contents()
    status, _, errors = call(photos.list, *words)
    count = 1 if case == "its folder is a link" else 2  # b.jpg is marked with its own class then
    assert (status, errors) == (
        1,
        [
            f"warning: roses/a.jpg is not moved: {reason}.",
            f"relabel: error: 1 of {count} photos could not be moved, see above.",
        ],
    )
    moves = {"daisy/b.jpg": "roses/b.jpg"} if words and count == 2 else {}
    assert photos.contents() == {moves.get(name, name): content for name, content in before.items()}
    assert not list(photos.folder.parent.glob("elsewhere tulips/*"))


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        ({"image": "../secret"}, "its path does not lead to an image of a class in '{folder}'"),
        ({"image": "roses/../../secret"}, "its path does not lead to an image of a class in '{folder}'"),
        ({"image": "/etc/passwd"}, "its path does not lead to an image of a class in '{folder}'"),
        ({"image": "roses"}, "its path does not lead to an image of a class in '{folder}'"),
        ({"image": ".git/config"}, "its path does not lead to an image of a class in '{folder}'"),
        ({"folder": "photos"}, "'photos' is not the full path of a folder"),
        ({"folder": "/a\\x00b"}, "'/a\\x00b' is not the full path of a folder"),
        ({"folder": "/nowhere"}, "No such file or directory"),
        ({"folder": "/dev/null"}, "Not a directory"),
        ({"image": f"roses/{'x' * 300}"}, "File name too long"),
        ({"sha256": ""}, "it has changed since the list was written"),
    ],
)  # fmt: skip
def test_list_that_was_tampered_with_moves_nothing_from_elsewhere(
    cells: dict[str, str], reason: str, photos: Photos, call: Call
) -> None:
    photos.add("roses/a.jpg")
    photos.add("../secret", "secret")
    photos.write(all="move")
    photos.edit(lambda row: row | cells)
    before = photos.contents()
    status, lines, errors = call(photos.list, "--apply")
    assert (status, lines) == (1, [])
    assert errors[0].endswith(f" is not moved: {reason.format(folder=photos.classes)}.")
    assert photos.contents() == before
    assert not photos.undo().exists()


def test_photo_that_is_in_the_list_twice_is_moved_once(photos: Photos, call: Call) -> None:
    photos.add("roses/a.jpg")
    photos.write(all="move")
    lines = photos.list.read_text(encoding="utf-8-sig").splitlines()
    photos.list.write_text("\n".join([*lines, lines[-1].replace("move", "daisy")]))
    status, _, errors = call(photos.list, "--apply")
    assert status == 1
    assert errors[0] == "warning: roses/a.jpg is not moved: it is in the list twice."
    assert set(photos.contents()) == {"tulips/a.jpg"}


@pytest.mark.parametrize("done", [0, 1, 2])
def test_interrupted_call_is_undone_or_finished(
    done: int, photos: Photos, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        photos.add(f"roses/{name}.jpg")
    photos.write(all="move")
    before = photos.contents()
    move, count = placing.move, 0

    def interrupted(source: Path, target: Path) -> None:
        nonlocal count
        if count == done:
            raise KeyboardInterrupt
        count += 1
        move(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(placing, "move", interrupted)
        status, lines, errors = call(photos.list, "--apply")
    assert status == 130
    assert errors == ["", "relabel: interrupted; what was computed is kept"]
    assert len(set(photos.contents()) - set(before)) == done
    assert call(*command(lines[1]))[0] == 0
    assert photos.contents() == before
    assert call(photos.list, "--apply")[0] == 0
    assert set(photos.contents()) == {"tulips/a.jpg", "tulips/b.jpg", "tulips/c.jpg"}
    assert sorted(path.name for path in photos.list.parent.iterdir()) == [
        "suspected_labels.csv",
        "suspected_labels_undo.csv",
        "suspected_labels_undo_2.csv",
    ]


def test_what_undoes_a_call_is_written_before_the_first_move(
    photos: Photos, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.add("roses/a.jpg")
    photos.write(all="move")

    def full(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr("os.fsync", full)
    status, _, errors = call(photos.list, "--apply")
    assert status == 1
    assert errors == [f"relabel: error: '{photos.undo()}' cannot be written: No space left on device."]
    assert set(photos.contents()) == {"roses/a.jpg"}
    assert [path.name for path in photos.list.parent.iterdir()] == ["suspected_labels.csv"]


def test_place_that_is_taken_after_the_plan_is_not_overwritten(
    photos: Photos, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos.add("roses/a.jpg")
    photos.write(all="move")
    write = relabelling.write_undo

    def slow(*arguments: object) -> Path:
        photos.add("tulips/a.jpg", "a tulip")
        return write(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(relabelling, "write_undo", slow)
    status, _, errors = call(photos.list, "--apply")
    assert status == 1
    assert (
        errors[0]
        == "warning: roses/a.jpg is not moved: 'tulips/a.jpg' has been taken by another file meanwhile."
    )
    assert photos.contents()["tulips/a.jpg"] == b"a tulip"
    assert "roses/a.jpg" in photos.contents()


def test_photo_is_not_taken_back_over_another_or_after_a_change(photos: Photos, call: Call) -> None:
    for name in ("a", "b", "c"):
        photos.add(f"roses/{name}.jpg")
    photos.write(all="move")
    assert call(photos.list, "--apply")[0] == 0
    photos.add("roses/a.jpg", "new rose")
    photos.add("tulips/b.jpg", "cropped")
    before = photos.contents()
    status, _, errors = call(photos.undo(), "--apply")
    assert status == 1
    assert errors == [
        "warning: tulips/a.jpg is not moved: another file is at 'roses/a.jpg' now.",
        "warning: tulips/b.jpg is not moved: it has changed since the list was written.",
        "relabel: error: 2 of 3 photos could not be moved, see above.",
    ]
    assert set(photos.contents()) == set(before) - {"tulips/c.jpg"} | {"roses/c.jpg"}


def test_other_lists_are_refused(photos: Photos, call: Call) -> None:
    photos.list.parent.mkdir()
    photos.list.write_text("path,reason\na.jpg,is empty\n")
    assert call(photos.list) == (
        2,
        [],
        [
            f"relabel: error: CSV '{photos.list}' must have the columns image, folder, sha256 in its first line. Is it "
            "the list that was written for you to mark?"
        ],
    )
    photos.list.write_text("image,folder,sha256\na.jpg,/,0\n")
    assert call(photos.list)[2] == [
        f"relabel: error: CSV '{photos.list}' must have the column 'action', in which you mark what is to be moved."
    ]
    assert call(photos.folder / "none.csv")[2] == [
        f"relabel: error: CSV '{photos.folder / 'none.csv'}' does not exist. retrain.py writes suspected_labels.csv "
        "beside its report."
    ]
