"""The learning curves of several models on shared axes, as PNG and SVG."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from retraining.storage.atomic_files import replacing
from retraining.training.learning_curve import LearningCurve

FORMATS = ("png", "svg")

_PANELS: dict[str, Callable[[LearningCurve], list[float]]] = {
    "training loss": lambda curve: [epoch.training.cross_entropy for epoch in curve.epochs],
    "training accuracy": lambda curve: curve.values(lambda epoch: epoch.training),
    "validation accuracy": lambda curve: curve.values(lambda epoch: epoch.validation),
}
_PANEL_INCHES = (5.0, 4.2)
_LEGEND_COLUMNS = 4
# As shares of the largest first loss: a loss that explodes must not flatten all the other curves.
_LOSS_RANGE = (0.0, 1.1)
_DOTS_PER_INCH = 150
_COLOURS = 10  # in Matplotlib's cycle; with more models they are used again, with dashed lines
_DASHES = ("-", "--", ":")


def write(curves: Mapping[str, LearningCurve], folder: Path) -> list[Path]:
    """Draw the curves, which are by model, and return the PNG and SVG files. Raises WorkFailed."""
    import matplotlib as mpl

    figure = _figure(curves)
    paths = [folder / f"curves.{suffix}" for suffix in FORMATS]
    for path, suffix in zip(paths, FORMATS, strict=True):
        # With a fixed salt the same curves give the same file.
        with replacing(path) as beside, mpl.rc_context({"svg.hashsalt": "curves"}):
            figure.savefig(beside, format=suffix, dpi=_DOTS_PER_INCH, metadata=_without_date(suffix))
    return paths


def _figure(curves: Mapping[str, LearningCurve]) -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    width, height = _PANEL_INCHES
    figure = Figure(figsize=(width * len(_PANELS), height + 0.3 * (1 + len(curves) // _LEGEND_COLUMNS)))
    FigureCanvasAgg(figure)
    figure.set_layout_engine("constrained")
    panels = figure.subplots(1, len(_PANELS))
    for panel, (title, values_of) in zip(panels, _PANELS.items(), strict=True):
        _draw_panel(panel, title, {name: values_of(curve) for name, curve in curves.items()})
    handles, names = panels[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=_LEGEND_COLUMNS, frameon=False)
    return figure


def _draw_panel(panel: Any, title: str, lines: Mapping[str, list[float]]) -> None:
    styles = ((f"C{number}", dashes) for dashes in _DASHES for number in range(_COLOURS))
    for (name, values), (colour, dashes) in zip(lines.items(), itertools.cycle(styles), strict=False):
        panel.plot(range(1, len(values) + 1), values, dashes, color=colour, label=name, linewidth=1.6)
    panel.set_title(title)
    panel.set_xlabel("epoch")
    panel.xaxis.get_major_locator().set_params(integer=True)
    panel.grid(alpha=0.3)
    if title.endswith("accuracy"):
        panel.set_ylim(0, 1.02)
        panel.yaxis.set_major_formatter(lambda value, _position: f"{value:.0%}")
    else:
        first_losses = [values[0] for values in lines.values() if math.isfinite(values[0])]
        panel.set_ylim(*(share * max(first_losses, default=1.0) for share in _LOSS_RANGE))


def _without_date(suffix: str) -> dict[str, str | None]:
    return {"Date": None} if suffix == "svg" else {}
