from __future__ import annotations

import math
from pathlib import Path

from retraining.cli import class_table
from retraining.training.class_results import ClassResult

LISTED = Path("logs/class_results.csv")


def result(label: str, images: int = 60, tested: int = 6, right: int = 6) -> ClassResult:
    recall = right / tested if tested else math.nan
    return ClassResult(label, images, tested, right, precision=math.nan if not right else 1.0, recall=recall)


def test_columns_are_aligned_and_a_dash_stands_for_what_does_not_exist() -> None:
    results = [
        result("rare", 30, 1, 0),
        result("sunflower", 1320, 132, 99),
        result("untested", 20, 0, 0),
    ]
    assert class_table.lines(results, LISTED) == [
        "class      images       right  precision  recall",
        "rare           30    0 of   1          -    0.0%",
        "sunflower   1,320   99 of 132     100.0%   75.0%",
        "untested       20           -          -       -",
    ]


def test_wide_letters_and_accents_stay_aligned_and_control_characters_are_escaped() -> None:
    results = [result("郁金香"), result("🌹 rose"), result("cafe\u0301"), result("na\nme")]
    assert class_table.lines(results, LISTED) == [
        "class    images   right  precision  recall",
        "郁金香       60  6 of 6     100.0%  100.0%",
        "🌹 rose      60  6 of 6     100.0%  100.0%",
        "cafe\u0301         60  6 of 6     100.0%  100.0%",
        "na\\nme       60  6 of 6     100.0%  100.0%",
    ]


def test_twenty_classes_are_all_shown() -> None:
    lines = class_table.lines([result(f"class {number}") for number in range(20)], LISTED)
    assert len(lines) == 21
    assert lines[-1].startswith("class 19 ")


def test_of_more_than_twenty_classes_the_worst_are_shown_and_the_file_of_all_is_named() -> None:
    lines = class_table.lines([result(f"class {number}") for number in range(1021)], LISTED)
    assert len(lines) == 22
    assert lines[-2].startswith("class 19 ")
    assert lines[-1] == "These are the worst 20 of 1,021 classes; all are in 'logs/class_results.csv'."
