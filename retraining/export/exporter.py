"""Exports a classifier to formats: each file is written, read back, judged, and only then put in place."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

from retraining.data.dataset import Dataset
from retraining.errors import BadRequest, Message, UserError, WorkFailed
from retraining.export import trial as trials
from retraining.export.classifier_graph import ClassifierGraph
from retraining.export.judgement import Judgement, judge
from retraining.export.trial import Trial
from retraining.export.vector_check import VectorCheck
from retraining.export.writers import WRITERS, Samples
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.inference.image_classifier import ImageClassifier
from retraining.native_output import native_output_captured
from retraining.progress import progress
from retraining.settings.formats import Format
from retraining.settings.label_image import AnswerSettings, GraphSettings
from retraining.storage.atomic_files import replacing, replacing_files
from retraining.training.model import TrainedModel

log = logging.getLogger(__name__)


class _OtherVectors(Exception):
    """A file does not give the feature vectors of the classifier."""


class Exporter:
    """Writes one classifier in any number of formats."""

    def __init__(self, classifier: ClassifierGraph, trial: Trial, samples: Samples) -> None:
        """Prepare it; `samples` are training images, which only formats that round numbers to bytes need."""
        self._classifier = classifier
        self._trial = trial
        self._samples = samples
        self._vectors = VectorCheck(classifier, trial.images)

    @classmethod
    def of_model(cls, model: TrainedModel, graph: FrozenGraph, *, seed: int) -> Exporter:
        """Return the exporter of a model, whose graph is `graph`; `seed` draws the training images."""
        return cls.of_graph(ClassifierGraph.of_model(model, graph), model.bottlenecks.dataset, seed=seed)

    @classmethod
    def of_graph(cls, classifier: ClassifierGraph, images: Dataset | None, *, seed: int) -> Exporter:
        """Return the exporter of a graph; its files are tried on the test `images`, or on made-up ones."""
        exact = classifier.classifier()
        if images is None:
            return cls(classifier, Trial.drawn(exact), lambda: iter(()))
        trial = Trial.of_dataset(images, exact)
        return cls(classifier, trial, lambda: trials.samples(images, classifier.size, seed))

    def write_all(self, formats: Iterable[Format], output_graph: Path) -> list[Judgement]:
        """Write a file, or folder, of each format beside `output_graph`, and return how each does.

        One that fails is warned of, and not left behind; the others are written all the same.
        """
        chosen = tuple(formats)
        judgements = []
        for format in progress(chosen, total=len(chosen), task="Exporting", unit="format"):
            try:
                judgements.append(self.write(format, format.path_beside(output_graph)))
            except UserError as error:
                log.warning(error.message)
        return judgements

    def write(self, format: Format, path: Path) -> Judgement:
        """Write one format to `path`. Raises WorkFailed if it cannot be written, or gives other answers.

        If it gives other feature vectors, it is written without what tells images unlike any class.
        """
        try:
            judgement = self._written(self._classifier, format, path)
        except _OtherVectors:
            log.warning(
                Message(
                    "{format} gives other feature vectors than the classifier, so '{path}' cannot be used to "
                    "tell images that are unlike any class.",
                    format=format.name,
                    path=path,
                )
            )
            judgement = self._written(self._classifier.without_novelty(), format, path)
        warning = judgement.warning()
        if warning is not None:
            log.warning(warning)
        return judgement

    def _written(self, classifier: ClassifierGraph, format: Format, path: Path) -> Judgement:
        """Write one format to `path`, read it back and judge it. Raises WorkFailed and _OtherVectors."""
        put_in_place = replacing_files if format.is_folder else replacing
        with put_in_place(path) as beside:
            self._convert(classifier, format, path, beside)
            judgement = judge(beside, path, format, self._read(format, path, beside), self._trial)
            if judgement.disagrees():
                raise WorkFailed(
                    "{format} disagrees with the classifier by {difference:.3g} in a score; '{path}' was not "
                    "written. If another network does not help, please report it.",
                    format=format.name,
                    difference=judgement.largest_difference,
                    path=path,
                )
            if classifier.novelty:
                self._check_vectors(format, beside)
        return judgement

    def _check_vectors(self, format: Format, beside: Path) -> None:
        try:
            read = WRITERS[format.name].read(AnswerSettings(graph=beside, unknown=True))
        except BadRequest as error:
            log.debug("%s: %s", format.name, error)
            raise _OtherVectors from error
        if not self._vectors.agrees(read, format):
            raise _OtherVectors

    def _convert(self, classifier: ClassifierGraph, format: Format, path: Path, beside: Path) -> None:
        try:
            with native_output_captured(is_shown_on_error=False):
                WRITERS[format.name].write(classifier, beside, self._samples)
        except (OSError, UserError):
            raise  # the disk is full, or the like
        except Exception as error:  # converters raise whatever the graph makes them stumble over
            log.debug("%s: %s", format.name, error)
            raise WorkFailed(
                "{format} cannot be made of this network: {reason}; '{path}' was not written.",
                format=format.name,
                reason=_first_line(error),
                path=path,
            ) from error

    def _read(self, format: Format, path: Path, beside: Path) -> ImageClassifier:
        """Return what was written as those who use it will read it, with what is inside it alone."""
        try:
            read = WRITERS[format.name].read(GraphSettings(graph=beside))
        except BadRequest as error:
            raise _unreadable(format, path, error) from error
        if read.labels != self._classifier.labels:
            raise _unreadable(format, path, Message("its labels are not those of the classifier."))
        return read


def _unreadable(format: Format, path: Path, reason: BadRequest | Message) -> WorkFailed:
    return WorkFailed(
        "{format} cannot be read back: {reason} '{path}' was not written. Please report it.",
        format=format.name,
        reason=reason,
        path=path,
    )


def write_formats(
    model: TrainedModel, graph: FrozenGraph, formats: Sequence[Format], output_graph: Path, *, seed: int
) -> list[Judgement]:
    """Write a model in formats beside its graph, as `Exporter.write_all` does; nothing is done for none."""
    # Trying the model on its test images takes time.
    return Exporter.of_model(model, graph, seed=seed).write_all(formats, output_graph) if formats else []


def _first_line(error: Exception) -> str:
    return next(iter(str(error).strip().splitlines()), type(error).__name__).rstrip(".")
