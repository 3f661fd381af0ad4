"""What a run writes in the end, in one go: graph, labels, checkpoint and other formats."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from retraining.export.judgement import Judgement
    from retraining.settings.formats import Format
    from retraining.settings.output import OutputSettings
    from retraining.training.model import TrainedModel


@dataclasses.dataclass(frozen=True)
class Outputs:
    """What was written.

    `graph` is the serialized graph of the classifier, which agreed with the model on `checked_images`;
    `judgements` tell how the files in other formats do.
    """

    graph: bytes
    checked_images: int
    judgements: tuple[Judgement, ...]


def write(
    model: TrainedModel, settings: OutputSettings, formats: tuple[Format, ...], *, seed: int
) -> Outputs:
    """Write the files in `settings`, all or none, and then the classifier in other formats beside them.

    A format that fails is warned of and left out; `seed` draws the training images for those that need some.
    Raises WorkFailed.
    """
    # Imported here, so that a process which is to call this function starts sooner.
    from retraining.export import classifier_graph, exporter, writer
    from retraining.graphs import graph_file

    graph = classifier_graph.of_model(
        model, settings.final_tensor_name, float32_weights=settings.float32_weights
    )
    checked = writer.write_all(graph, model, settings)
    judgements = exporter.write_formats(model, graph, formats, settings.output_graph, seed=seed)
    return Outputs(graph_file.encode(graph), checked, tuple(judgements))
