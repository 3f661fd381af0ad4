"""A report on photos with hostile names is well-formed, shows every name as text, and has no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

import retrain
from retraining import relabel
from retraining.data import dataset
from retraining.printable import printable
from retraining.settings.data import DataSettings
from retraining.storage import spreadsheet
from tests.report import hostile_photos
from tests.test_retrain import words

# Elements that have no end.
VOID = {"meta", "link", "input", "br", "img", "hr", "path", "use", "image"}
ADDRESSES = ("href", "src", "xlink:href", "action", "formaction", "data", "srcset", "poster")
UNSAFE = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class Page(HTMLParser):
    """The elements of a page with their attributes, its text, and its script."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), (tag, attrs)
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        (self.scripts if self._open and self._open[-1] == "script" else self.text).append(data)


class Run:
    """A folder of photos with hostile names, and what a run wrote about them."""

    def __init__(self, folder: Path) -> None:
        self.photos = folder / "photos"
        self.list = folder / "logs" / "suspected_labels.csv"
        self.html = (folder / "logs" / "report.html").read_text(encoding="utf-8")
        self.page = Page(self.html)


@pytest.fixture(scope="module")
def run(tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("hostile")
    photos = hostile_photos.write(folder / "photos")
    assert (
        retrain.main(
            words(
                photos,
                folder,
                "--testing_percentage",
                "40",
                "--report",
                folder / "logs" / "report.html",
                module=tf2_module,
            )
        )
        == 0
    )
    return Run(folder)


def test_only_the_script_of_the_page_runs(run: Run) -> None:
    assert len(run.page.scripts) == 1
    digest = base64.b64encode(hashlib.sha256(run.page.scripts[0].encode()).digest()).decode()
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="(.*?)"', run.html)
    assert f"script-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none';")
    tags = {tag for tag, _ in run.page.elements}
    assert not tags & {"iframe", "object", "embed", "base", "frame", "img", "audio", "video", "foreignobject"}
    names = {name for _, attributes in run.page.elements for name in attributes}
    assert {name for name in names if name.startswith("on")} == set()


def test_every_address_is_within_the_page_or_beside_it(run: Run) -> None:
    addresses = {
        attributes[name] or ""
        for _, attributes in run.page.elements
        for name in ADDRESSES
        if name in attributes
    }
    beside = {
        address for address in addresses if not address.startswith(("#", "data:,", "data:image/jpeg;base64,"))
    }
    assert beside <= {
        "suspected_labels.csv",
        "class_results.csv",
        "duplicate_images.csv",
        "skipped_images.csv",
    }
    assert "url(" not in "".join(attributes.get("style") or "" for _, attributes in run.page.elements)


def test_every_name_is_shown_as_text_and_on_one_line(run: Run) -> None:
    labels = dataset.scan(DataSettings(run.photos)).labels
    assert len(labels) == hostile_photos.CLASSES
    shown = set(run.page.text)
    assert {label for label in labels if printable(label) not in shown} == set()
    assert UNSAFE.search(run.html) is None
    values = [value for _, attributes in run.page.elements for value in attributes.values() if value]
    assert UNSAFE.search("".join(values)) is None  # written as a reference, such as &#27;


def test_ids_are_unique_and_what_they_name_is_there(run: Run) -> None:
    ids = [attributes["id"] for _, attributes in run.page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    named = {
        (attributes[name] or "").removeprefix("#")
        for _, attributes in run.page.elements
        for name in ("popovertarget", "aria-labelledby", "for", "data-copy", "href")
        if name in attributes and (name != "href" or (attributes[name] or "").startswith("#"))
    }
    assert named <= set(ids)


def test_photos_that_are_suspected_are_moved_and_taken_back(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    def files() -> set[str]:
        return {str(path.relative_to(run.photos)) for path in run.photos.rglob("*") if path.is_file()}

    before = files()
    table = spreadsheet.read(run.list, ("image", "action"))
    assert len(table.rows) > 10
    marked = [tuple((row | {"action": "move"}).values()) for row in table.rows]
    spreadsheet.write(run.list, table.header, marked)
    assert relabel.main([str(run.list), "--apply"]) == 0
    moved = files()
    assert len(moved - before) == len(marked)
    assert relabel.main([str(run.list.with_name("suspected_labels_undo.csv")), "--apply"]) == 0
    assert files() == before
    assert UNSAFE.search(capsys.readouterr().out) is None
