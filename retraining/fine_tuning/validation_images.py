"""Fine-tuning needs validation images; that is checked before TensorFlow is even loaded."""

from __future__ import annotations

from retraining.data.dataset import Dataset
from retraining.data.split import Split
from retraining.errors import BadRequest, Message
from retraining.settings.fine_tuning import FineTuningSettings


def check(dataset: Dataset, settings: FineTuningSettings) -> None:
    """Raise BadRequest if a network is to be fine-tuned and there are no validation images."""
    if not settings.fine_tune or any(image.split is Split.VALIDATION for image in dataset.images):
        return
    raise BadRequest(
        "{fine_tune} needs validation images, which tell when to stop and whether it was worth it, and there "
        "are none. {remedy}",
        remedy="Add validation images."
        if dataset.has_given_sets
        else Message("Raise {validation_percentage}, or add images."),
    )
