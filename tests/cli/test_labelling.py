"""What label_image.py prints and sorts, with a classifier of two colours that needs no TensorFlow."""

from __future__ import annotations

import csv
import io
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import label_image
from retraining.arrays import ImageSize, Pixels
from retraining.inference import loading, sources
from retraining.inference.image_classifier import ImageClassifier
from retraining.inference.novelty_run import NoveltyRun


def red_and_blue(pixels: Pixels) -> np.ndarray:
    mean = pixels.mean(axis=(1, 2))
    scores: np.ndarray = mean[:, [0, 2]] / mean[:, [0, 2]].sum(axis=1, keepdims=True)
    return scores


@pytest.fixture(autouse=True)
def classifier(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Have label_image.py load it; return how many images the next run was prepared with, each time."""
    prepared: list[int] = []
    found = ImageClassifier(
        red_and_blue,
        ("red", "dark blue"),
        ImageSize(4, 4),
        batch_size=32,
        prepare_next_run=lambda images: prepared.append(len([sources.opened(image) for image in images])),
    )
    monkeypatch.setattr(loading, "load", lambda _: found)
    return prepared


class LikeOneColour:
    """A detector to which purple is unlike any class: its vectors are the mean colours."""

    def novelty(self, vectors: np.ndarray) -> np.ndarray:
        novelty: np.ndarray = 1 - 2 * np.abs(vectors[:, 0] - vectors[:, 2])
        return novelty


def with_colours(pixels: Pixels) -> np.ndarray:
    return np.concatenate([red_and_blue(pixels), pixels.mean(axis=(1, 2))], axis=1)


@pytest.fixture
def asked_for_novelty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have label_image.py load a classifier that also tells images unlike any class."""
    novelty = NoveltyRun(with_colours, LikeOneColour())  # type: ignore[arg-type]
    found = ImageClassifier(
        red_and_blue, ("red", "dark blue"), ImageSize(4, 4), batch_size=32, novelty=novelty
    )
    monkeypatch.setattr(loading, "load", lambda settings: found if settings.unknown else None)


RED, BLUE, PURPLE = (204, 0, 51), (0, 0, 200), (120, 0, 80)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The present folder, with a graph that is there to be checked only."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "graph.pb").touch()
    return tmp_path


def photo(path: str, colour: tuple[int, int, int]) -> Path:
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), colour).save(path, "PNG")
    return Path(path)


def run(*words: str) -> int:
    return label_image.main(["--graph=graph.pb", *words])


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.png"))


@pytest.mark.usefixtures("folder")
def test_json_is_an_object_on_a_line_for_each_image(capsys: pytest.CaptureFixture[str]) -> None:
    photo("in/ä b.png", RED)
    Path("in/broken.png").write_text("<html>")
    assert run("--output=json", "--image=in") == 1
    out, err = capsys.readouterr()
    assert out.isascii()
    assert [json.loads(line) for line in out.splitlines()] == [
        {"image": "in/broken.png", "error": "is a web page, not an image"},
        {
            "image": "in/ä b.png",
            "predictions": [{"label": "red", "score": 0.8}, {"label": "dark blue", "score": 0.2}],
        },
    ]
    assert err == (
        "warning: in/broken.png: is a web page, not an image.\n"
        "label_image: error: 1 of 2 images could not be labelled, see above.\n"
    )


@pytest.mark.usefixtures("folder")
def test_csv_is_read_back_by_any_reader(capfd: pytest.CaptureFixture[str]) -> None:
    photo('in/a "b", c.png', RED)
    Path("in/broken.png").write_text("<html>")
    assert run("--output=csv", "--image=in") == 1
    out = capfd.readouterr().out
    assert out.splitlines(keepends=True)[0] == "image,label,score,rank,outcome,sorted_to,error\r\n"
    assert list(csv.DictReader(io.StringIO(out, newline=""))) == [
        row('in/a "b", c.png', label="red", score="0.800000", rank="1"),
        row('in/a "b", c.png', label="dark blue", score="0.200000", rank="2"),
        row("in/broken.png", error="is a web page, not an image"),
    ]


