from __future__ import annotations

import logging
import math

import pytest

from retraining.cli import log_lines
from retraining.comparison import selection
from retraining.comparison.table import Row


def row_of(model: str, validation: float, test: float = 0.5, speed: float = 100) -> Row:
    return Row(model, "from scratch", validation, test, test, 10, 10, 1.0, speed)


def test_highest_validation_accuracy_wins_whatever_the_test_accuracy() -> None:
    rows = [row_of("a", 0.6, test=0.9), row_of("b", 0.8, test=0.7)]
    found = selection.select(rows, validation_images=100)
    assert found.winner.model == "b"
    assert found.close == ()


def test_faster_of_two_equal_models_wins() -> None:
    rows = [row_of("slow", 0.8, speed=10), row_of("fast", 0.8, speed=20)]
    found = selection.select(rows, validation_images=100)
    assert found.winner.model == "fast"
    assert [other.model for other in found.close] == ["slow"]


def test_models_that_few_images_cannot_tell_apart_are_close() -> None:
    rows = [row_of("a", 0.80), row_of("b", 0.77), row_of("c", 0.75)]
    assert [other.model for other in selection.select(rows, validation_images=100).close] == ["b"]
    assert selection.select(rows, validation_images=10_000).close == ()


def test_without_validation_images_the_test_accuracy_decides() -> None:
    rows = [row_of("a", math.nan, test=0.7), row_of("b", math.nan, test=0.9)]
    assert selection.select(rows, validation_images=0).winner.model == "b"


def test_selection_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    rows = [row_of("slow", 0.80, test=0.75, speed=10), row_of("fast", 0.78, test=0.7, speed=25)]
    with caplog.at_level(logging.INFO):
        log_lines.selected(selection.select(rows, validation_images=50))
    assert caplog.messages == [
        "Use slow: 80.0% on the validation images, 75.0% on the test images.",
        "With 50 validation images, fast may be as good: 78.0% on the validation images, 70.0% on the test images; "
        "2.5 times as many images per second.",
    ]
