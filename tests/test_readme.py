"""The pages are a promise: their flags, commands, code, links and output are tried here."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import retrain
import retraining
from retraining.cli import parser
from retraining.cli.parser import Program, meaning_of, shown_default
from retraining.cli.programs import (
    COMPARE,
    DEEP_DREAM,
    DISTRIBUTE,
    EXPORT,
    FEATURE_MAPS,
    LABEL_IMAGE,
    OXFORD_FLOWERS17,
    PROGRAMS,
    RELABEL,
    REPORT,
    RETRAIN,
    SAMPLE_PHOTOS,
    SERVE,
)
from retraining.settings.setting import fields
from tests import pages
from tests.conftest import MODULE_SIZE, PROJECT, write_photo
from tests.pages import PAGES, Block, blocks, text_of
from tests.test_retrain import final_accuracy, words
from tools import demo_picture

README = PROJECT / "README.md"
FLAGS_PAGE = PROJECT / "docs" / "flags.md"
PICTURE = PROJECT / "docs" / "demo.png"

REFUSED = [["--imagedir", "my_photos"]]  # which the page of flags shows to be refused

# Pages whose Python code classifies photo.jpg and prints the best label first.
CLASSIFYING_PAGES = ("README.md", "using_the_model.md")


def flag_table(program: Program[Any]) -> str:
    """Return the table of a program's flags, as the page of flags has it."""
    rows = ["| flag | default | meaning |", "|---|---|---|"]
    settings = (field for group in program.groups().values() for field in fields(group))
    for field in (field for field in settings if field.name != program.passes_on):
        default = f"`{shown_default(field)}`" if shown_default(field) else ""
        name = program.flag_name(field.name)
        rows.append(f"| `{name}` | {default} | {meaning_of(field)} |")
    return "\n".join(rows)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_every_flag_is_on_its_page_with_its_default_and_meaning(program: Program[Any]) -> None:
    table = flag_table(program)
    assert table in text_of(FLAGS_PAGE), f"put this into docs/flags.md:\n{table}"


@pytest.mark.parametrize(
    ("name", "program", "least"),
    [
        ("retrain.py", RETRAIN, 4),
        ("label_image.py", LABEL_IMAGE, 3),
        ("-m retraining.sample_photos", SAMPLE_PHOTOS, 1),
        ("-m retraining.compare", COMPARE, 3),
        ("-m retraining.distribute", DISTRIBUTE, 1),
        ("-m retraining.export", EXPORT, 1),
        ("-m retraining.serve", SERVE, 1),
        ("-m retraining.relabel", RELABEL, 2),
        ("-m retraining.report", REPORT, 1),
        ("-m retraining.oxford_flowers17", OXFORD_FLOWERS17, 1),
        ("-m retraining.feature_maps", FEATURE_MAPS, 4),
        ("-m retraining.deep_dream", DEEP_DREAM, 5),
    ],
)
def test_every_command_is_one_that_the_program_takes(name: str, program: Program[Any], least: int) -> None:
    typed = [line for block in blocks("sh", "console") for line in pages.commands(block)]
    found = [found for line in typed if (found := pages.words_of(line, name)) is not None]
    assert len(found) >= least
    for command in found:
        if not {"--list_modules", "--list_formats"}.intersection(command) and command not in REFUSED:
            parser.parse(program, command)


def test_every_block_says_what_it_is_and_why_it_is_not_tried() -> None:
    for page in PAGES:
        assert not re.search(r"^    \S", pages.without_blocks(page), re.MULTILINE), f"{page}: use a fence"
    for block in blocks():
        assert block.language in pages.LANGUAGES, f"{block} has the language '{block.language}'"
        assert (block.language == "text") == block.comment.startswith("not run: "), block
    assert len(blocks("text")) <= 8


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^):]+)\)", text_of(page)):
            path, _, anchor = target.partition("#")
            linked = page.parent / path if path else page
            assert linked.exists(), f"{page.name} links to {target}"
            assert not anchor or anchor in pages.anchors(linked), f"{page.name} links to {target}"


