"""Plots as SVG to be put into a page: in the page's own colours and letters, dark or light."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from retraining.assessment.calibration import Calibration, Reliability
from retraining.assessment.novelty_fit import NoveltyCheck
from retraining.assessment.trend import Trend
from retraining.inference.novelty import FALSE_ALARMS
from retraining.training.training_curve import CurvePoint

# What the colours are called in the style sheet. Matplotlib knows numbers only: these stand for the names.
_COLOURS = {"#000001": "ink", "#000002": "dim", "#000003": "line", "#000004": "accent", "#000005": "warm"}
_INK, _DIM, _LINE, _ACCENT, _WARM = _COLOURS

_INCHES = (5.2, 3.2)
_MARGINS = {"left": 0.115, "right": 0.96, "bottom": 0.165, "top": 0.96}
_STYLE = {
    "svg.fonttype": "none",  # letters stay letters
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _DIM,
    "axes.edgecolor": _LINE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": _LINE,
    "grid.linewidth": 0.6,
    "xtick.color": _LINE,
    "ytick.color": _LINE,
    "xtick.major.size": 0,
    "xtick.major.pad": 5,
    "ytick.major.size": 0,
    "xtick.labelcolor": _DIM,
    "ytick.labelcolor": _DIM,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
}
_BINS = 20
_SMOOTHED = 40  # means of curves with many more points than that
_FURTHEST = 1.35  # two marks of a logarithmic axis that are nearer than this cannot both be labelled


def trend(found: Trend, name: str) -> Markup:
    """Draw accuracy against training photographs, with the band of the draws and what is promised."""
    with _Plot(name) as plot:
        axes = plot.axes
        counts = np.array([point.images for point in found.points])
        draws = [point.accuracies for point in found.points]
        means = np.array([np.mean(accuracies) for accuracies in draws])
        lows, highs = [min(accuracies) for accuracies in draws], [max(accuracies) for accuracies in draws]
        axes.fill_between(counts, lows, highs, color=_ACCENT, alpha=0.18, linewidth=0, label="all draws")
        axes.plot(counts, means, color=_ACCENT, marker="o", markersize=4.5, label="mean")
        if found.promised is not None:
            _draw_promise(axes, found, float(means[-1]))
            counts = np.append(counts, 2 * counts[-1])
        _scale_by_doubling(axes, counts)
        axes.set_xlabel("training photographs")
        _show_percent(axes.yaxis)
        axes.legend(loc="lower right")
    return plot.markup


def _draw_promise(axes: Any, found: Trend, now: float) -> None:
    count, promised = found.points[-1].images, found.promised
    assert promised is not None
    low, high = found.interval or (promised, promised)
    axes.plot([count, 2 * count], [now, promised], color=_WARM, linestyle=(0, (3, 3)), linewidth=1.4)
    axes.errorbar(
        [2 * count],
        [promised],
        yerr=[[max(0.0, promised - low)], [max(0.0, high - promised)]],
        color=_WARM,
        marker="o",
        markersize=5,
        capsize=4,
        label="promised",
    )


def _scale_by_doubling(axes: Any, counts: NDArray[np.int64]) -> None:
    axes.set_xscale("log", base=2)
    is_apart = np.append(counts[1:] >= _FURTHEST * counts[:-1], True)
    axes.set_xticks(counts[is_apart], [f"{count:,}" for count in counts[is_apart]])
    axes.minorticks_off()


def reliability(found: Calibration, name: str) -> Markup:
    """Draw how many answers are right against their scores, before and after calibration."""
    with _Plot(name) as plot:
        axes = plot.axes
        axes.plot([0, 1], [0, 1], color=_DIM, linewidth=1, linestyle=(0, (2, 3)), label="as they should be")
        _draw_reliability(axes, found.before, color=_WARM, label="before calibration", dashes="--")
        _draw_reliability(axes, found.after, color=_ACCENT, label="after calibration", dashes="-")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.03), xlabel="score")
        axes.set_ylabel("answers that are right")
        plot.figure.subplots_adjust(left=0.155)
        _show_percent(axes.xaxis)
        _show_percent(axes.yaxis)
        axes.legend(loc="upper left")
    return plot.markup


def _draw_reliability(axes: Any, found: Reliability, *, color: str, label: str, dashes: str) -> None:
    used = found.counts > 0
    shares = found.counts[used] / max(1, found.counts.max())
    axes.plot(found.scores[used], found.accuracies[used], dashes, color=color, linewidth=1.4, label=label)
    axes.scatter(found.scores[used], found.accuracies[used], s=8 + 60 * shares, color=color, linewidths=0)


def novelty(found: NoveltyCheck, name: str) -> Markup:
    """Draw how many test photographs look how unlike the classes."""
    with _Plot(name) as plot:
        axes: Any = plot.axes
        heights, edges = np.histogram(found.test_novelty, _BINS, (0, 1))
        is_above = edges[:-1] >= 1 - FALSE_ALARMS - 1e-6
        for bars, colour in ((~is_above, _ACCENT), (is_above, _WARM)):
            axes.bar(
                edges[:-1][bars], heights[bars], width=0.8 / _BINS, align="edge", color=colour, linewidth=0
            )
        axes.axvline(1 - FALSE_ALARMS, color=_WARM, linewidth=1.2, linestyle=(0, (3, 3)))
        axes.set(xlim=(-0.01, 1.01), xlabel="unlike any class", ylabel="test photographs")
        axes.yaxis.get_major_locator().set_params(integer=True)
        axes.grid(visible=False, axis="x")
        _show_percent(axes.xaxis)
    return plot.markup


def accuracy_curve(points: Sequence[CurvePoint], unit: str, name: str) -> Markup:
    """Draw the accuracy of training and validation against the steps, which are called `unit`."""
    with _Plot(name) as plot:
        _draw_curve(plot.axes, points, "accuracy", unit)
        _show_percent(plot.axes.yaxis)
        plot.axes.legend(loc="lower right")
    return plot.markup


def loss_curve(points: Sequence[CurvePoint], unit: str, name: str) -> Markup:
    """Draw the cross entropy of training and validation against the steps, which are called `unit`."""
    with _Plot(name) as plot:
        _draw_curve(plot.axes, points, "cross_entropy", unit)
        plot.axes.set_ylim(bottom=0)
        plot.axes.legend(loc="upper right")
    return plot.markup


def _draw_curve(axes: Any, points: Sequence[CurvePoint], figure: str, unit: str) -> None:
    training = [(point.step, getattr(point.training, figure)) for point in points]
    validation = [(point.step, getattr(point.validation, figure)) for point in points if point.validation]
    for drawn, colour, label in ((training, _DIM, "training"), (validation, _ACCENT, "validation")):
        if drawn:
            _draw_smoothed(axes, np.array(drawn), colour, label)
    axes.set_xlabel(f"{unit}s of training")
    axes.xaxis.get_major_locator().set_params(nbins=6, integer=True)
    axes.xaxis.set_major_formatter(lambda value, _position: f"{value:,.0f}")


def _draw_smoothed(axes: Any, drawn: NDArray[np.float64], colour: str, label: str) -> None:
    """Draw points, float64 [n, 2]: their running mean, and faintly themselves, if they are many."""
    steps, values = drawn.T
    width = max(1, len(values) // _SMOOTHED)
    if width > 1:
        axes.plot(steps, values, color=colour, linewidth=0.6, alpha=0.35)
        window = np.ones(width)
        values = np.convolve(values, window, "same") / np.convolve(np.ones(len(values)), window, "same")
        label += ", running mean"
    axes.plot(steps, values, color=colour, label=label)


def _show_percent(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _position: f"{100 * value:.0f}%")


class _Plot:
    """A plot drawn on `axes`; afterwards `markup` is its SVG. `name` tells it from others in the page."""

    def __init__(self, name: str) -> None:
        self._name = name
        self.markup = Markup("")

    def __enter__(self) -> _Plot:
        import matplotlib as mpl
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        # With a fixed salt the same figures give the same SVG.
        style: Any = {**_STYLE, "svg.hashsalt": self._name}
        self._settings = mpl.rc_context()
        self._settings.__enter__()
        mpl.rcdefaults()  # and not what a person has set for plots of their own
        mpl.rcParams.update(style)
        self.figure = Figure(figsize=_INCHES)
        FigureCanvasSVG(self.figure)
        self.figure.subplots_adjust(**_MARGINS)
        self.axes = self.figure.add_subplot()
        return self

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        try:
            if error is None:
                stream = io.StringIO()
                self.figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
                self.markup = _inlined(stream.getvalue(), self._name)
        finally:
            self._settings.__exit__(kind, error, traceback)


def _inlined(svg: str, name: str) -> Markup:
    """Return the SVG element alone, in the page's colours; the names of its parts begin with its own."""
    element = svg[svg.index("<svg ") :]
    element = re.sub(r"<(metadata|style)\b.*?</\1>", "", element, flags=re.DOTALL)
    element = re.sub(
        r'^<svg [^>]*?(viewBox="[^"]*")[^>]*>', r'<svg class="plot" \1 aria-hidden="true">', element
    )
    element = re.sub(r'( id="|url\(#|href="#)', rf"\1{name}-", element).replace("xlink:href", "href")
    element = re.sub(r"font-family: [^;\"]*;", "", element)
    element = re.sub(r"\s*\n\s*", " ", element)
    for number, colour in _COLOURS.items():
        element = element.replace(number, f"var(--{colour})")
    return Markup(element)  # nothing in it comes from outside
