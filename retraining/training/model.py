"""A trained model: an extractor, the new layer, and the labels."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from retraining.arrays import Batch, Pixels, Probabilities
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.inference.novelty import NoveltyDetector
from retraining.settings.formats import Format
from retraining.settings.training import TrainingSettings
from retraining.training import trainer
from retraining.training.class_results import ClassResult, class_results
from retraining.training.evaluation import Evaluation, evaluate
from retraining.training.softmax_layer import SoftmaxLayer
from retraining.training.trainer import Store, TrainingStep

if TYPE_CHECKING:
    from typing_extensions import Self

CHECKED_IMAGES = 32  # whose answers by the exported graph are compared with the model's


@dataclasses.dataclass(frozen=True)
class TrainedModel:
    """A trained image classifier: the extractor computes feature vectors, the layer class probabilities.

    `bottlenecks` are the feature vectors of the images that it was trained and tested on; `evaluation` is
    None if there are no test images. `temperature` is what the logits of the trained layer were divided by to
    calibrate its scores; `novelty` tells images that are unlike any class. `is_fine_tuned` is true if the
    extractor has learnt from the training images, too.
    """

    extractor: FeatureExtractor
    layer: SoftmaxLayer
    labels: tuple[str, ...]
    bottlenecks: Bottlenecks = dataclasses.field(repr=False)
    evaluation: Evaluation | None
    temperature: float = 1.0
    novelty: NoveltyDetector | None = dataclasses.field(default=None, repr=False)
    is_fine_tuned: bool = False

    @property
    def class_results(self) -> tuple[ClassResult, ...]:
        """How well each class does on the test images: the lowest recall first, untested classes last."""
        return class_results(self.bottlenecks.dataset, self.evaluation)

    @property
    def significant_bits(self) -> int | None:
        """How many bits are used in 16-bit images that do not record it; None if there were none."""
        return self.bottlenecks.dataset.significant_bits

    def probabilities(self, pixels: Pixels) -> Probabilities:
        """Return float32 [n, classes] for float32 [n, height, width, 3] in [0, 1], n <= BATCH_SIZE."""
        return self.layer.probabilities(self.extractor.extract(pixels))

    def for_export(self, formats: Sequence[Format]) -> TrainedModel:
        """Return what export to these formats needs of the model, little enough for another process.

        The graph is compared with the vectors of few images. Only other formats are tried on all of a set.
        """
        kept = self.bottlenecks.only_held_out(CHECKED_IMAGES)
        if not formats:
            kept = dataclasses.replace(kept, dataset=dataclasses.replace(kept.dataset, images=()))
        return TrainedModel(
            extractor=self.extractor,
            layer=self.layer,
            labels=self.labels,
            bottlenecks=kept,
            evaluation=self.evaluation,
            temperature=self.temperature,
            novelty=self.novelty,
            is_fine_tuned=self.is_fine_tuned,
        )

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
        """Return a model with a new layer, trained by `trainer.train` and then tested. Raises WorkFailed."""
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
        """Return the model with a layer that is already trained, tested on the test images."""
        evaluation = evaluate(layer, bottlenecks, settings)
        return cls(extractor, layer, bottlenecks.dataset.labels, bottlenecks, evaluation)
