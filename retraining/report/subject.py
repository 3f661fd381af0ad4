"""What a report is about: a model, and the run that made it."""

from __future__ import annotations

import dataclasses

from retraining.assessment.findings import Findings
from retraining.export.judgement import Judgement
from retraining.training.training_curve import CurvePoint


@dataclasses.dataclass(frozen=True)
class UsedSetting:
    """A setting of a run, as text, and whether it is the default."""

    name: str
    value: str
    is_default: bool


@dataclasses.dataclass(frozen=True)
class Run:
    """How a model was made: the command that does it again, the settings, the training, exported formats.

    Each is empty if it is not known, such as for a graph that an earlier run wrote; `formats` is None then,
    and empty if nothing was exported besides the graph. `curve_unit` is what the steps of the curve are.
    `relabel` is the command that carries out what is marked in the list of suspected labels; it is empty for
    a model whose suspects are not listed.
    """

    command: str = ""
    settings: tuple[UsedSetting, ...] = ()
    curve: tuple[CurvePoint, ...] = ()
    curve_unit: str = "step"
    formats: tuple[Judgement, ...] | None = None
    relabel: str = ""


@dataclasses.dataclass(frozen=True)
class Subject:
    """A model to report on, with a title that tells it from others in the same report."""

    title: str
    findings: Findings
    run: Run = Run()
