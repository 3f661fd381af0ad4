"""Whether scores can be trusted: of images scored 0.9, nine in ten should be right."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
from numpy.typing import NDArray

from retraining.assessment.scored import Scored
from retraining.training.softmax_layer import SoftmaxLayer, log_softmax

BINS = 10
COLDEST, HOTTEST = 0.05, 20.0  # temperatures; beyond, nothing is left of the scores
TRUSTED = 40  # images; measured by `python -m benchmarks calibration`
_HALVINGS = 16


@dataclasses.dataclass(frozen=True)
class Reliability:
    """Images by the score of their best label, in BINS equal ranges from 0 to 1.

    `counts` int64 [BINS]; `scores` and `accuracies` float64 [BINS] are the means in each range, NaN where it
    is empty. `error` is the expected calibration error in [0, 1]: Guo et al., "On Calibration of Modern
    Neural Networks", ICML 2017.
    """

    counts: NDArray[np.int64]
    scores: NDArray[np.float64]
    accuracies: NDArray[np.float64]

    @property
    def error(self) -> float:
        """The mean distance between score and accuracy over all images; NaN if there are none."""
        total = self.counts.sum()
        gaps = np.nan_to_num(np.abs(self.scores - self.accuracies))
        return float((self.counts * gaps).sum() / total) if total else math.nan


@dataclasses.dataclass(frozen=True)
class Calibration:
    """The temperature of the exported layer, and how far its scores can be trusted.

    `temperature` is what logits are divided by, and 1 if `is_applied` is false. `fitted` is what was fitted.
    `before` and `after` are about the test images, with temperature 1 and `fitted`; `known` is about the
    images that it was fitted on, as the exported layer would score them: the cross-validated training and
    validation images, or only the latter if the network has learnt from the others.
    """

    temperature: float
    fitted: float
    is_applied: bool
    before: Reliability
    after: Reliability
    known: Reliability

    @property
    def exported(self) -> Reliability:
        """About the test images, as the exported layer scores them."""
        return self.after if self.is_applied else self.before


def assess(
    fitted_on: Scored, testing: Scored, *, is_applied: bool, temperature: float | None = None
) -> Calibration:
    """Return the temperature fitted on some images, and how far scores can be trusted on the test images.

    With a `temperature`, it is that one, which was fitted earlier.
    """
    fitted = fit(fitted_on) if temperature is None else temperature
    temperature = fitted if is_applied else 1.0
    return Calibration(
        temperature=temperature,
        fitted=fitted,
        is_applied=is_applied,
        before=reliability(testing),
        after=reliability(testing, fitted),
        known=reliability(fitted_on, temperature),
    )


def fit(scored: Scored) -> float:
    """Return the temperature from COLDEST to HOTTEST that makes the labels of scored images most likely.

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017. Beside the images, TRUSTED more count
    that are right exactly as often as their scores say: where there are few images, or all of them are right,
    the temperature stays near 1.
    """
    logits = scored.log_probabilities.astype(np.float64)
    if not len(scored) or not np.isfinite(logits).all():
        return 1.0
    trusted = TRUSTED / len(scored)
    wanted = logits[np.arange(len(scored)), scored.labels].mean() + trusted * _mean_logit(logits, 1.0)
    low, high = math.log(COLDEST), math.log(HOTTEST)
    for _ in range(_HALVINGS):
        # The gradient by 1 / temperature, which only grows with it: the loss has one minimum.
        middle = (low + high) / 2
        gradient = (1 + trusted) * _mean_logit(logits, math.exp(middle)) - wanted
        if gradient == 0:
            return math.exp(middle)
        low, high = (low, middle) if gradient < 0 else (middle, high)
    return math.exp((low + high) / 2)


def _mean_logit(logits: NDArray[np.float64], temperature: float) -> float:
    """Return the mean logit of labels that are drawn by the scores which a temperature gives."""
    scores = logits / temperature
    scores -= scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    return float(((scores * logits).sum(axis=1) / scores.sum(axis=1)).mean())


def tempered(log_probabilities: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Return the log probabilities float32 [n, classes] of logits divided by a number above 0."""
    return log_softmax(log_probabilities / np.float32(temperature))


def reliability(scored: Scored, temperature: float = 1.0) -> Reliability:
    """Return how scores and accuracy agree when logits are divided by a number."""
    probabilities = np.exp(tempered(scored.log_probabilities, temperature))
    best = probabilities.max(axis=1, initial=0)
    is_right = probabilities.argmax(axis=1) == scored.labels
    bins = np.minimum((best * BINS).astype(int), BINS - 1)
    counts = np.bincount(bins, minlength=BINS)
    with np.errstate(invalid="ignore"):
        return Reliability(
            counts,
            np.bincount(bins, best, BINS) / counts,
            np.bincount(bins, is_right, BINS) / counts,
        )


def divided(layer: SoftmaxLayer, temperature: float) -> SoftmaxLayer:
    """Return a layer whose logits are those of `layer` divided by a number.

    The order of the labels stays, unless logits are equal but for rounding errors in float32.
    """
    return SoftmaxLayer(
        (layer.weights / temperature).astype(np.float32), (layer.biases / temperature).astype(np.float32)
    )
