"""The page of a real run in a real Chromium: what a person clicks, types, reads and prints, and no network at all."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import retrain
from benchmarks import chromium
from benchmarks.chromium import WatchedPage
from retraining.data import sample_photos
from retraining.report import page
from tests.report import hostile_photos, made_up
from tests.test_retrain import words

pytestmark = pytest.mark.browser

SCHEMES = ("light", "dark")
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
SHEET = {"width": 794, "height": 1123}  # A4 at 96 pixels an inch

MISLABELLED = 6  # photos of tulips, among the roses
MILLISECONDS = 60_000  # to wait for, at most
MOST_TABS = 400
CELLS_OPENED = 6

TOO_PALE = """() => {
    const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const painted = colours => {
        pixel.fillStyle = "white";
        for (const colour of ["white", ...colours]) { pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1); }
        return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const light = rgb => rgb.map(value => value / 255)
        .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
        .reduce((sum, value, channel) => sum + value * [0.2126, 0.7152, 0.0722][channel], 0);
    const found = new Set();
    for (const element of document.querySelectorAll("body *")) {
        const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data).join("").trim();
        if (!text || !element.getClientRects().length || element.closest("script, style, .none")) continue;
        const behind = [];
        for (let parent = element; parent; parent = parent.parentElement)
            behind.unshift(getComputedStyle(parent).backgroundColor);
        const style = getComputedStyle(element);
        const ink = element instanceof SVGElement ? style.fill : style.color;
        const [darker, lighter] = [light(painted(behind)), light(painted([...behind, ink]))].sort((a, b) => a - b);
        const isLarge = parseFloat(style.fontSize) >= (style.fontWeight >= 700 ? 18.6 : 24);
        const contrast = (lighter + 0.05) / (darker + 0.05);
        if (contrast < (isLarge ? 3 : 4.5))
            found.add(`${element.tagName}.${element.className}: ${text.slice(0, 30)} (${contrast.toFixed(2)})`);
    }
    return [...found];
}"""

FOCUSED = """() => {
    const element = document.activeElement, style = getComputedStyle(element);
    const isSeen = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    return [element.id || element.className || element.tagName, isSeen];
}"""

TOUCHED = """() => {
    for (const element of document.querySelectorAll("body *"))
        for (const kind of ["mouseover", "focus", "error", "load"]) element.dispatchEvent(new Event(kind));
}"""

ASKS = """async address => {
    const image = new Image();
    const loaded = new Promise(done => { image.onload = () => done("loaded"); image.onerror = () => done("-"); });
    image.src = address;
    const fetched = fetch(address).then(() => "fetched", () => "-");
    return [await loaded, await fetched];
}"""


@dataclasses.dataclass(frozen=True)
class Report:
    """The page of a run, and what the run printed of the test photos that it got wrong: their names by answer."""

    page: Path
    misclassified: dict[str, set[str]]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Of drawn flowers, some of which are in the wrong folder, and one of which is in two."""
    folder = tmp_path_factory.mktemp("flowers")
    photos = folder / "photos"
    sample_photos.write(photos, per_class=16, seed=5)
    for number in range(1, MISLABELLED + 1):
        name = f"tulip_{number:04d}.jpg"
        (photos / "tulip" / name).rename(photos / "rose" / name)
    (photos / "daisy" / "again.jpg").write_bytes((photos / "dandelion" / "dandelion_0001.jpg").read_bytes())
    return made(photos, folder, "--testing_percentage", "40")


