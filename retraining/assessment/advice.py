"""What to do next, from the findings about a model."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from retraining.assessment.findings import Findings
from retraining.errors import Message

MOST = 5  # more would not be read

# A share of the mistakes that one pair of classes makes up, and how many they are, to be worth a sentence.
_LARGE_SHARE = 0.25
_SEVERAL = 3
_SMALLEST_CHOICE = 2  # classes, which every mistake is between

# Gains of accuracy that more images must promise to be advised, or must not to be advised against.
_WORTHWHILE_GAIN = 0.01
_SMALL_GAIN = 0.005

_WIDE_INTERVAL = 0.1  # between the ends of the accuracy's confidence interval
_WEAK_RECALL = 0.7


@dataclasses.dataclass(frozen=True)
class Advice:
    """Something to do, in a few words, and the figures that speak for it."""

    title: Message
    text: Message


def advise(findings: Findings) -> tuple[Advice, ...]:
    """Return at most MOST pieces of advice, the most useful first."""
    found = (rule(findings) for rule in _RULES)
    return tuple(advice for advice in found if advice is not None)[:MOST]


def _no_test(findings: Findings) -> Advice | None:
    if findings.evaluation is not None:
        return None
    return Advice(
        Message("Hold photographs out for a test."),
        Message(
            "No class has a test photograph, so nobody knows how good the classifier is. {remedy}",
            remedy="Put some into the test set."
            if findings.dataset.has_given_sets
            else Message("Add photographs, or raise {testing_percentage}."),
        ),
    )


def _leaks(findings: Findings) -> Advice | None:
    groups = len(findings.same.leaks) + len(findings.near.leaks)
    if not groups:
        return None
    return Advice(
        Message("Keep copies out of the test."),
        Message(
            "{groups} of photographs that are the same, or nearly so, {are} in several sets. If one of them "
            "is in the test, its accuracy is too good to be true. {remedy}",
            groups=_counted(groups, "group"),
            are="is" if groups == 1 else "are",
            remedy="Keep each group in one set."
            if findings.dataset.has_given_sets
            else Message("Run again with {group_near_duplicates}."),
        ),
    )


def _conflicts(findings: Findings) -> Advice | None:
    groups = len(findings.same.conflicts) + len(findings.near.conflicts)
    if not groups:
        return None
    return Advice(
        Message("Decide where photographs belong that are in two classes."),
        Message(
            "{groups} of photographs that are the same, or nearly so, {are} in several classes: at least one "
            "label in each is wrong.",
            groups=_counted(groups, "group"),
            are="is" if groups == 1 else "are",
        ),
    )


def _suspects(findings: Findings) -> Advice | None:
    count = len(findings.suspects)
    if not count:
        return None
    surest = findings.suspects[0]
    labels = findings.dataset.labels
    return Advice(
        Message("Look through the labels that may be wrong."),
        Message(
            "{count} of {judged:,} photographs ({share:.1%}) {look} more like another class than like {own}. "
            "The first: '{name}' in '{label}' looks like '{suggested}' ({score:.0%}). They are shown below. "
            "Move those that are wrong to where they belong.",
            count=f"{count:,}",
            look="looks" if count == 1 else "look",
            own="its own" if count == 1 else "their own",
            judged=findings.judged,
            share=count / findings.judged,
            name=surest.image.path.name,
            label=labels[surest.image.label],
            suggested=labels[surest.suggested],
            score=surest.suggested_score,
        ),
    )


def _confused_pair(findings: Findings) -> Advice | None:
    """Advise about the two classes that are mistaken for each other most, if they stand out."""
    evaluation = findings.evaluation
    if evaluation is None or len(findings.dataset.labels) == _SMALLEST_CHOICE:
        return None
    mistaken = evaluation.confusion + evaluation.confusion.T
    np.fill_diagonal(mistaken, 0)
    one, other = np.unravel_index(mistaken.argmax(), mistaken.shape)
    count, mistakes = int(mistaken[one, other]), int(mistaken.sum()) // 2
    if count < _SEVERAL or count < _LARGE_SHARE * mistakes:
        return None
    labels = findings.dataset.labels
    return Advice(
        Message("Show it what tells '{one}' from '{other}'.", one=labels[one], other=labels[other]),
        Message(
            "{count} of {mistakes} mistakes are between these two. Add photographs of both that differ only "
            "in what matters; if people cannot tell them apart either, make them one class.",
            count=count,
            mistakes=mistakes,
        ),
    )


def _more_images(findings: Findings) -> Advice | None:
    trend = findings.trend
    if trend is None or trend.promised is None or trend.interval is None:
        return None
    now = float(np.mean(trend.points[-1].accuracies))
    if trend.promised - now < _WORTHWHILE_GAIN:
        return None
    return Advice(
        Message("Collect more photographs."),
        Message(
            "With twice as many, the trend promises {promised:.1%} instead of {now:.1%} (likely {low:.0%} to "
            "{high:.0%}).",
            promised=trend.promised,
            now=now,
            low=trend.interval.low,
            high=trend.interval.high,
        ),
    )


def _weak_class(findings: Findings) -> Advice | None:
    """Advise about the class that is recognized worst, if it is much worse than it should be."""
    evaluation = findings.evaluation
    if evaluation is None:
        return None
    tested = evaluation.confusion.sum(axis=1)
    recalls = np.where(tested >= _SEVERAL, evaluation.confusion.diagonal() / np.maximum(tested, 1), 1.0)
    worst = int(recalls.argmin())
    if recalls[worst] >= _WEAK_RECALL:
        return None
    label = findings.dataset.labels[worst]
    return Advice(
        Message("Help '{label}'.", label=label),
        Message(
            "Only {right} of its {tested} test photographs {are} recognized. It has {images} photographs in "
            "all; add some that show it as it will be photographed.",
            right=int(evaluation.confusion[worst, worst]),
            are="is" if evaluation.confusion[worst, worst] == 1 else "are",
            tested=int(tested[worst]),
            images=f"{findings.dataset.counts[worst].sum():,}",
        ),
    )


def _another_network(findings: Findings) -> Advice | None:
    """Advise to change the network where more images would hardly help and mistakes remain."""
    trend, evaluation = findings.trend, findings.evaluation
    if trend is None or trend.promised is None or evaluation is None or evaluation.accuracy == 1:
        return None
    gain = trend.promised - float(np.mean(trend.points[-1].accuracies))
    if gain >= _SMALL_GAIN:
        return None
    return Advice(
        Message("Try another network, or train part of this one."),
        Message(
            "More photographs of the same kind would hardly help: twice as many promise {gain:+.1f} points. "
            "Compare other networks by python -m retraining.compare{or_fine_tune}.",
            gain=100 * gain,
            or_fine_tune="" if findings.is_fine_tuned else Message(", or turn on {fine_tune}"),
        ),
    )


def _small_test(findings: Findings) -> Advice | None:
    evaluation = findings.evaluation
    if evaluation is None or evaluation.interval.high - evaluation.interval.low < _WIDE_INTERVAL:
        return None
    return Advice(
        Message("Test on more photographs before you rely on the accuracy."),
        Message(
            "With {count} test photographs the true accuracy may be anywhere from {low:.0%} to {high:.0%}. "
            "{remedy}",
            count=evaluation.count,
            low=evaluation.interval.low,
            high=evaluation.interval.high,
            remedy="Add test photographs."
            if findings.dataset.has_given_sets
            else Message("Add photographs, or raise {testing_percentage}."),
        ),
    )


def _skipped(findings: Findings) -> Advice | None:
    count = len(findings.skipped)
    if not count:
        return None
    return Advice(
        Message("Repair or remove what could not be read."),
        Message(
            "{files} skipped, listed below with the reasons.",
            files=_counted(count, "file") + (" was" if count == 1 else " were"),
        ),
    )


def _use_it(findings: Findings) -> Advice | None:
    if findings.evaluation is None:
        return None
    return Advice(
        Message("Use it."),
        Message(
            "Label images with label_image.py; python -m retraining.export writes the classifier for phones, "
            "browsers and servers."
        ),
    )


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


# The first tell that figures are wrong, the next how to make the classifier better.
_RULES: tuple[Callable[[Findings], Advice | None], ...] = (
    _no_test,
    _leaks,
    _conflicts,
    _suspects,
    _weak_class,
    _confused_pair,
    _more_images,
    _another_network,
    _small_test,
    _skipped,
    _use_it,
)
