"""Makes the report of a run: the page, and the list of suspected labels for a person to go through."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Sequence
from pathlib import Path

from retraining.assessment import findings
from retraining.assessment.assessment import Assessment
from retraining.assessment.findings import Findings
from retraining.errors import UserError, WorkFailed
from retraining.process import Work
from retraining.report import page
from retraining.report.page import Written
from retraining.report.subject import Run, Subject
from retraining.training.model import TrainedModel

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Made:
    """The page that was written, and the file that lists suspected labels."""

    page: Written
    suspects: Path


def make(subjects: Sequence[Subject], path: Path, folder: Path) -> Made:
    """Write the page to `path` and the list of suspected labels of the first subject to `folder`.

    Raises WorkFailed, whatever goes wrong.
    """
    try:
        return Made(page.write(subjects, path), folder)
    except UserError:
        raise
    except Exception as error:
        log.debug("the report: %r", error, exc_info=True)
        raise _failed(error) from error


class Reporter:
    """Makes the report of one run. Whatever goes wrong with it is told when the run has written the rest."""

    def __init__(self, work: Work[Made], path: Path, folder: Path) -> None:
        """Prepare it; `work` calls `make`, `path` is the page, and `folder` is for the lists beside it."""
        self._work = work
        self._path = path
        self._folder = folder
        self._found: Findings | None = None
        self._error: Exception | None = None

    def look_at(self, model: TrainedModel, assessment: Assessment) -> None:
        """Find out what the report will show, which takes a second or so."""
        try:
            self._found = findings.find(model, assessment)
        except Exception as error:
            log.debug("the report: %r", error, exc_info=True)
            self._error = error

    def make(self, run: Run) -> tuple[Findings, Made]:
        """Return what was found and written. Raises WorkFailed."""
        if self._found is None:
            raise _failed(self._error)
        self._work.start([Subject(self._found.network, self._found, run)], self._path, self._folder)
        return self._found, self._work.result()


def _failed(error: Exception | None) -> WorkFailed:
    return WorkFailed(
        "the report could not be made: {reason}. All other files of this run are complete. Please report "
        "this; {report} none leaves the report out.",
        reason=f"{type(error).__name__}: {error}".strip().splitlines()[0],
    )