@pytest.fixture(scope="module")
def hostile(tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    photos = hostile_photos.write(folder / "photos")
    return made(photos, folder, "--testing_percentage", "40", module=tf2_module).page


def made(photos: Path, folder: Path, *more: str, module: str | Path = "builtin_small") -> Report:
    """Return the report of a run."""
    path, printed = folder / "logs" / "report.html", io.StringIO()
    flags = ("--print_misclassified_test_images", "--how_many_training_steps", "300", *more)
    with contextlib.redirect_stdout(printed):
        assert retrain.main(words(photos, folder, "--report", path, *flags, module=module)) == 0
    lines = printed.getvalue().partition("=== MISCLASSIFIED TEST IMAGES ===\n")[2].splitlines()
    wrong: dict[str, set[str]] = {}
    for line in lines:
        match = re.fullmatch(r" *(\S+\.jpg)  (\w+)", line)
        if match:
            wrong.setdefault(match[2], set()).add(Path(match[1]).name)
    return Report(path, wrong)


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    with chromium.browser() as browser:
        yield browser


Open = Callable[..., WatchedPage]


@pytest.fixture
def opened(started: Any) -> Iterator[Open]:
    """Open a page; at the end it must have asked for nothing but itself, and nothing have gone wrong in it."""
    pages: list[tuple[Path, WatchedPage]] = []
    with contextlib.ExitStack() as contexts:

        def open_page(path: Path, **options: Any) -> WatchedPage:
            context = contexts.enter_context(
                contextlib.closing(started.new_context(**{"viewport": DESK} | options))
            )
            watched = WatchedPage(context.new_page())
            watched.page.set_default_timeout(MILLISECONDS)
            watched.page.goto(path.as_uri())
            pages.append((path, watched))
            return watched

        yield open_page
        for path, watched in pages:
            assert [request for request in watched.requests if not request.startswith("data:")] == [
                path.as_uri()
            ]
            assert watched.complaints == []


Keep = Callable[..., None]


@pytest.fixture(scope="session")
def keep() -> Keep:
    """Keep a picture of what is seen, if the variable SCREENSHOTS names a folder for them: they take a while."""
    folder = os.environ.get("SCREENSHOTS")

    def keep_picture(tab: Any, name: str, **options: Any) -> None:
        if folder:
            tab.screenshot(path=Path(folder) / name, **options)

    return keep_picture


def shown(tab: Any, selector: str) -> list[Any]:
    return list(tab.locator(selector).locator("visible=true").all())


def test_cell_opens_its_photographs(report: Report, opened: Open, keep: Keep) -> None:
    tab = opened(report.page).page
    cells = tab.locator("#m1-confusion .cell.wrong")
    named: dict[str, set[str]] = {}
    for cell in cells.all():
        count = int(cell.inner_text())
        cell.click()
        (window,) = shown(tab, "dialog")
        title = window.locator("h3").inner_text()
        match = re.fullmatch(r"(\d+) photographs? of \w+ taken for (\w+)", title)
        assert match is not None, title
        assert int(match[1]) == count
        photos = window.locator("figure.shot")
        assert photos.count() == count
        for photo in photos.all():
            photo.scroll_into_view_if_needed()
            assert photo.locator("svg.photo").bounding_box()["width"] > 50
        names = (caption.rsplit(" ", 1)[0] for caption in photos.locator("figcaption").all_inner_texts())
        named.setdefault(match[2], set()).update(Path(name).name for name in names)
        keep(tab, "cell.png")
        window.locator(".close").click()
        assert shown(tab, "dialog") == []
    assert named == report.misclassified
    assert any(name.startswith("tulip_") for name in named["tulip"])


def test_gallery_is_filtered(report: Report, opened: Open, keep: Keep) -> None:
    tab = opened(report.page).page
    cards, search, count = tab.locator("article.error"), tab.locator("#m1-filter"), tab.locator("#m1-count")
    total = cards.count()
    assert total == sum(map(len, report.misclassified.values()))
    assert count.inner_text() == f"{total} photographs"

    search.fill("TULIP_0")
    keep(tab, "filtered.png")
    visible = shown(tab, "article.error")
    assert 0 < len(visible) < total
    assert all("tulip_0" in card.inner_text() for card in visible)
    assert count.inner_text() == f"{len(visible)} of {total} photographs"

    search.fill("no such file")
    assert shown(tab, "article.error") == []
    assert tab.locator("#m1-none").is_visible()
    search.fill("")
    assert len(shown(tab, "article.error")) == total
    assert not tab.locator("#m1-none").is_visible()

    assert tab.locator("#m1-filter-class").select_option("rose")
    for card in shown(tab, "article.error"):
        assert "rose" in (card.get_attribute("data-label"), card.get_attribute("data-taken-for"))


def test_keyboard_reaches_everything_and_sees_where_it_is(report: Report, opened: Open) -> None:
    tab = opened(report.page).page
    reached = []
    for _ in range(MOST_TABS):
        tab.keyboard.press("Tab")
        name, is_seen = tab.evaluate(FOCUSED)
        if name == "BODY":
            break
        assert is_seen, name
        reached.append(name)
    assert reached[0] == "A"  # the way to the sections comes first
    for part in ("cell", "m1-filter", "m1-filter-class", "card error", "card doubt", "copy", "link"):
        assert any(name.startswith(part) for name in reached), part
    assert sum(name.startswith("cell") for name in reached) == 1  # arrows move within the table


def test_cell_is_opened_and_left_with_the_keyboard(report: Report, opened: Open) -> None:
    tab = opened(report.page).page
    focused = tab.locator("*:focus")
    tab.locator("#m1-confusion .cell").first.focus()
    first = focused.get_attribute("aria-label")
    tab.keyboard.press("End")
    last = focused.get_attribute("aria-label")
    tab.keyboard.press("Home")
    assert focused.get_attribute("aria-label") == first != last
    tab.keyboard.press("ArrowRight")
    moved = focused.get_attribute("aria-label")
    assert moved != first
    tab.keyboard.press("Enter")
    (window,) = shown(tab, "dialog")
    for key in ("Tab", "Escape"):
        assert window.evaluate("window => window.contains(document.activeElement)")
        tab.keyboard.press(key)
    assert shown(tab, "dialog") == []
    assert focused.get_attribute("aria-label") == moved
    for key in ("Enter", "Tab", "Tab"):  # to the button, the photographs, and past them
        tab.keyboard.press(key)
    assert shown(tab, "dialog") == []


def test_photographs_are_walked_with_arrows(report: Report, opened: Open) -> None:
    tab = opened(report.page).page
    focused = tab.locator("*:focus")
    tab.locator("article.error").first.focus()
    reached = []
    for key in ("ArrowRight", "End", "Home"):
        tab.keyboard.press(key)
        reached.append(focused.get_attribute("data-file"))
    files = [card.get_attribute("data-file") for card in tab.locator("article.error").all()]
    assert reached == [files[1], files[-1], files[0]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_text_stands_out_in_both_colour_schemes(
    scheme: str, report: Report, opened: Open, keep: Keep
) -> None:
    tab = opened(report.page, color_scheme=scheme).page
    red, green, blue = tab.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    )
    assert (red + green + blue > 600) == (scheme == "light")
    assert tab.evaluate(TOO_PALE) == []
    keep(tab, f"{scheme}.png", full_page=True)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_phone_needs_no_sideways_scrolling(scheme: str, report: Report, opened: Open, keep: Keep) -> None:
    tab = opened(report.page, viewport=PHONE, is_mobile=True, has_touch=True, color_scheme=scheme).page
    widths = tab.evaluate("[document.documentElement.scrollWidth, visualViewport.width]")
    assert widths == [PHONE["width"]] * 2
    assert tab.locator("#m1-classes .wide").evaluate("box => box.scrollWidth - box.clientWidth") == 0
    tab.locator("#m1-training").evaluate("section => section.scrollIntoView()")
    current = tab.locator('.sections a[aria-current][href="#m1-training"]')
    box = current.bounding_box()  # It waits for the page to follow.
    assert 0 <= box["x"] <= PHONE["width"] - box["width"]
    keep(tab, f"phone_{scheme}.png", full_page=True)
    tab.locator("#m1-confusion .cell.wrong").first.tap()
    (window,) = shown(tab, "dialog")
    box = window.bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= PHONE["width"]
    keep(tab, f"phone_cell_{scheme}.png")


def test_paper_is_white_with_all_sections_and_nothing_to_click(report: Report, opened: Open) -> None:
    tab = opened(report.page, viewport=SHEET, color_scheme="dark").page
    tab.emulate_media(media="print")
    assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert tab.evaluate(TOO_PALE) == []
    assert shown(tab, ".sections, .filter, .copy, .close, .defaults, .on-screen") == []
    assert {section.get_attribute("id") for section in shown(tab, "section")} == {
        section.get_attribute("id") for section in tab.locator("section").all()
    }
    assert tab.evaluate("document.documentElement.scrollWidth") <= SHEET["width"]
    tab.evaluate("addEventListener('beforeprint', () => {"
                 "document.body.dataset.closed = document.querySelectorAll('details:not([open], .defaults)').length; })")  # fmt: skip
    assert tab.pdf(format="A4", print_background=True).startswith(b"%PDF-")
    assert tab.locator("body").get_attribute("data-closed") == "0"


def test_page_without_scripts_still_opens_its_cells(report: Report, opened: Open) -> None:
    tab = opened(report.page, java_script_enabled=False).page
    assert not tab.locator(".filter").is_visible()
    tab.locator("#m1-confusion .cell.wrong").first.click()
    assert len(shown(tab, "dialog figure.shot")) > 0


def test_page_cannot_ask_any_host(report: Report, started: Any) -> None:
    with contextlib.closing(started.new_context()) as context:
        watched = WatchedPage(context.new_page())
        watched.page.goto(report.page.as_uri())
        for address in ("http://127.0.0.1:9/x.png", (report.page.parent / "class_results.csv").as_uri()):
            assert watched.page.evaluate(ASKS, address) == ["-", "-"]
        assert all("Content Security Policy" in complaint for complaint in watched.complaints)
        assert len(watched.complaints) >= 4


def test_models_have_a_tab_each(opened: Open, tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", ("rose", "tulip", "daisy"))
    titles = ("builtin", "googlenet", "alexnet")
    models = [made_up.subject(made_up.findings(data, seed=seed), title) for seed, title in enumerate(titles)]
    tab = opened(page.write(models, tmp_path / "report.html").path).page
    assert [model.get_attribute("id") for model in shown(tab, ".model")] == ["m1"]
    tab.get_by_role("tab", name="googlenet").click()
    assert [model.get_attribute("id") for model in shown(tab, ".model")] == ["m2"]
    tab.keyboard.press("ArrowRight")
    assert [model.get_attribute("id") for model in shown(tab, ".model")] == ["m3"]
    assert tab.locator("*:focus").inner_text() == "alexnet"
    tab.emulate_media(media="print")
    assert len(shown(tab, ".model")) == 3


def test_of_many_classes_the_confused_pairs_are_opened(opened: Open, tmp_path: Path) -> None:
    data = made_up.dataset(tmp_path / "photos", [f"class {number:03}" for number in range(40)])
    written = page.write([made_up.subject(made_up.findings(data))], tmp_path / "report.html")
    tab = opened(written.path).page
    assert shown(tab, ".matrix") == []
    cell = tab.locator(".pairs .cell").first
    cell.click()
    assert len(shown(tab, "dialog figure.shot")) == int(cell.inner_text())
    assert tab.locator("#m1-classes tbody tr").count() == 40


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_hostile_names_run_nothing_and_break_nothing(
    viewport: dict[str, int], hostile: Path, opened: Open, keep: Keep
) -> None:
    tab = opened(hostile, viewport=viewport).page
    assert tab.locator("#m1-classes tbody tr").count() == hostile_photos.CLASSES
    for cell in tab.locator("#m1-confusion .cell").all()[:CELLS_OPENED]:
        cell.click()
        assert 0 < len(shown(tab, "dialog figure.shot")) <= int(cell.inner_text())
        tab.keyboard.press("Escape")
    for name in ("<img", "onerror", "\\x1b", "{{"):
        tab.locator("#m1-filter").fill(name)
    tab.locator("#m1-filter").fill("")
    for number in range(1, tab.locator("#m1-filter-class option").count()):
        tab.locator("#m1-filter-class").select_option(index=number)
        assert len(shown(tab, "article.error")) > 0
    tab.evaluate(TOUCHED)
    assert tab.evaluate("typeof pwned") == "undefined"
    assert tab.evaluate("document.scripts.length") == 1
    assert (
        tab.evaluate("document.querySelectorAll('img, iframe, object, embed, base, form[action]').length")
        == 0
    )
    assert tab.evaluate("document.documentElement.scrollWidth") <= viewport["width"]
    tab.locator("#m1-errors").scroll_into_view_if_needed()
    keep(tab, f"hostile_{viewport['width']}.png")
