"""Advice: each piece speaks for itself by the figures of the findings, and the most useful comes first."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retraining.assessment import advice
from retraining.assessment.advice import Advice
from retraining.assessment.findings import Findings
from retraining.assessment.trend import Trend, TrendPoint
from retraining.features.bottleneck_sets import SkippedImage
from retraining.training.confidence import Interval, wilson_interval
from retraining.training.evaluation import Evaluation
from tests.report import made_up
from tests.report.made_up import NO_DUPLICATES


@pytest.fixture
def faulty(tmp_path: Path) -> Findings:
    """Findings with some of everything."""
    return made_up.findings(made_up.dataset(tmp_path, ("ants", "bees", "crabs"), write=False))


@pytest.fixture
def faultless(faulty: Findings) -> Findings:
    """Findings that leave nothing to be done: 1,000 test images, two of them wrong."""
    return dataclasses.replace(
        faulty,
        evaluation=evaluation([[499, 1, 0], [1, 499, 0], [0, 0, 10]]),
        suspects=(),
        same=NO_DUPLICATES,
        near=NO_DUPLICATES,
        skipped=(),
        trend=None,
    )


def evaluation(confusion: list[list[int]]) -> Evaluation:
    counts = np.array(confusion)
    right, count = int(counts.trace()), int(counts.sum())
    return Evaluation(right / count, wilson_interval(right / count, count), count, (), counts)


def trend(now: float, promised: float) -> Trend:
    return Trend(
        (TrendPoint(100, (now, now)),),
        held_out=50,
        promised=promised,
        interval=Interval(promised - 0.01, 0.99),
        steps=4000,
    )


def only(findings: Findings) -> tuple[str, str]:
    """Return the title and the text of the first piece of advice; the last is always to use the classifier."""
    first, last = advice.advise(findings)
    assert str(last.title) == "Use it."
    return str(first.title), str(first.text)


def titles(found: tuple[Advice, ...]) -> list[str]:
    return [str(piece.title) for piece in found]


def test_faultless_classifier_is_to_be_used(faultless: Findings) -> None:
    (piece,) = advice.advise(faultless)
    assert str(piece.text) == (
        "Label images with label_image.py; python -m retraining.export writes the classifier for phones, "
        "browsers and servers."
    )


def test_no_test_images_come_first(faultless: Findings) -> None:
    untested = dataclasses.replace(faultless, evaluation=None)
    (piece,) = advice.advise(untested)
    assert str(piece.text) == (
        "No class has a test photograph, so nobody knows how good the classifier is. Add photographs, or "
        "raise testing_percentage."
    )


def test_leaks_name_the_setting_that_mends_them(faulty: Findings, faultless: Findings) -> None:
    assert only(dataclasses.replace(faultless, same=faulty.same)) == (
        "Keep copies out of the test.",
        "1 group of photographs that are the same, or nearly so, is in several sets. If one of them is in "
        "the test, its accuracy is too good to be true. Run again with group_near_duplicates.",
    )


def test_images_in_two_classes_have_a_wrong_label(faulty: Findings, faultless: Findings) -> None:
    assert only(dataclasses.replace(faultless, near=faulty.near)) == (
        "Decide where photographs belong that are in two classes.",
        "1 group of photographs that are the same, or nearly so, is in several classes: at least one label "
        "in each is wrong.",
    )


def test_surest_suspect_is_named(faulty: Findings, faultless: Findings) -> None:
    assert only(dataclasses.replace(faultless, suspects=faulty.suspects)) == (
        "Look through the labels that may be wrong.",
        "3 of 15 photographs (20.0%) look more like another class than like their own. The first: '0.jpg' in "
        "'ants' looks like 'bees' (97%). They are shown below. Move those that are wrong to where they "
        "belong.",
    )


def test_class_that_is_missed_often_is_named(faultless: Findings) -> None:
    worse = dataclasses.replace(faultless, evaluation=evaluation([[300, 200, 0], [1, 499, 0], [0, 0, 10]]))
    found = advice.advise(worse)
    assert titles(found) == ["Help 'ants'.", "Show it what tells 'ants' from 'bees'.", "Use it."]
    assert str(found[0].text) == (
        "Only 300 of its 500 test photographs are recognized. It has 5 photographs in all; add some that "
        "show it as it will be photographed."
    )
    assert str(found[1].text).startswith("201 of 201 mistakes are between these two.")


def test_more_images_are_advised_if_they_promise_more(faultless: Findings) -> None:
    assert only(dataclasses.replace(faultless, trend=trend(0.8, 0.85))) == (
        "Collect more photographs.",
        "With twice as many, the trend promises 85.0% instead of 80.0% (likely 84% to 99%).",
    )


def test_another_network_is_advised_if_more_images_promise_nothing(faultless: Findings) -> None:
    assert only(dataclasses.replace(faultless, trend=trend(0.8, 0.802))) == (
        "Try another network, or train part of this one.",
        "More photographs of the same kind would hardly help: twice as many promise +0.2 points. Compare "
        "other networks by python -m retraining.compare, or turn on fine_tune.",
    )


def test_few_test_images_are_said_to_be_few(faultless: Findings) -> None:
    assert only(
        dataclasses.replace(faultless, evaluation=evaluation([[10, 0, 0], [1, 9, 0], [0, 0, 0]]))
    ) == (
        "Test on more photographs before you rely on the accuracy.",
        "With 20 test photographs the true accuracy may be anywhere from 76% to 99%. Add photographs, or "
        "raise testing_percentage.",
    )


def test_skipped_files_are_counted(faultless: Findings) -> None:
    skipped = (SkippedImage("a.jpg", "is empty"), SkippedImage("b.jpg", "is empty"))
    assert only(dataclasses.replace(faultless, skipped=skipped)) == (
        "Repair or remove what could not be read.",
        "2 files were skipped, listed below with the reasons.",
    )


def test_no_more_than_five_pieces_are_given_and_wrong_figures_come_first(tmp_path: Path) -> None:
    found = made_up.findings(made_up.dataset(tmp_path, ("a", "b", "c", "d"), write=False))
    assert titles(advice.advise(found))[:3] == [
        "Keep copies out of the test.",
        "Decide where photographs belong that are in two classes.",
        "Look through the labels that may be wrong.",
    ]
    assert len(advice.advise(found)) == advice.MOST == 5
