"""What fine-tuning needs, checked before anything that takes long."""

from __future__ import annotations

from retraining.data.dataset import Dataset
from retraining.data.split import Split
from retraining.errors import BadModule, BadRequest, Message
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import blocks
from retraining.graphs.simplification import for_training
from retraining.settings.fine_tuning import FineTuningSettings


def check(dataset: Dataset, extractor: FeatureExtractor, settings: FineTuningSettings) -> None:
    """Raise BadRequest or BadModule if the settings ask for a fine-tuning that cannot be done."""
    if settings.fine_tune:
        check_images(dataset)
        settings.block_count(len(blocks_of(extractor)))


def check_images(dataset: Dataset) -> None:
    """Raise BadRequest if there are no validation images to choose a result by."""
    if any(image.split is Split.VALIDATION for image in dataset.images):
        return
    raise BadRequest(
        "{fine_tune} needs validation images, which tell when to stop and whether it was worth it, and there "
        "are none. {remedy}",
        remedy="Add images to the validation folder."
        if dataset.has_set_folders
        else Message("Raise {validation_percentage}, or add images."),
    )


def blocks_of(extractor: FeatureExtractor) -> tuple[blocks.Block, ...]:
    """Return the blocks of a network, the first ones first. Raises BadModule if there are none."""
    found = blocks.blocks_of(for_training(extractor.graph))
    if not found:
        raise BadModule(
            "module {module} has no convolutions whose weights could be trained. Leave out {fine_tune}.",
            module=extractor.name,
        )
    return found
