"""The page itself: one file of HTML that asks no host for anything and runs nothing that was planted."""

from __future__ import annotations

import base64
import dataclasses
import functools
import hashlib
import importlib
import itertools
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from retraining.features.problem_files import DUPLICATES_FILE, SKIPPED_FILE
from retraining.inference.novelty import FALSE_ALARMS
from retraining.printable import printable
from retraining.report import cells, sections, thumbnails, words
from retraining.report.album import Album
from retraining.report.subject import Subject
from retraining.sorting import suspected_labels
from retraining.storage.atomic_files import write_bytes
from retraining.training.class_results import CLASS_RESULTS_FILE

if TYPE_CHECKING:
    from jinja2 import Environment

_LISTS = (CLASS_RESULTS_FILE, DUPLICATES_FILE, SKIPPED_FILE, suspected_labels.FILE)
_TEMPLATES = Path(__file__).parent / "templates"
_IMPORTS = ("jinja2", "matplotlib.figure", "matplotlib.backends.backend_svg", "sklearn.metrics")


@dataclasses.dataclass(frozen=True)
class Written:
    """A page that was written: its file, the size of it in bytes, and the pictures in it.

    `left_out` is how many photographs there was no room for.
    """

    path: Path
    size: int
    pictures: int
    left_out: int


def preload() -> None:
    """Import and compile all that a page needs, which takes seconds, while other work is waited for."""
    for name in _IMPORTS:
        importlib.import_module(name)
    environment = _environment()
    for name in environment.list_templates(extensions=["jinja"]):
        environment.get_template(name)


def write(subjects: Sequence[Subject], path: Path, *, lists: Path | None = None) -> Written:
    """Write the page about one or more models of the same photographs. Raises WorkFailed.

    `lists` is the folder of the run's lists, that of the page by default. Elsewhere they are not linked: a
    file of the same name beside the page may be another run's.
    """
    album = _album(subjects)
    is_beside = lists is None or lists.resolve() == path.parent.resolve()
    linked = [name for name in _LISTS if is_beside and (path.parent / name).is_file()]
    content = _html(subjects, album, linked).encode("utf-8")
    write_bytes(path, content)
    return Written(path, len(content), len(album.pictures), album.left_out)


def render(subjects: Sequence[Subject]) -> str:
    """Return the page about one or more models of the same photographs, as HTML: no list lies beside it."""
    return _html(subjects, _album(subjects), None)


def _album(subjects: Sequence[Subject]) -> Album:
    """Return the photographs of a page: what matters most comes first, of one model as of the other."""
    of_each = [sections.photographs(subject.findings) for subject in subjects]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*of_each))
    return Album(subjects[0].findings.dataset, (image for image in in_turn if image is not None))


def _html(subjects: Sequence[Subject], album: Album, lists: Collection[str] | None) -> str:
    script = _text("report.js")
    models = [
        sections.model(subject, album, id=f"m{number}") for number, subject in enumerate(subjects, start=1)
    ]
    return (
        _environment()
        .get_template("page.html.jinja")
        .render(
            models=models,
            album=album,
            lists=lists,
            script=script,
            script_hash=base64.b64encode(hashlib.sha256(script.encode("utf-8")).digest()).decode("ascii"),
            style=_text("report.css"),
            title=_title(subjects, album),
        )
    )


def _title(subjects: Sequence[Subject], album: Album) -> str:
    """Return what the page is about: the folder of the photographs, or the models that are compared."""
    folder = Path(album.folder).name
    return folder if folder and len(subjects) == 1 else ", ".join(subject.title for subject in subjects)


@functools.cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        finalize=_on_one_line,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(words=words, cells=cells, sections=sections, thumbnails=thumbnails)
    environment.globals.update(FALSE_ALARMS=FALSE_ALARMS)
    return environment


def _on_one_line(value: Any) -> Any:
    """Return what a template shows: every text in it, wherever it comes from, is made safe to show."""
    return value if hasattr(value, "__html__") else printable(value)


def _text(name: str) -> Any:
    """Return a file of the page as it is, to be put into it without a change."""
    from markupsafe import Markup

    return Markup((_TEMPLATES / name).read_text(encoding="utf-8"))
