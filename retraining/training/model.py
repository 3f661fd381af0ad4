"""What a retraining makes: an extractor, a new layer, and the labels that the layer tells apart."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from retraining.arrays import Batch, Pixels, Probabilities
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.settings.training import TrainingSettings
from retraining.training import trainer
from retraining.training.evaluation import Evaluation, evaluate
from retraining.training.softmax_layer import SoftmaxLayer
from retraining.training.trainer import Store, TrainingStep

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained image classifier: from images to feature vectors, and from those to class probabilities.

    `bottlenecks` are the feature vectors of the images that it was trained and tested on; `evaluation` is
    None if no class has a test image.
    """

    extractor: FeatureExtractor
    layer: SoftmaxLayer
    labels: tuple[str, ...]
    bottlenecks: Bottlenecks = dataclasses.field(repr=False)
    evaluation: Evaluation | None

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Return float32 [n, classes] for float32 [n, height, width, 3] in [0, 1], n <= BATCH_SIZE."""
        return self.layer.probabilities(self.extractor.extract(pixels))

    @classmethod
    def train(
        cls,
        bottlenecks: Bottlenecks,
        extractor: FeatureExtractor,
        settings: TrainingSettings,
        *,
        batches: Iterable[Batch] | None = None,
        store: Store | None = None,
        on_report: Callable[[TrainingStep], None] | None = None,
    ) -> Self:
        """Return the model of a new layer, trained as `trainer.train` says and tested. Raises WorkFailed."""
        layer = trainer.train(bottlenecks, settings, batches=batches, store=store, on_report=on_report)
        return cls.of_layer(layer, bottlenecks, extractor, settings)

    @classmethod
    def of_layer(
        cls,
        layer: SoftmaxLayer,
        bottlenecks: Bottlenecks,
        extractor: FeatureExtractor,
        settings: TrainingSettings,
    ) -> Self:
        """Return the model of a layer that is trained already, tested on the test images."""
        evaluation = evaluate(layer, bottlenecks, settings)
        return cls(extractor, layer, bottlenecks.dataset.labels, bottlenecks, evaluation)