def row(image: str, **cells: str) -> dict[str, str]:
    return {"image": image} | {
        name: cells.get(name, "") for name in ("label", "score", "rank", "outcome", "sorted_to", "error")
    }


@pytest.mark.usefixtures("folder")
def test_labels_below_the_least_score_are_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--min_score=0.5", "--image", str(photo("a.png", RED)), str(photo("b.png", PURPLE))) == 0
    assert capsys.readouterr().out == "a.png\nred 0.80000\nb.png\nred 0.60000\n"
    assert run("--min_score=0.9", "--output=json", "--image=a.png") == 0
    assert json.loads(capsys.readouterr().out) == {"image": "a.png", "predictions": []}


@pytest.mark.usefixtures("folder")
def test_image_from_standard_input(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content = photo("a.png", BLUE).read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert run("--image", "-", "--num_top_predictions=1") == 0
    assert capsys.readouterr().out == "dark blue 1.00000\n"
    monkeypatch.setattr(sys, "stdin", None)
    assert run("--image", "-") == 1
    assert capsys.readouterr().err.startswith("warning: -: is empty.\n")


def test_images_are_moved_into_the_folders_of_their_classes(
    folder: Path, classifier: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    for name, colour in {"a": RED, "b": BLUE, "c": PURPLE}.items():
        photo(f"in/{name}.png", colour)
    photo("out/red/a.png", BLUE)  # another image of this name
    words = ("--image=in", "--move_to=out", "--min_score=0.7")
    assert run(*words, "--dry_run") == 0
    expected = [
        "in/a.png",
        "red 0.80000",
        "moved to out/red/a_2.png",
        "in/b.png",
        "dark blue 1.00000",
        "moved to out/dark blue/b.png",
        "in/c.png",
        "stays, since no score is high enough",
        "3 images: 2 moved, 1 unsure.",
    ]
    tried = capsys.readouterr().out.replace("would be moved", "moved")
    assert tried.replace(" in a dry run, which changed nothing", "").splitlines() == expected
    assert files(folder) == ["in/a.png", "in/b.png", "in/c.png", "out/red/a.png"]
    assert run(*words) == 0
    assert capsys.readouterr().out.splitlines() == expected
    assert files(folder) == ["in/c.png", "out/dark blue/b.png", "out/red/a.png", "out/red/a_2.png"]
    assert classifier == [3, 3]  # where the images are after they were moved


def test_sorted_images_stay_where_they_are_when_the_folder_is_sorted_again(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo("photos/a.png", RED)
    photo("photos/red/b.png", BLUE)  # as somebody has corrected it
    for _ in range(2):
        assert run("--image=photos", "--move_to=photos", "--output=csv") == 0
    captured = capsys.readouterr()
    assert captured.err == (
        "1 images: 1 moved. 1 in class folders were left alone.\n"
        "0 images: none sorted. 2 in class folders were left alone.\n"
    )
    assert files(folder) == ["photos/red/a.png", "photos/red/b.png"]


def test_copies_say_where_they_are_and_a_failure_does_not_stop_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        photo(f"in/{name}.png", RED)
    photo("in/c.png", BLUE)
    photo("out/red/a.png", RED)
    Path("out/dark blue").write_text("a file")
    words = ("--image=in", "--copy_to=out", "--output=json", "--num_top_predictions=1")
    assert run(*words) == 1
    out, err = capsys.readouterr()
    found = [json.loads(line) for line in out.splitlines()]
    assert [(line.get("outcome"), line.get("sorted_to"), line.get("error")) for line in found] == [
        ("already there", "out/red/a.png", None),
        ("copied", "out/red/b.png", None),
        (None, None, "cannot be sorted: 'out/dark blue' is a link or a file"),
    ]
    assert err == (
        "warning: in/c.png: cannot be sorted: 'out/dark blue' is a link or a file.\n"
        "3 images: 1 copied, 1 already there.\n"
        "label_image: error: 1 of 3 images could not be labelled or sorted, see above.\n"
    )
    assert files(folder) == ["in/a.png", "in/b.png", "in/c.png", "out/red/a.png", "out/red/b.png"]


def test_watched_folder_is_labelled_until_ctrl_c(
    folder: Path, classifier: list[int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    photo("camera/old.png", RED)
    steps = iter([("one.png", RED), None, ("two.png", BLUE), None, "Ctrl-C"])

    def sleep(_: float) -> None:
        step = next(steps)
        if step == "Ctrl-C":
            signal.raise_signal(signal.SIGINT)
        elif isinstance(step, tuple):
            photo(f"camera/{step[0]}", step[1])

    monkeypatch.setattr("retraining.data.folder_watch.time.sleep", sleep)
    assert run("--watch=camera", "--move_to=out", "--output=json", "--num_top_predictions=1") == 130
    out, err = capsys.readouterr()
    assert [json.loads(line)["sorted_to"] for line in out.splitlines()] == [
        "out/red/one.png",
        "out/dark blue/two.png",
    ]
    assert err == "2 images: 2 moved.\n\nlabel_image: interrupted; what was computed is kept\n"
    assert files(folder) == ["camera/old.png", "out/dark blue/two.png", "out/red/one.png"]
    assert classifier == [1]  # once, after the first


UNLIKE_BOTH = (100, 0, 99)


@pytest.mark.usefixtures("folder", "asked_for_novelty")
def test_image_unlike_any_class_is_called_unknown_before_its_labels(
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo("a.png", RED)
    photo("b.png", UNLIKE_BOTH)
    assert run("--unknown", "--image", "a.png", "b.png", "--num_top_predictions=1") == 0
    assert capsys.readouterr().out == "a.png\nred 0.80000\nb.png\nunknown 0.99216\nred 0.50251\n"


@pytest.mark.usefixtures("folder", "asked_for_novelty")
def test_json_and_csv_have_the_novelty_of_every_image(capfd: pytest.CaptureFixture[str]) -> None:
    photo("in/a.png", RED)
    photo("in/b.png", UNLIKE_BOTH)
    Path("in/broken.png").write_text("<html>")
    words = ("--unknown", "--image=in", "--num_top_predictions=1")
    assert run("--output=json", *words) == 1
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line.get("novelty"), line.get("unknown")) for line in found] == [
        (-0.2, False),
        (0.992157, True),
        (None, None),
    ]
    assert run("--output=csv", *words) == 1
    rows = list(csv.DictReader(io.StringIO(capfd.readouterr().out, newline="")))
    assert list(rows[0]) == [
        "image",
        "label",
        "score",
        "rank",
        "outcome",
        "sorted_to",
        "error",
        "novelty",
        "unknown",
    ]
    assert [(line["label"], line["novelty"], line["unknown"]) for line in rows] == [
        ("red", "-0.200000", "false"),
        ("red", "0.992157", "true"),
        ("", "", ""),
    ]


@pytest.mark.usefixtures("asked_for_novelty")
def test_image_unlike_any_class_stays_where_it_is(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    photo("in/a.png", RED)
    photo("in/b.png", UNLIKE_BOTH)
    assert run("--unknown", "--image=in", "--move_to=out", "--num_top_predictions=1") == 0
    assert capsys.readouterr().out.splitlines()[3:] == [
        "in/b.png",
        "unknown 0.99216",
        "red 0.50251",
        "stays, since it is unlike any class",
        "2 images: 1 moved, 1 unknown.",
    ]
    assert files(folder) == ["in/b.png", "out/red/a.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    {
        "--image=a --move_to=x --copy_to=y": (
            "--move_to and --copy_to cannot be used together. Give one of them."
        ),
        "--image=a --dry_run": "--dry_run needs --move_to or --copy_to, for what it is to try.",
        "--image=- --move_to=x": (
            "an image from standard input has no name to be sorted under. Leave out --image -, or --move_to and "
            "--copy_to."
        ),
        "--watch=nowhere": "--watch must be a folder, received 'nowhere'. Create it first.",
    }.items(),
)
@pytest.mark.usefixtures("folder")
def test_what_makes_no_sense_is_refused(words: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*words.split()) == 2
    assert capsys.readouterr().err == f"label_image: error: {message}\n"
