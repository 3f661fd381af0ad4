"""The metrics of a layer while it is trained."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from retraining.training.learning_curve import Epoch
from retraining.training.metrics import Metrics
from retraining.training.trainer import TrainingStep


@dataclasses.dataclass(frozen=True)
class CurvePoint:
    """The metrics after a step; `validation` is None if no class has a validation image."""

    step: int
    training: Metrics
    validation: Metrics | None

    @classmethod
    def of_step(cls, step: TrainingStep) -> CurvePoint:
        """Return the point for a report of the trainer."""
        return cls(step.step, step.training, step.validation)


def of_epochs(epochs: Iterable[Epoch]) -> tuple[CurvePoint, ...]:
    """Return the points for epochs, which are counted from 1."""
    return tuple(
        CurvePoint(number, epoch.training, epoch.validation) for number, epoch in enumerate(epochs, start=1)
    )
