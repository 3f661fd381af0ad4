"""Draw the picture at the top of the README from what `make demo` leaves in its folder.

    make demo
    .venv/bin/python -m tools.demo_picture demo docs/demo.png

One row per class: its folder with the first training photos, then the first test photo and the answers
of label_image.py. No photo is chosen by hand. Needs Matplotlib, as compare does.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import sys
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch
from PIL import Image, ImageOps

import label_image
from retraining.data.split import Split, split_of
from retraining.settings.data import DEFAULT_PERCENTAGE

TRAINING_PHOTOS = 4
ANSWERS = 3

# In inches. One row holds, from left to right: folder name, training photos, arrow, test photo, bars.
_PHOTO, _GAP, _TITLE, _MARGIN = 1.0, 0.08, 0.42, 0.2
_NAME, _ARROW, _LABEL, _BAR = 1.25, 1.5, 1.15, 2.2

_DOTS_PER_INCH = 110
_PALETTE = 256  # colours in the file: true colours would take four times the space
_KMEANS = 3  # rounds that move the palette towards the colours of the photos
_DARK, _GREY, _RIGHT, _WRONG = "#1f2328", "#57606a", "#2f6fb5", "#b9c0c7"


@dataclasses.dataclass(frozen=True)
class Answer:
    """A label and its score in [0, 1]."""

    label: str
    score: float


@dataclasses.dataclass(frozen=True)
class Example:
    """Training photos of a class, and a test photo of it with the best answers, best first."""

    label: str
    training: list[Path]
    test: Path
    answers: list[Answer]


def examples(demo: Path) -> list[Example]:
    """Return an example of each class in the folder of `make demo`."""
    return [_example(demo, folder) for folder in sorted((demo / "photos").iterdir()) if folder.is_dir()]


def _example(demo: Path, folder: Path) -> Example:
    photos: dict[Split, list[Path]] = {split: [] for split in Split}
    share = DEFAULT_PERCENTAGE
    for path in sorted(folder.iterdir()):
        photos[split_of(path.name, validation_percentage=share, testing_percentage=share)].append(path)
    test = photos[Split.TESTING][0]
    return Example(folder.name, photos[Split.TRAINING][:TRAINING_PHOTOS], test, _answers(demo, test))


def _answers(demo: Path, photo: Path) -> list[Answer]:
    """Return what label_image.py prints for a photo. Raises SystemExit if it fails."""
    flags = {
        "--graph": demo / "output_graph.pb",
        "--labels": demo / "output_labels.txt",
        "--image": photo,
        "--num_top_predictions": ANSWERS,
    }
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        status = label_image.main([str(word) for pair in flags.items() for word in pair])
    if status:
        raise SystemExit(status)
    lines = (line.rsplit(maxsplit=1) for line in printed.getvalue().splitlines())
    return [Answer(label, float(score)) for label, score in lines]


def draw(rows: Sequence[Example]) -> Image.Image:
    """Return the picture as an RGB image with a white background."""
    sheet = _Sheet(rows=len(rows))
    sheet.write(0, "Your photos, one folder per class")
    sheet.write(sheet.test_left, "Answers on photos it has never seen")
    for number, row in enumerate(rows):
        _draw_row(sheet, number, row)
    sheet.draw_arrow("retrain.py")
    return sheet.image()


def _draw_row(sheet: _Sheet, number: int, row: Example) -> None:
    name = sheet.axes(number, left=0, width=_NAME)
    name.text(0.92, 0.5, f"{row.label}/", ha="right", va="center", fontsize=13, color=_DARK)
    for place, path in enumerate(row.training):
        sheet.axes(number, left=_NAME + place * (_PHOTO + _GAP), width=_PHOTO).imshow(_thumbnail(path))
    sheet.axes(number, left=sheet.test_left, width=_PHOTO).imshow(_thumbnail(row.test))
    _draw_bars(sheet.axes(number, left=sheet.test_left + _PHOTO, width=_LABEL + _BAR), row)


def _thumbnail(path: Path) -> Image.Image:
    side = round(_PHOTO * _DOTS_PER_INCH)
    with Image.open(path) as photo:
        return ImageOps.fit(photo.convert("RGB"), (side, side))


def _draw_bars(axes: Axes, row: Example) -> None:
    for place, answer in enumerate(row.answers):
        colour = _RIGHT if answer.label == row.label else _WRONG
        axes.barh(place, answer.score, height=0.6, color=colour)
        axes.text(-0.04, place, answer.label, ha="right", va="center", fontsize=11, color=_DARK)
        axes.text(answer.score + 0.03, place, f"{answer.score:.0%}", va="center", fontsize=11, color=_GREY)
    full = _BAR - 0.6  # inches of a score of 1, which leaves room for the figure after it
    axes.set_xlim(-_LABEL / full, _BAR / full)
    axes.set_ylim(len(row.answers) - 0.3, -0.7)


class _Sheet:
    """A Matplotlib figure that is laid out in inches from its top left corner."""

    def __init__(self, *, rows: int) -> None:
        self.test_left = _NAME + TRAINING_PHOTOS * (_PHOTO + _GAP) + _ARROW
        self._width = 2 * _MARGIN + self.test_left + _PHOTO + _LABEL + _BAR
        self._height = 2 * _MARGIN + _TITLE + rows * (_PHOTO + _GAP)
        self._figure = Figure(figsize=(self._width, self._height), dpi=_DOTS_PER_INCH, facecolor="white")
        FigureCanvasAgg(self._figure)

    def axes(self, row: int, *, left: float, width: float) -> Axes:
        """Return axes without lines, one photo high, in a row."""
        bottom = self._height - _MARGIN - _TITLE - (row + 1) * (_PHOTO + _GAP)
        place = (
            (_MARGIN + left) / self._width,
            bottom / self._height,
            width / self._width,
            _PHOTO / self._height,
        )
        axes = self._figure.add_axes(place)
        axes.set_axis_off()
        return axes

    def write(self, left: float, text: str) -> None:
        """Write a title, `left` inches from the margin."""
        place = ((_MARGIN + left) / self._width, 1 - _MARGIN / self._height)
        self._figure.text(*place, text, va="top", fontsize=15, weight="bold", color=_DARK)

    def draw_arrow(self, text: str) -> None:
        """Draw an arrow with `text` above it from the training photos to the test photos."""
        middle = (self._height - _TITLE) / 2 / self._height
        left = (_MARGIN + self.test_left - _ARROW + 0.15) / self._width
        right = (_MARGIN + self.test_left - 0.2) / self._width
        arrow = FancyArrowPatch(
            (left, middle), (right, middle), arrowstyle="-|>", mutation_scale=24, lw=2.5, color=_GREY
        )
        self._figure.add_artist(arrow)
        above = middle + 0.15 / self._height
        self._figure.text((left + right) / 2, above, text, ha="center", fontsize=13, color=_DARK)

    def image(self) -> Image.Image:
        """Return what was drawn, in RGB."""
        content = io.BytesIO()
        self._figure.savefig(content, format="png")
        return Image.open(content).convert("RGB")


def main(argv: Sequence[str]) -> None:
    """Write the picture of the demo folder `argv[0]` to the PNG file `argv[1]`."""
    demo, path = map(Path, argv)
    draw(examples(demo)).quantize(_PALETTE, kmeans=_KMEANS).save(path, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1:])
