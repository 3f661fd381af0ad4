"""python -m retraining.report, and the report that a run ends with."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import retrain
from retraining.assessment import assessment
from retraining.graphs import graph_file, recorded
from retraining.graphs.frozen_graph import GraphDef
from retraining.report import __main__ as report
from retraining.report import page as report_page
from tests.test_retrain import words


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, tf2_module: Path) -> Path:
    """A folder with photos and what retrain.py wrote, its report included."""
    from tests.conftest import write_colour_photos

    folder = tmp_path_factory.mktemp("run")
    write_colour_photos(folder / "photos")
    made = words(folder / "photos", folder, "--report", folder / "logs" / "report.html", module=tf2_module)
    assert retrain.main(made) == 0
    return folder


def shown(page: Path, id: str) -> str:
    """Return the text of an element of a page that holds no others."""
    found = re.search(rf'id="{id}"[^>]*>([^<]*)<', page.read_text(encoding="utf-8"))
    assert found is not None, id
    return found[1].strip()


def again(run: Path, *more: str) -> list[str]:
    place = [
        "--graph",
        run / "graph.pb",
        "--image_dir",
        run / "photos",
        "--report",
        run / "again" / "page.html",
    ]
    return [*map(str, place), "--bottleneck_dir", str(run / "bottlenecks"), *more]


def test_report_of_an_earlier_run_says_the_same(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main(again(run, "--how_many_training_steps", "400")) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[-1] == f"Report: {run / 'again' / 'page.html'}"
    first, second = run / "logs" / "report.html", run / "again" / "page.html"
    assert shown(second, "m1-accuracy") == shown(first, "m1-accuracy")
    assert (run / "again" / "suspected_labels.csv").read_text() == (
        run / "logs" / "suspected_labels.csv"
    ).read_text()


def test_folder_with_other_classes_is_refused(
    run: Path, colour_photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (colour_photos / "cyan").rename(colour_photos / "blue")
    assert report.main([*again(run), "--image_dir", str(colour_photos)]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "report: error: the images have the classes blue, magenta, yellow, and the graph cyan, magenta, "
        "yellow; give those that the graph was trained on."
    )


def test_graph_without_a_layer_of_a_retraining_is_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph_def = GraphDef()
    graph_def.node.add(name="input", op="Placeholder")
    (tmp_path / "other.pb").write_bytes(graph_def.SerializeToString())
    assert report.main([*again(run), "--graph", str(tmp_path / "other.pb")]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"report: error: --graph '{tmp_path}/other.pb' has no layer that retrain.py has added, so there is "
        f"nothing to report on. Give a frozen graph that it wrote."
    )


def broken(*_arguments: object, **_keywords: object) -> None:
    raise RuntimeError("a bug")


def test_failure_of_the_assessment_leaves_the_graph_too(
    tmp_path: Path,
    colour_photos: Path,
    tf2_module: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(assessment, "assess", broken)
    page = tmp_path / "report.html"
    assert retrain.main(words(colour_photos, tmp_path, "--report", page, module=tf2_module)) == 1
    assert (tmp_path / "graph.pb").is_file()
    told = capsys.readouterr().err.splitlines()
    assert (
        "warning: the scores could not be calibrated, and nothing is unknown to the graph: RuntimeError: a "
        "bug. Please report this."
    ) in told
    assert told[-1] == (
        "retrain: error: the report could not be made: nothing was found out about the model, see above. The "
        "classifier itself is complete. Please report this."
    )


def test_failure_of_the_report_leaves_the_graph_and_is_told_last(
    tmp_path: Path,
    colour_photos: Path,
    tf2_module: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(report_page, "write", broken)
    page = tmp_path / "report.html"
    assert retrain.main(words(colour_photos, tmp_path, "--report", page, module=tf2_module)) == 1
    assert (tmp_path / "graph.pb").is_file()
    assert not page.exists()
    assert capsys.readouterr().err.splitlines()[-1] == (
        "retrain: error: the report could not be made: RuntimeError: a bug. The classifier itself is "
        "complete. Please report this."
    )


def test_earlier_graph_is_shown_with_its_own_temperature_and_detector(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph_def = graph_file.read(run / "graph.pb")
    recorded.record_training(graph_def, recorded.Training(temperature=0.5))
    plain = recorded.without_novelty(graph_def)
    (tmp_path / "other.pb").write_bytes(plain.SerializeToString())
    assert report.main([*again(run), "--graph", str(tmp_path / "other.pb")]) == 0
    page = (run / "again" / "page.html").read_text(encoding="utf-8")
    assert "divides its logits by a temperature of 0.50" in page
    assert "would be called unknown" not in page
    assert capsys.readouterr().err.count("error") == 0


@pytest.mark.parametrize("path", ["graph.pb", "logs/suspected_labels.csv", "none"])
def test_report_takes_no_other_files_place(path: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report.main([*again(run), "--report", path]) == 2
    assert capsys.readouterr().err == (
        f"report: error: --report must be a file that ends in .html, received '{path}'.\n"
    )
