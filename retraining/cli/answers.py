"""How the answers of label_image.py are printed: as text, as an object of JSON on each line, or as CSV."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import json
import os
import sys
from collections.abc import Callable

from retraining.cli import logs
from retraining.inference.image_classifier import Prediction
from retraining.progress import write_line
from retraining.settings.label_image import CSV, JSON, TEXT, LabelImageSettings
from retraining.sorting.outcome import Outcome

COLUMNS = ("image", "label", "score", "rank", "outcome", "sorted_to", "error")
NOVELTY_COLUMNS = ("novelty", "unknown")  # behind the others, if they are asked for

UNKNOWN = "unknown"  # in place of a label

_DIGITS = 6  # of a score, which is a float32


@dataclasses.dataclass(frozen=True)
class Answer:
    """What is said of an image: its labels, best first; what became of it if it was to be sorted; errors.

    `novelty` and `is_unknown` are as for Classified.
    """

    image: str
    predictions: tuple[Prediction, ...] = ()
    outcome: Outcome | None = None
    sorted_to: str = ""
    error: str = ""
    novelty: float | None = None
    is_unknown: bool = False


def printer(settings: LabelImageSettings, *, is_only_one: bool) -> Callable[[Answer], None]:
    """Return the function that prints answers as it was asked for; for CSV, the header is printed at once."""
    output, is_dry_run = settings.output, settings.dry_run
    if output == JSON:
        return _print_json
    if output == CSV:
        _print_row(*COLUMNS, *(NOVELTY_COLUMNS if settings.unknown else ()))
        return functools.partial(_print_rows, has_novelty=settings.unknown)
    assert output == TEXT

    def print_text(answer: Answer) -> None:
        if not answer.error or answer.predictions:
            _print_text(answer, is_only_one=is_only_one, is_dry_run=is_dry_run)

    return print_text


def _print_text(answer: Answer, *, is_only_one: bool, is_dry_run: bool) -> None:
    if not is_only_one:
        logs.say(answer.image)
    if answer.is_unknown:
        logs.say(f"{UNKNOWN} {answer.novelty:.5f}")
    for prediction in answer.predictions:
        logs.say(f"{prediction.label} {prediction.score:.5f}")
    if answer.outcome in (Outcome.MOVED, Outcome.COPIED):
        done = f"would be {answer.outcome.value}" if is_dry_run else answer.outcome.value
        logs.say(f"{done} to {answer.sorted_to}")
    elif answer.outcome is Outcome.ALREADY_THERE:
        logs.say(f"stays, since {answer.sorted_to} is the same")
    elif answer.outcome is Outcome.UNSURE:
        logs.say("stays, since no score is high enough")
    elif answer.outcome is Outcome.UNKNOWN:
        logs.say("stays, since it is unlike any class")


def _print_json(answer: Answer) -> None:
    fields: dict[str, object] = {"image": answer.image}
    if answer.predictions or not answer.error:
        fields["predictions"] = [
            {"label": prediction.label, "score": round(prediction.score, _DIGITS)}
            for prediction in answer.predictions
        ]
    if answer.novelty is not None:
        fields |= {"novelty": round(answer.novelty, _DIGITS), "unknown": answer.is_unknown}
    if answer.outcome is not None:
        fields |= {"outcome": answer.outcome.value, "sorted_to": answer.sorted_to or None}
    if answer.error:
        fields["error"] = answer.error
    write_line(json.dumps(fields), sys.stdout)  # all ASCII, so it is JSON in any encoding


def _print_rows(answer: Answer, *, has_novelty: bool) -> None:
    outcome = "" if answer.outcome is None else answer.outcome.value
    ends = [outcome, answer.sorted_to, answer.error]
    if has_novelty:
        ends += _novelty_cells(answer)
    for rank, prediction in enumerate(answer.predictions, 1):
        score = f"{prediction.score:.{_DIGITS}f}"
        _print_row(answer.image, prediction.label, score, str(rank), *ends)
    if not answer.predictions:
        _print_row(answer.image, "", "", "", *ends)


def _novelty_cells(answer: Answer) -> tuple[str, str]:
    if answer.novelty is None:
        return "", ""
    return f"{answer.novelty:.{_DIGITS}f}", json.dumps(answer.is_unknown)


def _print_row(*cells: str) -> None:
    """Print a line of CSV as RFC 4180 has it, with a carriage return before its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r" if os.linesep == "\n" else "").writerow(cells)
    write_line(line.getvalue(), sys.stdout)
