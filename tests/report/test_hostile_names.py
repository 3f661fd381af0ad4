"""200 photos in one run, with names that break pages, terminals and lists: no script runs, and nothing breaks."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import retrain
from retraining import relabel
from retraining.data import dataset
from retraining.printable import printable
from retraining.settings.data import DataSettings
from retraining.storage import spreadsheet
from tests.report import hostile_photos
from tests.report.test_page import Page
from tests.test_retrain import words

UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
LISTS = {"suspected_labels.csv", "class_results.csv", "duplicate_images.csv", "skipped_images.csv"}


@dataclasses.dataclass(frozen=True)
class Run:
    """A folder of photos with hostile names, and what a run wrote about them."""

    photos: Path
    logs: Path


@pytest.fixture(scope="module")
def run(tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("hostile")
    photos = hostile_photos.write(folder / "photos")
    logs = folder / "logs"
    flags = ("--testing_percentage", "40", "--report", logs / "report.html")
    assert retrain.main(words(photos, folder, *flags, module=tf2_module)) == 0
    return Run(photos, logs)


def test_names_in_the_page_are_only_text(run: Run) -> None:
    html = (run.logs / "report.html").read_text(encoding="utf-8")
    page = Page(html)
    labels = dataset.scan(DataSettings(run.photos)).labels
    assert len(labels) == hostile_photos.CLASSES
    assert {printable(label) for label in labels} <= set(page.texts)
    assert UNSAFE.search(html) is None
    assert len(page.scripts) == 1
    assert {name for _, attributes in page.tags for name in attributes if name.startswith("on")} == set()
    assert {tag for tag, _ in page.tags} & {
        "iframe",
        "object",
        "embed",
        "base",
        "img",
        "foreignobject",
    } == set()
    assert {href for href in page.values("href") if not href.startswith(("#", "data:"))} <= LISTS
    assert page.values("src") == []
    assert not any("url(" in style for style in page.values("style"))
    assert len(set(page.values("id"))) == len(page.values("id"))


def test_names_in_the_lists_are_on_one_line_and_no_formulas(run: Run) -> None:
    lists = {path.name: path.read_text(encoding="utf-8-sig") for path in run.logs.glob("*.csv")}
    assert set(lists) == LISTS
    for text in lists.values():
        assert UNSAFE.search(text) is None
        assert re.findall(r'(?:^|[,"])[=+@\t-].*', text, re.MULTILINE) == []


def test_photos_that_are_suspected_are_moved_and_taken_back(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> set[str]:
        return {str(path.relative_to(run.photos)) for path in run.photos.rglob("*") if path.is_file()}

    before = files()
    listed = run.logs / "suspected_labels.csv"
    table = spreadsheet.read(listed, ("image", "action"))
    assert len(table.rows) > 10
    marked = [tuple((row | {"action": "move"}).values()) for row in table.rows]
    spreadsheet.write(listed, table.header, marked)
    assert relabel.main([str(listed), "--apply"]) == 0
    assert len(files() - before) == len(marked)
    assert relabel.main([str(listed.with_name("suspected_labels_undo.csv")), "--apply"]) == 0
    assert files() == before
    assert UNSAFE.search(capsys.readouterr().out) is None
