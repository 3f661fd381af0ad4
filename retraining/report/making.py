"""Makes the report of a run: the page, and the list of suspected labels for a person to go through."""

from __future__ import annotations

import dataclasses
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from retraining.assessment import findings
from retraining.assessment.assessment import Assessment
from retraining.assessment.findings import Findings
from retraining.errors import UserError, WorkFailed, in_one_line
from retraining.process import Work
from retraining.report import page
from retraining.report.page import Written
from retraining.report.subject import Run, Subject
from retraining.settings.data import DataSettings
from retraining.sorting import suspected_labels
from retraining.sorting.suspected_labels import SuspectedLabel
from retraining.training.model import TrainedModel

_NICENESS = 10  # of 19 at most

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Made:
    """The page that was written, and the file that lists suspected labels."""

    page: Written
    suspects: Path


@dataclasses.dataclass(frozen=True)
class Places:
    """Where a report is written: the page, and the folder of the lists beside it.

    `source` says where the images are: in the folders of the classes, or in a list.
    """

    page: Path
    lists: Path
    source: DataSettings


def make(subjects: Sequence[Subject], places: Places) -> Made:
    """Write the page, and the list of suspected labels of the first subject. Raises WorkFailed.

    Whatever else goes wrong is such an error, too: a run has written all its other files by then.
    """
    try:
        listed = places.lists / suspected_labels.FILE
        suspected_labels.write(_suspected(subjects[0].findings), places.source, listed)
        return Made(page.write(subjects, places.page, lists=places.lists), listed)
    except UserError:
        raise
    except Exception as error:
        log.debug("the report: %r", error, exc_info=True)
        raise failed(in_one_line(error)) from error


def prepare() -> None:
    """Import what a report needs, in a process of its own that leaves the processor to the others."""
    if hasattr(os, "nice"):
        os.nice(_NICENESS)
    page.preload()


def _suspected(found: Findings) -> list[SuspectedLabel]:
    labels = found.dataset.labels
    return [
        SuspectedLabel(
            suspect.image.file,
            labels[suspect.image.label],
            labels[suspect.suggested],
            suspect.own_score,
            suspect.suggested_score,
            suspect.digest,
        )
        for suspect in found.suspects
    ]


class Reporter:
    """Makes the report of one run. Whatever goes wrong with it is told when the run has written the rest."""

    def __init__(self, work: Work[Made], places: Places) -> None:
        """Prepare it; `work` calls `make`."""
        self._work = work
        self._places = places
        self._found: Findings | None = None

    def look_at(self, model: TrainedModel, assessment: Assessment | None) -> None:
        """Find out what the report will show, which takes a second or so; nothing without an assessment."""
        self._found = findings.try_to_find(model, assessment)

    def make(self, run: Run) -> tuple[Findings, Made]:
        """Return what was found and written. Raises WorkFailed."""
        if self._found is None:
            raise failed("nothing was found out about the model, see above")
        self._work.start([Subject(self._found.network, self._found, run)], self._places)
        return self._found, self._work.result()


def failed(reason: str) -> WorkFailed:
    """Return the error for a report that could not be made."""
    return WorkFailed(
        "the report could not be made: {reason}. The classifier itself is complete. Please report this.",
        reason=reason,
    )
