"""The sections of a report: what is found out about a model, chosen and put in order for the page."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from markupsafe import Markup

from retraining.assessment.advice import advise
from retraining.assessment.findings import Findings
from retraining.assessment.mistakes import Mistake
from retraining.assessment.suspects import Suspect
from retraining.data.dataset import LabelledImage
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split
from retraining.features.duplicates import Group
from retraining.printable import printable
from retraining.report import cells, figures, plots
from retraining.report.album import SET_NAMES, Album, Photo
from retraining.report.cells import Cells
from retraining.report.figures import ClassFigures
from retraining.report.headline import Headline, headline
from retraining.report.subject import Subject

# Of each list at most this many are shown: a page with more is not read.
MOST_CLASSES = 200
FIRST_ROWS = 40  # of classes, before the others are opened
FIRST_CARDS = 24  # of errors and of suspects, before the others are opened
MOST_SUSPECTS = 200
MOST_GROUPS = 40  # of each kind of duplicates
MOST_OF_A_GROUP = 8
MOST_SKIPPED = 200
MOST_LEFT_OUT = 30  # classes taken for something unknown

_SEVERAL = 2  # of the nearest photographs: one alone is no reason for an answer

FEW_TESTED = 200  # below, an expected calibration error is mostly chance

_CONFLICT = "Keep it in the class where it belongs, and remove it from the others."
_LEAK = "If one of them is in the test, its accuracy is too good: keep one of each."
_NO_HARM = "They do little harm: they count more than once in training."


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of advice, as it is shown."""

    title: str
    text: str


@dataclasses.dataclass(frozen=True)
class Score:
    """A label with its score in [0, 1]; `is_own` is true of the label that the photograph's folder says."""

    label: str
    score: float
    is_own: bool


@dataclasses.dataclass(frozen=True)
class Error:
    """A test photograph gone wrong, with the labels that score best and the nearest training photographs."""

    photo: Photo
    taken_for: str
    scores: tuple[Score, ...]
    nearest: tuple[Photo, ...]

    @property
    def reason(self) -> str:
        """How many of the nearest photographs are of the class that was answered, in words; "" if few are."""
        times = sum(photo.label == self.taken_for for photo in self.nearest)
        return f"{times} of {len(self.nearest)}" if times >= _SEVERAL else ""


@dataclasses.dataclass(frozen=True)
class Doubt:
    """A photograph whose label is probably wrong, the label it looks more like, and the scores of both."""

    photo: Photo
    suggested: str
    own_score: float
    suggested_score: float


@dataclasses.dataclass(frozen=True)
class Copies:
    """Groups of photographs that are the same: what is wrong with them, what to do, and the first of them.

    `count` is how many groups there are.
    """

    kind: str
    remedy: str
    is_harmful: bool
    count: int
    groups: tuple[tuple[Photo, ...], ...]
    sizes: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """A class taken for something unknown, and the share in [0, 1] of its photographs that were found out."""

    label: str
    caught: float


@dataclasses.dataclass(frozen=True)
class Plots:
    """The plots of a report; each is empty where there is nothing to draw."""

    trend: Markup = Markup("")
    reliability: Markup = Markup("")
    novelty: Markup = Markup("")
    accuracy: Markup = Markup("")
    loss: Markup = Markup("")


@dataclasses.dataclass(frozen=True)
class Model:
    """All that the page shows of a model; `id` tells it from others in the same page."""

    id: str
    subject: Subject
    headline: Headline | None
    advice: tuple[Piece, ...]
    classes: tuple[ClassFigures, ...]
    cells: Cells
    errors: tuple[Error, ...]
    doubts: tuple[Doubt, ...]
    copies: tuple[Copies, ...]
    left_out: tuple[LeftOut, ...]
    plots: Plots
    folder: str

    @property
    def findings(self) -> Findings:
        """What was found out about the model."""
        return self.subject.findings

    @property
    def dataset(self) -> DatasetSummary:
        """The photographs."""
        return self.findings.dataset

    @property
    def error_labels(self) -> list[str]:
        """The classes of errors, given or taken for, by name."""
        return sorted({label for error in self.errors for label in (error.photo.label, error.taken_for)})

    @property
    def false_alarms(self) -> int:
        """How many test photographs would be called unknown."""
        found = self.findings.novelty
        return round(found.false_alarms * len(found.test_novelty)) if found and len(found.test_novelty) else 0

    def short(self, file: str) -> str:
        """Return a file's path below the folder of all photographs."""
        return file.removeprefix(self.folder)

    @property
    def images_by_set(self) -> dict[str, int]:
        """How many photographs each set has, by its name."""
        return {SET_NAMES[split]: int(self.dataset.in_set(split).sum()) for split in Split}


