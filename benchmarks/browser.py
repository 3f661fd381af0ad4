"""Pages for browsers in a real Chromium: the same answers as label_image.py's, and how fast they come."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import chromium
from benchmarks.arguments import BrowserSettings
from benchmarks.chromium import LabellingPage
from benchmarks.figures import print_table, seconds
from retraining.data import folder_walk
from retraining.inference import loading
from retraining.settings.label_image import GraphSettings

COLUMNS = ("page", "MB", "ready after s", "ms a photo", "photos", "same answers", "largest difference")

log = logging.getLogger(__name__)


def run(settings: BrowserSettings) -> None:
    """Measure each page and print its row."""
    chromium.check()
    photos = _spread(folder_walk.image_files([settings.folder]), settings.photos)
    print_table(COLUMNS, _rows(settings, photos))


def _spread(photos: Sequence[Path], count: int) -> list[Path]:
    """Return `count` photos at equal distances, so that all classes are there."""
    count = min(count, len(photos))
    return [photos[number * len(photos) // count] for number in range(count)]


def _rows(settings: BrowserSettings, photos: Sequence[Path]) -> Iterator[Sequence[str]]:
    for page in settings.pages:
        log.info("%s", page)
        yield _row(page, page if settings.graph is None else settings.graph, photos)


def _row(page: Path, graph: Path, photos: Sequence[Path]) -> Sequence[str]:
    """Return the cells for one page, whose answers are compared with those of `graph`."""
    classifier = loading.load(GraphSettings(graph=graph))
    exact = [dict(classified.predictions) for classified in classifier.classify(photos)]
    found: list[dict[str, float]] = []
    with chromium.browser() as started:
        opened = LabellingPage(started.new_page())
        ready = opened.open((page.resolve() / "index.html").as_uri())
        opened.label(photos[:1])  # the first takes longer
        spent = seconds(lambda: found.extend(opened.label(photos)))
    same = [_best(one) == _best(other) for one, other in zip(found, exact, strict=True)]
    differences = [
        abs(one[label] - other[label]) for one, other in zip(found, exact, strict=True) for label in one
    ]
    size = sum(file.stat().st_size for file in page.rglob("*") if file.is_file())
    return (
        page.name,
        f"{size / 1e6:.1f}",
        f"{ready:.1f}",
        f"{1000 * spent / len(photos):.0f}",
        str(len(photos)),
        f"{sum(same) / len(photos):.1%}",
        f"{max(differences, default=0.0):.2g}",
    )


def _best(scores: dict[str, float]) -> str:
    """Return the label with the highest score, or nothing for a photo that was not read."""
    return max(scores, key=scores.__getitem__, default="")
