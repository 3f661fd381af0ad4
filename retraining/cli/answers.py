"""How the answers of label_image.py are printed: as text, as an object of JSON on each line, or as CSV."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import os
import sys
from collections.abc import Callable

from retraining.cli import logs
from retraining.inference.image_classifier import Prediction
from retraining.progress import write_line
from retraining.settings.label_image import CSV, JSON, TEXT
from retraining.sorting.outcome import Outcome

COLUMNS = ("image", "label", "score", "rank", "outcome", "sorted_to", "error")

_DIGITS = 6  # of a score, which is a float32


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of an image: its labels, best first; what became of it if it was to be sorted; errors."""

    image: str
    predictions: tuple[Prediction, ...] = ()
    outcome: Outcome | None = None
    sorted_to: str = ""
    error: str = ""


def printer(output: str, *, is_only_one: bool, is_dry_run: bool) -> Callable[[Answer], None]:
    """Return the function that prints answers in one of OUTPUTS; for CSV, the header is printed at once."""
    if output == JSON:
        return _print_json
    if output == CSV:
        _print_row(*COLUMNS)
        return _print_rows
    assert output == TEXT

    def print_text(answer: Answer) -> None:
        if not answer.error or answer.predictions:
            _print_text(answer, is_only_one=is_only_one, is_dry_run=is_dry_run)

    return print_text


def _print_text(answer: Answer, *, is_only_one: bool, is_dry_run: bool) -> None:
    if not is_only_one:
        logs.say(answer.image)
    for prediction in answer.predictions:
        logs.say(f"{prediction.label} {prediction.score:.5f}")
    if answer.outcome in (Outcome.MOVED, Outcome.COPIED):
        done = f"would be {answer.outcome.value}" if is_dry_run else answer.outcome.value
        logs.say(f"{done} to {answer.sorted_to}")
    elif answer.outcome is Outcome.ALREADY_THERE:
        logs.say(f"stays, since {answer.sorted_to} is the same")
    elif answer.outcome is Outcome.UNSURE:
        logs.say("stays, since no score is high enough")


def _print_json(answer: Answer) -> None:
    fields: dict[str, object] = {"image": answer.image}
    if answer.predictions or not answer.error:
        fields["predictions"] = [
            {"label": prediction.label, "score": round(prediction.score, _DIGITS)}
            for prediction in answer.predictions
        ]
    if answer.outcome is not None:
        fields |= {"outcome": answer.outcome.value, "sorted_to": answer.sorted_to or None}
    if answer.error:
        fields["error"] = answer.error
    write_line(json.dumps(fields), sys.stdout)  # all ASCII, so it is JSON in any encoding


def _print_rows(answer: Answer) -> None:
    outcome = "" if answer.outcome is None else answer.outcome.value
    ends = (outcome, answer.sorted_to, answer.error)
    for rank, prediction in enumerate(answer.predictions, 1):
        score = f"{prediction.score:.{_DIGITS}f}"
        _print_row(answer.image, prediction.label, score, str(rank), *ends)
    if not answer.predictions:
        _print_row(answer.image, "", "", "", *ends)


def _print_row(*cells: str) -> None:
    """Print a line of CSV as RFC 4180 has it, with a carriage return before its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r" if os.linesep == "\n" else "").writerow(cells)
    write_line(line.getvalue(), sys.stdout)
