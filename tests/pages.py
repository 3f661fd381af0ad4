"""The project's pages as the tests read them: their code blocks, their commands, the output they show.

A fence's language says what its block is:

    sh        commands, which must be ones that the programs take
    console   commands after `$ `, each with the output it really prints; `...` stands for lines left out
    python    code that runs
    text      anything else: the comment above it must say why it is not run
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import re
import shlex
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import label_image
import retrain
from retraining import compare, deep_dream, distribute, feature_maps, oxford_flowers17, relabel, sample_photos
from tests.conftest import PROJECT

PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
LANGUAGES = ("console", "python", "sh", "text")

PROGRAMS: dict[str, Callable[[list[str]], int]] = {
    "retrain.py": retrain.main,
    "label_image.py": label_image.main,
    "-m retraining.sample_photos": sample_photos.main,
    "-m retraining.compare": compare.main,
    "-m retraining.distribute": distribute.main,
    "-m retraining.oxford_flowers17": oxford_flowers17.main,
    "-m retraining.relabel": relabel.main,
    "-m retraining.feature_maps": feature_maps.main,
    "-m retraining.deep_dream": deep_dream.main,
}

# Test accuracies are shares of some 30 images: one more or less is another processor's rounding. It moves the
# ends of their confidence interval somewhat more.
PERCENT_TOLERANCE = 4.5
RELATIVE_TOLERANCE = 0.05
ABSOLUTE_TOLERANCE = 0.001

_FENCE = re.compile(r"^(?:<!-- (.*?) -->\n)?```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
_FRACTION = re.compile(r"(\d+\.\d+)(%?)")


@dataclasses.dataclass(frozen=True)
class Block:
    """A fenced block of a page, and the comment in the line above it."""

    page: Path
    line: int
    language: str
    text: str
    comment: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclasses.dataclass(frozen=True)
class Step:
    """A command as one types it, and the lines that a page shows below it."""

    command: str
    shown: tuple[str, ...]


def text_of(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in any of `languages`, or all of them, page by page."""
    return [
        block for page in PAGES for block in _blocks(page) if not languages or block.language in languages
    ]


def _blocks(page: Path) -> Iterator[Block]:
    text = text_of(page)
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start(2)) + 1
        yield Block(page, line, match[2], match[3], match[1] or "")


def steps(block: Block) -> list[Step]:
    """Return the commands of a console block with their output."""
    found: list[tuple[str, list[str]]] = []
    for line in _joined(block.text).splitlines():
        if line.startswith("$ "):
            found.append((line.removeprefix("$ "), []))
        else:
            found[-1][1].append(line)
    return [Step(command, tuple(shown)) for command, shown in found]


def commands(block: Block) -> list[str]:
    """Return the command lines of a block."""
    if block.language == "console":
        return [step.command for step in steps(block)]
    return _joined(block.text).splitlines()


def without_blocks(page: Path) -> str:
    """Return the text of a page between its blocks."""
    return _FENCE.sub("", text_of(page))


def anchors(page: Path) -> set[str]:
    """Return what a link to the page can have after `#`, by GitHub's rule for headings."""
    headings = re.findall(r"^#+ (.*)$", without_blocks(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _joined(text: str) -> str:
    """Return `text` with each line that a backslash continues as one line."""
    return re.sub(r"\\\n\s*", "", text)


def words_of(command: str, program: str) -> list[str] | None:
    """Return the words after `program` if the command line calls it."""
    match = re.fullmatch(rf"(?:\.venv/bin/)?python {re.escape(program)}(?: (.*))?", command)
    return None if match is None else shlex.split(match[1] or "")


def output_of(command: str) -> list[str]:
    """Return the lines that a terminal shows of a command, run in the current folder."""
    if command == "make demo":
        return _output_of_make("demo")
    for program, main in PROGRAMS.items():
        words = words_of(command, program)
        if words is not None:
            return _output_in_process(main, words)
    return subprocess.check_output(command, shell=True, stderr=subprocess.STDOUT, text=True).splitlines()


def _output_in_process(main: Callable[[list[str]], int], words: list[str]) -> list[str]:
    terminal = io.StringIO()
    with contextlib.redirect_stdout(terminal), contextlib.redirect_stderr(terminal):
        main(words)
    return terminal.getvalue().splitlines()


def _output_of_make(target: str) -> list[str]:
    """Return what make prints for a target: its commands, but those after `@`, and their output."""
    printed = []
    for command in recipe(target):
        quiet = command.removeprefix("@")
        printed += command.split("\n") if quiet == command else []
        printed += output_of(_joined(quiet))
    return printed


def recipe(target: str) -> list[str]:
    """Return the commands of a target of the Makefile, its variables replaced by their defaults."""
    makefile = text_of(PROJECT / "Makefile")
    match = re.search(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)
    assert match is not None, f"no recipe for {target}"
    variables = dict(re.findall(r"^(\w+) \??= ?(.*)$", makefile, re.MULTILINE))
    text = match[1]
    while "$(" in text:
        text = re.sub(r"\$\((\w+)\)", lambda name: variables[name[1]], text)
    lines = re.split(r"(?<!\\)\n", text.rstrip("\n"))
    return [line.removeprefix("\t").replace("\n\t", "\n") for line in lines]


def shows(shown: Sequence[str], printed: Sequence[str]) -> bool:
    """Return whether a page's lines are those that were printed, `...` standing for any number of them."""
    if not shown:
        return not printed
    if shown[0] == "...":
        return any(shows(shown[1:], printed[start:]) for start in range(len(printed) + 1))
    return bool(printed) and _is_same(shown[0], printed[0]) and shows(shown[1:], printed[1:])


def _is_same(shown: str, printed: str) -> bool:
    """Return whether two lines are the same to the letter, and their fractions but for rounding."""
    if _FRACTION.sub(r"#\2", shown) != _FRACTION.sub(r"#\2", printed):
        return False
    pairs = zip(_FRACTION.findall(shown), _FRACTION.findall(printed), strict=True)
    return all(
        abs(float(one) - float(other)) <= PERCENT_TOLERANCE
        if percent
        else math.isclose(float(one), float(other), rel_tol=RELATIVE_TOLERANCE, abs_tol=ABSOLUTE_TOLERANCE)
        for (one, percent), (other, _) in pairs
    )
