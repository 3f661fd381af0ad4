"""The blocks of an extractor's network, of which the last ones are trained."""

from __future__ import annotations

from retraining.errors import BadModule
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import blocks
from retraining.graphs.blocks import Block
from retraining.graphs.simplification import for_training
from retraining.settings.fine_tuning import FineTuningSettings


def check(extractor: FeatureExtractor, settings: FineTuningSettings) -> None:
    """Raise BadRequest or BadModule if the settings ask for what this network does not allow."""
    if settings.fine_tune:
        settings.block_count(len(of(extractor)))


def of(extractor: FeatureExtractor) -> tuple[Block, ...]:
    """Return the blocks, the one nearest to the images first. Raises BadModule if there are none."""
    found = blocks.blocks_of(for_training(extractor.graph))
    if not found:
        raise BadModule(
            "module {module} has no convolutions whose weights could be trained. Leave out {fine_tune}.",
            module=extractor.name,
        )
    return found