def model(subject: Subject, album: Album, *, id: str) -> Model:
    """Return what the page shows of a model."""
    findings = subject.findings
    return Model(
        id=id,
        subject=subject,
        headline=headline(findings),
        advice=tuple(_advice(subject)),
        classes=figures.of_classes(findings.dataset, findings.testing),
        cells=Cells(findings, album),
        errors=tuple(_error(mistake, findings.dataset, album) for mistake in findings.mistakes),
        doubts=tuple(
            _doubt(suspect, findings.dataset, album) for suspect in findings.suspects[:MOST_SUSPECTS]
        ),
        copies=tuple(_copies(findings, album)),
        left_out=_left_out(findings),
        plots=_plots(subject, id),
        folder=album.folder,
    )


def photographs(findings: Findings) -> Iterator[LabelledImage]:
    """Yield the photographs that the page shows of a model, those that matter most first."""
    yield from (mistake.image for mistake in findings.mistakes)
    yield from (suspect.image for suspect in findings.suspects[:MOST_SUSPECTS])
    for mistake in findings.mistakes:
        yield from mistake.nearest
    for groups in _kinds(findings).values():
        for group in groups[:MOST_GROUPS]:
            yield from group[:MOST_OF_A_GROUP]
    yield from cells.shown(findings)


def _advice(subject: Subject) -> Iterator[Piece]:
    """Yield what to do next; settings are named as the run names its own."""
    names = {used.name.lstrip("-"): used.name for used in subject.run.settings}
    for advice in advise(subject.findings):
        title, text = (
            message.text(setting_name=lambda name: names.get(name, name), show=printable)
            for message in (advice.title, advice.text)
        )
        yield Piece(title, text)


def _error(mistake: Mistake, dataset: DatasetSummary, album: Album) -> Error:
    own = mistake.image.label
    scores = [Score(dataset.labels[label], score, label == own) for label, score in mistake.best]
    if not any(score.is_own for score in scores):
        scores.append(Score(dataset.labels[own], mistake.own_score, is_own=True))
    return Error(
        album.photo(mistake.image),
        dataset.labels[mistake.best[0][0]],
        tuple(scores),
        album.photos(mistake.nearest),
    )


def _doubt(suspect: Suspect, dataset: DatasetSummary, album: Album) -> Doubt:
    return Doubt(
        album.photo(suspect.image),
        dataset.labels[suspect.suggested],
        suspect.own_score,
        suspect.suggested_score,
    )


def _copies(findings: Findings, album: Album) -> Iterator[Copies]:
    for (kind, remedy), groups in _kinds(findings).items():
        if groups:
            shown = groups[:MOST_GROUPS]
            photos = tuple(album.photos(group[:MOST_OF_A_GROUP]) for group in shown)
            yield Copies(kind, remedy, remedy != _NO_HARM, len(groups), photos, tuple(map(len, shown)))


def _kinds(findings: Findings) -> dict[tuple[str, str], Sequence[Group]]:
    """Return the groups of each kind of duplicates, the worst first, by kind and what to do about it."""
    same, near = findings.same, findings.near
    return {
        ("The same file in several classes", _CONFLICT): same.conflicts,
        ("Nearly the same photograph in several classes", _CONFLICT): near.conflicts,
        ("The same file in several sets", _LEAK): same.leaks,
        ("Nearly the same photograph in several sets", _LEAK): near.leaks,
        ("The same file more than once", _NO_HARM): same.copies,
        ("Nearly the same photograph more than once", _NO_HARM): near.copies,
    }


def _left_out(findings: Findings) -> tuple[LeftOut, ...]:
    """Return the classes taken for something unknown, those that would be found out least often first."""
    if findings.novelty is None:
        return ()
    found = (LeftOut(findings.dataset.labels[one.label], one.caught) for one in findings.novelty.left_out)
    return tuple(sorted(found, key=lambda one: (one.caught, one.label)))


def _plots(subject: Subject, id: str) -> Plots:
    findings, curve, unit = subject.findings, subject.run.curve, subject.run.curve_unit
    nothing = Markup("")
    novelty = findings.novelty
    is_tested = len(findings.testing) > 0
    return Plots(
        trend=plots.trend(findings.trend, f"{id}-trend") if findings.trend else nothing,
        reliability=plots.reliability(findings.calibration, f"{id}-scores") if is_tested else nothing,
        novelty=plots.novelty(novelty, f"{id}-novelty") if novelty and is_tested else nothing,
        accuracy=plots.accuracy_curve(curve, unit, f"{id}-accuracy") if curve else nothing,
        loss=plots.loss_curve(curve, unit, f"{id}-loss") if curve else nothing,
    )
