"""How an exported file does on images, computed by the program that people will run it in."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from retraining.errors import Message
from retraining.export.trial import Trial
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.formats import Format

# Points of accuracy that rounding to bytes may cost before it is warned of.
_ALLOWED_LOSS = 2.0

_TIMED_RUNS = 15


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What an exported file is like beside the classifier, on the `images` of a trial.

    Shares are in [0, 1]; the accuracies are None if nobody knows the labels. `size` is in bytes;
    `milliseconds` is the median time for one image, without reading it.
    """

    format: Format
    path: Path
    size: int
    images: int
    accuracy: float | None
    exact_accuracy: float | None
    same_answers: float
    largest_difference: float
    milliseconds: float

    def disagrees(self) -> bool:
        """Return whether the scores differ by more than the format's rounding can explain."""
        tolerance = self.format.tolerance
        return tolerance is not None and not self.largest_difference <= tolerance  # true for NaN

    def lost_points(self) -> float:
        """Return the percentage points of accuracy that are lost, or 0 if nobody knows the labels."""
        if self.accuracy is None or self.exact_accuracy is None:
            return 0.0
        return max(0.0, 100 * (self.exact_accuracy - self.accuracy))

    def warning(self) -> Message | None:
        """Return what to say if rounding costs too much accuracy, with what can be done about it."""
        lost = self.lost_points()
        if lost <= _ALLOWED_LOSS:
            return None
        return Message(
            "{format} loses {lost:.1f} points of accuracy ({exact:.1%} to {accuracy:.1%}, N={count}). Add "
            "images, which show the quantizer more, use tflite-float16, or retrain another network.",
            format=self.format.name,
            lost=lost,
            exact=self.exact_accuracy,
            accuracy=self.accuracy,
            count=self.images,
        )


def judge(written: Path, path: Path, format: Format, classifier: ImageClassifier, trial: Trial) -> Judgement:
    """Return the judgement of a file at `written`, soon moved to `path`, that was loaded as `classifier`."""
    scores = classifier.scores(trial.images)
    right = exact_right = None
    if trial.labels is not None and len(trial):
        right = float((scores.argmax(axis=1) == trial.labels).mean())
        exact_right = float((trial.scores.argmax(axis=1) == trial.labels).mean())
    same = scores.argmax(axis=1) == trial.scores.argmax(axis=1)
    return Judgement(
        format=format,
        path=path,
        size=sum(file.stat().st_size for file in _files(written)),
        images=len(trial),
        accuracy=right,
        exact_accuracy=exact_right,
        same_answers=float(same.mean()) if len(trial) else 1.0,
        largest_difference=float(np.abs(scores - trial.scores).max(initial=0.0)),
        milliseconds=_milliseconds(classifier, trial),
    )


def _files(path: Path) -> Iterable[Path]:
    return (file for file in path.rglob("*") if file.is_file()) if path.is_dir() else (path,)


def _milliseconds(classifier: ImageClassifier, trial: Trial) -> float:
    """Return the median time to compute one image that is decoded already; NaN if there is none."""
    if not len(trial):
        return float("nan")
    given = classifier.prepared(trial.images[0])
    times = []
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        classifier.run(given)
        times.append(time.perf_counter() - start)
    return 1000 * statistics.median(times)