def test_every_page_is_linked_from_the_readme() -> None:
    for page in PAGES[1:]:
        assert f"](docs/{page.name}" in text_of(README), page.name


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python_code_classifies_a_photograph(
    block: Block,
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if block.page.name not in CLASSIFYING_PAGES:
        pytest.skip("tested with the Python interface")
    if "import retraining\n" in block.text and not hasattr(retraining, "load_classifier"):
        pytest.skip("the Python interface is not there yet")
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    write_photo(tmp_path / "photo.jpg", (255, 0, 255), seed=5)
    capsys.readouterr()
    code = block.text.replace("/tmp/output_graph.pb", str(tmp_path / "graph.pb"))
    code = code.replace("/tmp/output_labels.txt", str(tmp_path / "labels.txt"))
    code = code.replace("size = (224, 224)", f"size = ({MODULE_SIZE}, {MODULE_SIZE})")
    monkeypatch.chdir(tmp_path)
    exec(compile(code, str(block), "exec"), {})
    label, score = capsys.readouterr().out.splitlines()[0].split()
    assert label == "magenta"
    assert float(score) > 0.5


@dataclasses.dataclass(frozen=True)
class Demo:
    """A folder in which `make demo` was run, and what a terminal showed of it."""

    folder: Path
    output: list[str]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("newcomer")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        yield Demo(folder, pages.output_of("make demo"))


# Page by page, since a block may go on from what the one before has written.
@pytest.mark.parametrize("page", sorted({block.page.name for block in blocks("console")}))
def test_output_is_what_the_commands_print(page: str, demo: Demo) -> None:
    for block in (block for block in blocks("console") if block.page.name == page):
        for step in pages.steps(block):
            printed = demo.output if step.command == "make demo" else pages.output_of(step.command)
            assert pages.shows(step.shown, printed), "\n".join(
                [f"{block}: '{step.command}' prints the following. Paste what is to be shown.", *printed]
            )


def test_drawn_flowers_are_learnt_with_the_builtin_module(demo: Demo) -> None:
    assert final_accuracy("\n".join(demo.output)) > 60  # 20 is chance


def test_demo_picture_is_the_one_that_is_drawn(demo: Demo) -> None:
    assert PICTURE.stat().st_size < 300_000
    with Image.open(PICTURE) as committed:
        shown = np.asarray(committed.convert("RGB"), float)
    drawn = np.asarray(demo_picture.draw(demo_picture.examples(demo.folder / "demo")), float)
    assert drawn.shape == shown.shape
    assert np.abs(drawn - shown).mean() < 4  # of 255: the palette of the file


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (["a", "b"], ["a", "b"]),
        (["...", "b"], ["a", "b"]),
        (["a", "..."], ["a"]),
        (["a", "...", "c"], ["a", "b", "b", "c"]),
        (["accuracy = 89.7% (N=29)"], ["accuracy = 93.1% (N=29)"]),
        (["tulip 0.99954"], ["tulip 0.99953"]),
    ],
)
def test_lines_left_out_and_rounding_are_no_difference(shown: list[str], printed: list[str]) -> None:
    assert pages.shows(shown, printed)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        ([], ["a"]),
        (["a"], []),
        (["a"], ["a", "b"]),
        (["a", "...", "c"], ["a", "b"]),
        (["(242 training)"], ["(234 training)"]),
        (["Train accuracy = 89.7%"], ["Test accuracy = 89.7%"]),
        (["accuracy = 89.7% (N=29)"], ["accuracy = 82.8% (N=29)"]),
        (["tulip 0.99954"], ["tulip 0.90001"]),
    ],
)
def test_other_lines_counts_and_words_are_a_difference(shown: list[str], printed: list[str]) -> None:
    assert not pages.shows(shown, printed)
