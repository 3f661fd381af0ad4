from __future__ import annotations

import base64
import collections
import dataclasses
import hashlib
import html.parser
import re
from pathlib import Path
from typing import Any

import pytest
from markupsafe import Markup

from retraining.assessment.mistakes import Mistake
from retraining.data.dataset import Dataset
from retraining.features.near_duplicates import Search
from retraining.printable import printable
from retraining.report import page, sections, thumbnails
from retraining.report.sections import Plots
from retraining.report.subject import Subject
from tests.report import made_up

HOSTILE = (
    "<script>alert(1)<\u2215script>",
    '"><img src=x onerror=alert(1)>',
    "' onclick='alert(1)",
    "<\u2215style><svg onload=alert(1)>",
    "\u202egnp.exe",
    "a\nb\x01\x1b[31m",
    b"caf\xe9".decode("utf-8", "surrogateescape"),
    "{{ 7 * 7 }}{% raw %}",
    "]]>--><!--",
    "&lt;b&gt;",
    "שלום",
    "two  spaces",
    "x" * 150,
)


class Page(html.parser.HTMLParser):
    """A page as a browser reads it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self._open = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self._open = tag
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        (self.scripts if self._open == "script" and data.strip() else self.texts).append(data)

    def handle_endtag(self, _tag: str) -> None:
        self._open = ""

    def values(self, name: str) -> list[str]:
        return [attributes[name] for _, attributes in self.tags if name in attributes]

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts))


@pytest.fixture(scope="module")
def hostile_subjects(tmp_path_factory: pytest.TempPathFactory) -> list[Subject]:
    data = made_up.dataset(tmp_path_factory.mktemp("hostile"), HOSTILE)
    titles = ("<b>one</b>", "two\x07")
    return [made_up.subject(made_up.findings(data, seed=seed), title) for seed, title in enumerate(titles)]


@pytest.fixture(scope="module")
def hostile_text(hostile_subjects: list[Subject]) -> str:
    return page.render(hostile_subjects)


@pytest.fixture(scope="module")
def hostile(hostile_text: str) -> Page:
    return Page(hostile_text)


def _parts(path: Path, name: str, *, models: int) -> list[str]:
    """Return the text of a section, of each model."""
    html = path.read_text(encoding="utf-8")
    starts = [html.index(f'<section id="m{number}-{name}">') for number in range(1, models + 1)]
    return [Page(html[start : html.index("</section>", start)]).text for start in starts]


@pytest.fixture
def no_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sections, "_plots", lambda *_: Plots())


def test_hostile_names_are_only_text(hostile: Page) -> None:
    assert len(hostile.scripts) == 1
    known = "html head meta title link style body script header nav main section footer h1 h2 h3 h4 p ul ol li a b strong"
    known += " small i bdi span div code pre dfn button form label input select option output table thead tbody tr th td"
    known += " figure figcaption details summary dialog article svg defs g path use text image clippath rect"
    assert {tag for tag, _ in hostile.tags} <= set(known.split())
    assert not [name for _, attributes in hostile.tags for name in attributes if name.startswith("on")]
    for name in HOSTILE:
        assert printable(name) in "\n".join(hostile.texts)
    assert "<b>one</b>" in hostile.text
    assert "two\\x07" in hostile.text


def test_no_character_of_a_name_controls_anything(hostile_text: str) -> None:
    assert (
        re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]", hostile_text) == []
    )


def test_page_may_load_nothing_and_run_only_its_own_script(hostile: Page, hostile_text: str) -> None:
    digest = base64.b64encode(hashlib.sha256(hostile.scripts[0].encode()).digest()).decode()
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            "style-src 'unsafe-inline'",
            f"script-src 'sha256-{digest}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    assert {"http-equiv": "Content-Security-Policy", "content": policy} in [tag for _, tag in hostile.tags]
    assert [
        href
        for href in hostile.values("href")
        if not href.startswith(("#", "data:image/jpeg;base64,", "data:,"))
    ] == []
    assert hostile.values("src") == []
    assert "://" not in hostile_text


def test_links_lead_to_what_is_there_and_no_name_is_given_twice(hostile: Page) -> None:
    ids = hostile.values("id")
    assert [name for name, times in collections.Counter(ids).items() if times > 1] == []
    wanted = [href[1:] for href in hostile.values("href") if href.startswith("#")]
    wanted += (
        hostile.values("popovertarget") + hostile.values("data-copy") + hostile.values("aria-labelledby")
    )
    assert set(wanted) - set(ids) == set()


def test_each_photograph_is_in_the_page_once(hostile: Page) -> None:
    pictures = [attributes["href"] for tag, attributes in hostile.tags if tag == "image"]
    assert len(pictures) > 20
    assert len(set(pictures)) == len(pictures)
    assert len([href for href in hostile.values("href") if href.startswith("data:image")]) == len(pictures)


def test_plots_have_the_colours_of_the_page(hostile_text: str) -> None:
    assert hostile_text.count('class="plot"') == 10
    assert re.findall("(?:fill|stroke): ?#", hostile_text) == []


def test_same_findings_give_the_same_page(hostile_subjects: list[Subject], hostile_text: str) -> None:
    assert page.render(hostile_subjects) == hostile_text


def test_filter_offers_classes_as_the_errors_name_them(hostile: Page) -> None:
    offered = {attributes["value"] for tag, attributes in hostile.tags if tag == "option"}
    assert offered - {""} == set(hostile.values("data-label") + hostile.values("data-taken-for"))
    assert "two  spaces" in offered


def test_cells_open_all_test_photographs(hostile: Page) -> None:
    cells = [
        tag
        for _, tag in hostile.tags
        if tag.get("class", "").startswith("cell ") and tag["popovertarget"].startswith("m1")
    ]
    counts = [int(tag["aria-label"].split()[0]) for tag in cells]
    assert sum(counts) == 2 * len(HOSTILE)


def test_sections_say_why_they_are_empty(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "yellow"), tested=False, write=False)
    found = dataclasses.replace(
        made_up.findings(data),
        suspects=(),
        same=made_up.NO_DUPLICATES,
        near=made_up.NO_DUPLICATES,
        skipped=(),
        trend=None,
    )
    text = Page(page.render([Subject("builtin", found)])).text
    for sentence in (
        "There are no test photographs: how well the model does on photographs that it has not seen is not known.",
        "There are no test photographs, so nobody knows how well each class does.",
        "There are no test photographs, so no confusions are known.",
        "There are no test photographs, so no errors are known.",
        "None: all 10 photographs were judged by a model that had not seen them, and no label stands out.",
        "None: no two files are the same, and no two photographs show nearly the same.",
        "Nothing was measured: there are too few photographs to tell, too many classes for the time there is, or the "
        "network has itself learnt from the photographs.",
        "There are no test photographs to tell it from.",
        "The model does not tell photographs apart that are of none of its classes.",
        "This page was made after the run, and the curves of its training are not known any more.",
        "Not known here: this page was made after the run, or another model was exported.",
        "None: every file could be used.",
    ):
        assert sentence in text


@pytest.mark.usefixtures("no_plots")
def test_model_without_mistakes_has_an_empty_gallery(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "yellow"), write=False)
    found = dataclasses.replace(made_up.findings(data), mistakes=())
    assert (
        "Every test photograph was given the label of its class."
        in Page(page.render([Subject("a", found)])).text
    )


@pytest.mark.usefixtures("no_plots")
def test_photographs_that_cannot_be_read_have_a_placeholder(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "yellow"))
    data.images[3].path.unlink()
    data.images[4].path.write_bytes(b"no image any more")
    read = Page(page.render([made_up.subject(made_up.findings(data))]))
    assert "it cannot be read (No such file or directory)" in read.text
    assert "it is a text file, not an image" in read.text


@pytest.mark.usefixtures("no_plots")
def test_pictures_take_no_more_room_than_there_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "magenta", "yellow"))
    subject = made_up.subject(made_up.findings(data))
    monkeypatch.setattr(thumbnails, "MOST_CHARACTERS", 12_000)
    written = page.write([subject], tmp_path / "report.html")
    read = Page(written.path.read_text(encoding="utf-8"))
    pictures = [
        tag["href"].removeprefix("data:image/jpeg;base64,") for name, tag in read.tags if name == "image"
    ]
    assert 0 < sum(map(len, pictures)) <= 12_000
    assert written.pictures == len(pictures)
    assert f"{written.left_out} more photographs are left out" in read.text
    assert "left out" in [text.strip() for text in read.texts]
    first = subject.findings.mistakes[0].image
    assert pictures[0] == thumbnails.make([first]).pictures[first.file].base64


def test_no_more_pictures_are_made_than_a_page_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made_up.dataset(tmp_path, ("cyan",))
    monkeypatch.setattr(thumbnails, "MOST", 3)
    made = thumbnails.make(data.images)
    assert list(made.pictures) == [image.file for image in data.images[:3]]


@pytest.mark.usefixtures("no_plots")
def test_file_has_the_size_that_is_told_and_links_the_lists_beside_it(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", ("cyan", "yellow"), write=False)
    (tmp_path / "suspected_labels.csv").touch()
    subject = made_up.subject(made_up.findings(data), relabel="relabel this")
    written = page.write([subject], tmp_path / "report.html")
    assert written.size == written.path.stat().st_size
    assert "suspected_labels.csv" in Page(written.path.read_text(encoding="utf-8")).values("href")


@pytest.mark.usefixtures("no_plots")
def test_lists_elsewhere_are_not_linked_even_if_another_run_has_left_its_own(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", ("cyan", "yellow"), write=False)
    (tmp_path / "suspected_labels.csv").touch()
    subject = made_up.subject(made_up.findings(data), relabel="relabel suspected_labels.csv")
    written = page.write([subject], tmp_path / "report.html", lists=tmp_path / "logs")
    read = Page(written.path.read_text(encoding="utf-8"))
    assert "suspected_labels.csv" not in read.values("href")
    assert "open suspected_labels.csv in the folder of the logs in a spreadsheet program" in read.text


@pytest.mark.usefixtures("no_plots")
def test_only_the_labels_of_the_best_model_can_be_corrected(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", ("cyan", "yellow"), write=False)
    found = made_up.findings(data)
    subjects = [made_up.subject(found, "best", relabel="relabel this"), made_up.subject(found, "other")]
    best, other = _parts(page.write(subjects, tmp_path / "report.html").path, "labels", models=2)
    assert "relabel this" in best
    assert "Only the labels" not in best
    assert "Only the labels of the best model are listed in suspected_labels.csv" in other
    assert "To correct" not in other


@pytest.mark.usefixtures("no_plots")
def test_page_in_a_notebook_names_no_list(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", [f"kind {number:03}" for number in range(201)], write=False)
    found = dataclasses.replace(made_up.findings(data), mistakes=())
    text = Page(page.render([Subject("builtin", found)])).text
    assert "These 3 look more like another class than like their own" in text
    assert "And 1 more class, which do better." in text
    assert ".csv" not in text


@pytest.mark.usefixtures("no_plots")
def test_single_suspect_and_single_group_read_right(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", ("cyan", "yellow"), write=False)
    found = made_up.findings(data)
    found = dataclasses.replace(found, suspects=found.suspects[:1], near=made_up.NO_DUPLICATES)
    text = Page(page.render([made_up.subject(found, relabel="relabel this")])).text
    assert (
        "This one looks more like another class than like its own. It may be right all the same: look before "
        "you change it. To correct it, open suspected_labels.csv" in text
    )
    assert " 1 label to look at " in text
    assert " 1 group of duplicates " in text
    assert "None besides the graph itself." in text


@pytest.mark.usefixtures("no_plots")
def test_neighbours_are_a_reason_only_where_several_are_of_the_answered_class(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "yellow"), write=False)
    found = made_up.findings(data)
    reasons = []
    for numbers in ((5, 6, 0), (5, 0, 1)):
        nearest = tuple(data.images[number] for number in numbers)
        mistake = Mistake(data.images[3], ((1, 0.9), (0, 0.1)), 0.1, nearest)
        changed = Subject("a", dataclasses.replace(found, mistakes=(mistake,)))
        (shown,) = sections.model(changed, page._album([changed]), id="m1").errors
        reasons.append(shown.reason)
    assert reasons == ["2 of 3", ""]


@pytest.mark.usefixtures("no_plots")
def test_guessing_is_told_by_the_share_of_all_photographs(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, ("cyan", "yellow"), write=False)
    fewer = dataclasses.replace(data, images=data.images[1:])
    text = Page(page.render([Subject("a", made_up.findings(fewer))])).text
    assert "Always answering yellow , the class with the most photographs, would get about 56% right." in text


def test_own_settings_of_matplotlib_change_no_plot(
    hostile_subjects: list[Subject], hostile_text: str
) -> None:
    import matplotlib as mpl

    with mpl.rc_context({"axes.facecolor": "red", "lines.marker": "x", "font.size": 30}):
        assert page.render(hostile_subjects) == hostile_text


@pytest.mark.usefixtures("no_plots")
def test_of_many_classes_the_most_confused_pairs_are_listed(tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path, [f"kind {number:02}" for number in range(45)], write=False)
    found = made_up.findings(data)
    read = Page(page.render([Subject("many", found)]))
    classes = read.values("class")
    assert "pairs" in classes
    assert not [name for name in classes if name.startswith("matrix")]
    assert "5 more classes" in read.text
    assert f"{len(found.mistakes) - sections.FIRST_CARDS} more" in read.text


@pytest.mark.usefixtures("no_plots")
def test_classes_with_the_most_trouble_come_first(tmp_path: Path) -> None:
    data: Dataset = made_up.dataset(tmp_path, ("a", "b", "c", "d"), write=False)
    model = sections.model(
        Subject("a", made_up.findings(data)), page._album([Subject("a", made_up.findings(data))]), id="m1"
    )
    trouble = [0.0 if figures.f1 != figures.f1 else figures.f1 for figures in model.classes]
    assert trouble == sorted(trouble)
    assert sum(figures.testing for figures in model.classes) == 8


def test_figures_of_a_sample_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plot = Markup("<svg></svg>")
    monkeypatch.setattr(sections, "_plots", lambda *_: Plots(trend=plot, reliability=plot, novelty=plot))
    found = made_up.findings(made_up.dataset(tmp_path, ("cyan", "yellow"), write=False))
    whole = Page(page.render([Subject("a", found)])).text
    assert "sample of" not in whole
    assert found.novelty is not None
    some = dataclasses.replace(
        found,
        known=1_000_000,
        same=made_up.NO_DUPLICATES,
        near=made_up.NO_DUPLICATES,
        near_search=Search(2_000, 1_000_000, 3),
        novelty=dataclasses.replace(found.novelty, test_novelty=found.novelty.test_novelty[:2]),
    )
    text = Page(page.render([Subject("a", some)])).text
    for sentence in (
        "It was measured on a sample of 2 of 4 photographs, chosen by the hash of their content.",
        "It was measured on a sample of 4 of 1,000,000 photographs, chosen by the hash of their content.",
        "None were found.",
        "2,000 of 1,000,000 photographs, chosen by the hash of their content, were each looked up among all.",
        "3 photographs that may show nearly the same as another could not be read where this page was made, so "
        "they were not compared.",
    ):
        assert sentence in text
