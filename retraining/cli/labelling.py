"""The work of label_image.py: images are labelled, answers printed and files sorted, and failures counted."""

from __future__ import annotations

import collections
import dataclasses
import logging
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from retraining.cli import answers
from retraining.cli.answers import Answer
from retraining.data import folder_walk, images
from retraining.errors import BadRequest, WorkFailed
from retraining.inference.image_classifier import Classified, ImageClassifier, Prediction
from retraining.inference.sources import ImageSource
from retraining.progress import progress
from retraining.settings.label_image import STANDARD_INPUT, TEXT, LabelImageSettings
from retraining.sorting.outcome import Outcome

if TYPE_CHECKING:
    from retraining.sorting.sorter import Sorter

EXAMPLES = 16  # that the next run is prepared with

_MANY = 100  # images, which take long enough to be told how long

log = logging.getLogger(__name__)


def image_files(settings: LabelImageSettings) -> list[Path]:
    """Return the files to label, with `-` for standard input. Raises BadRequest if there are none."""
    files: list[Path] = []
    for path in settings.image:
        files += [path] if path == STANDARD_INPUT else folder_walk.image_files([path])
    if not files and settings.watch is None:
        raise BadRequest("{image} names only folders without files. Name an image, or a folder of images.")
    return files


class Labelling:
    """Labels files, in one go or several, and keeps count. Raises BadRequest for labels that are no names."""

    def __init__(
        self, classifier: ImageClassifier, settings: LabelImageSettings, *, is_only_one: bool
    ) -> None:
        self._classifier = classifier
        self._settings = settings
        self._sorter = _sorter(classifier, settings)
        self._print = answers.printer(settings, is_only_one=is_only_one)
        self._is_ready_for_next_run = False
        self._examples: list[ImageSource] = []  # some of the images, where they are now
        self.count = 0
        self.failed = 0
        self._left_alone = 0
        self._outcomes: collections.Counter[Outcome] = collections.Counter()

    def label(self, files: Sequence[Path]) -> None:
        """Label files and print the answers, then sort the files, but not those in a class folder already."""
        files = self._unsorted(files)
        sources = [_standard_input() if file == STANDARD_INPUT else file for file in files]
        for file, classified in zip(files, self._classified(sources), strict=True):
            answer = self._answer(file, classified)
            is_moved = answer.outcome is Outcome.MOVED and not self._settings.dry_run
            if len(self._examples) < EXAMPLES and not answer.error:
                self._examples.append(answer.sorted_to if is_moved else classified.source)
        sys.stdout.flush()
        if files and not self._is_ready_for_next_run:
            self._classifier.prepare_next_run(self._examples)
            self._is_ready_for_next_run = True

    def _unsorted(self, files: Sequence[Path]) -> list[Path]:
        """Return the files to label: if they are to be sorted, each once, and none that is already."""
        if self._sorter is None:
            return list(files)
        found = [file for file in dict.fromkeys(files) if not self._sorter.is_sorted(file)]
        self._left_alone += len(files) - len(found)
        return found

    def summarize(self) -> None:
        """Say where images went, if they were sorted."""
        if self._sorter is not None:
            found = ((outcome.value, self._outcomes[outcome]) for outcome in Outcome)
            counts = ", ".join(f"{count:,} {name}" for name, count in found if count)
            trial = " in a dry run, which changed nothing" if self._settings.dry_run else ""
            stream = sys.stdout if self._settings.output == TEXT else sys.stderr
            alone = f" {self._left_alone:,} in class folders were left alone." if self._left_alone else ""
            print(f"{self.count:,} images{trial}: {counts or 'none sorted'}.{alone}", file=stream)

    def check(self) -> None:
        """Raise WorkFailed if something went wrong with an image."""
        if self.failed:
            raise WorkFailed(
                "{failed} of {count} images could not be labelled{sorted}, see above.",
                failed=self.failed,
                count=self.count,
                sorted=" or sorted" if self._sorter else "",
            )

    def _classified(self, sources: Sequence[ImageSource]) -> Iterable[Classified]:
        best = self._settings.num_top_predictions
        found = self._classifier.classify(sources, best=best)
        if len(sources) < _MANY or sys.stderr is None or not sys.stderr.isatty():
            return found  # without the import of what draws progress bars
        return progress(found, total=len(sources), task="Labelling", unit="image")

    def _answer(self, file: Path, classified: Classified) -> Answer:
        answer = Answer(
            str(file),
            self._above_least(classified),
            error=classified.reason,
            novelty=classified.novelty,
            is_unknown=classified.is_unknown,
        )
        if self._sorter is not None and not answer.error:
            answer = self._sorted(file, answer, self._sorter)
        self.count += 1
        if answer.outcome is not None:
            self._outcomes[answer.outcome] += 1
        self._print(answer)
        if answer.error:
            self.failed += 1
            log.warning("%s: %s.", file, answer.error)
        return answer

    def _above_least(self, classified: Classified) -> tuple[Prediction, ...]:
        least = self._settings.min_score
        return tuple(
            prediction for prediction in classified.predictions if least is None or prediction.score >= least
        )

    def _sorted(self, file: Path, answer: Answer, sorter: Sorter) -> Answer:
        if answer.is_unknown:
            return dataclasses.replace(answer, outcome=Outcome.UNKNOWN)
        if not answer.predictions:
            return dataclasses.replace(answer, outcome=Outcome.UNSURE)
        try:
            outcome, path = sorter.sort(file, answer.predictions[0].label)
        except WorkFailed as error:
            return dataclasses.replace(answer, error=str(error))
        return dataclasses.replace(answer, outcome=outcome, sorted_to=str(path))


def _sorter(classifier: ImageClassifier, settings: LabelImageSettings) -> Sorter | None:
    if settings.sort_into is None:
        return None
    from retraining.sorting.sorter import Sorter  # which labelling need not wait for

    return Sorter(
        settings.sort_into,
        classifier.labels,
        is_copied=settings.copy_to is not None,
        is_dry_run=settings.dry_run,
    )


def _standard_input() -> bytes:
    """Return the bytes of the image that comes from standard input, which are none if that is closed."""
    if sys.stdin is None or sys.stdin.closed:
        return b""
    return sys.stdin.buffer.read(images.MAX_FILE_BYTES + 1)
