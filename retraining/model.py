"""The model that a notebook holds: a trained model that predicts and exports itself."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Batch, Pixels
from retraining.assessment import calibration, findings
from retraining.assessment.assessment import Assessment, assess
from retraining.export import classifier_graph
from retraining.export.exporter import Exporter
from retraining.features import near_duplicates
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.inference.image_classifier import ImageClassifier, Prediction
from retraining.inference.novelty_run import NoveltyRun
from retraining.inference.sources import ImageSource
from retraining.report import page
from retraining.report.notebook import Report
from retraining.report.subject import Run, Subject
from retraining.runtimes import requirements
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.formats import format_of
from retraining.settings.output import OutputSettings
from retraining.settings.training import TrainingSettings
from retraining.storage import labels_file
from retraining.storage.atomic_files import replacing
from retraining.training import training_curve
from retraining.training.learning_curve import Epoch
from retraining.training.model import TrainedModel
from retraining.training.trainer import Store, TrainingStep
from retraining.training.training_curve import CurvePoint

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclasses.dataclass(frozen=True, repr=False)
class RetrainedModel(TrainedModel):
    """An image classifier: a pretrained extractor, the new layer trained on its vectors, and the labels.

    Rooms below this one know it as a TrainedModel; what needs the rooms above training is added here.
    `assessment` is what its calibration comes from; `curve` has its metrics while it was trained,
    at each `curve_unit`.
    """

    assessment: Assessment | None = None
    curve: tuple[CurvePoint, ...] = ()
    curve_unit: str = "step"

    def __repr__(self) -> str:
        tested = "no test images"
        if self.evaluation is not None:
            tested = f"test accuracy {self.evaluation.accuracy:.1%} (N={self.evaluation.count})"
        return f"<RetrainedModel of {self.extractor.name}, {len(self.labels)} labels, {tested}>"

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
        """Return a model with a new layer, as TrainedModel does, and with the curve of its training."""
        curve: list[CurvePoint] = []

        def record(step: TrainingStep) -> None:
            curve.append(CurvePoint.of_step(step))
            if on_report is not None:
                on_report(step)

        model = super().train(
            bottlenecks, extractor, settings, batches=batches, store=store, on_report=record
        )
        return dataclasses.replace(model, curve=tuple(curve))

    def with_epochs(self, epochs: Sequence[Epoch]) -> Self:
        """Return the model with the curve of its fine-tuning."""
        return dataclasses.replace(self, curve=training_curve.of_epochs(epochs), curve_unit="epoch")

    def with_assessment(self, assessment: Assessment | None) -> Self:
        """Return the model with calibrated scores and a detector of unknown images; its answers stay.

        Without an assessment it is the model as it is.
        """
        if assessment is None:
            return self
        temperature = assessment.calibration.temperature
        return dataclasses.replace(
            self,
            layer=calibration.divided(self.layer, temperature),
            temperature=temperature,
            novelty=assessment.novelty,
            assessment=assessment,
        )

    @functools.cached_property
    def classifier(self) -> ImageClassifier:
        """The model as a classifier of images."""
        return ImageClassifier(
            run=self.probabilities,
            labels=self.labels,
            size=self.extractor.image_size,
            batch_size=BATCH_SIZE,
            significant_bits=self.significant_bits,
            novelty=NoveltyRun(self._scores_and_vectors, self.novelty) if self.novelty else None,
        )

    def _scores_and_vectors(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return float32 [n, classes + feature_size] for float32 [n, height, width, 3] in [0, 1]."""
        vectors = self.extractor.extract(pixels)
        return np.concatenate([self.layer.probabilities(vectors), vectors], axis=1)

    def predict(
        self, images: ImageSource | Iterable[ImageSource], *, best: int | None = None
    ) -> list[list[Prediction]]:
        """Return for each image its (label, score) pairs, best first: all of them, or the `best` ones.

        An image is a path, the bytes of a file, a Pillow image, or an array: uint8 [height, width, 3] of 0
        to 255, or floating point of that shape in [0, 1]. Scores are probabilities. Raises BadImage.
        """
        return self.classifier.predict(images, best=best)

    def report(self) -> Report:
        """Return a page on what the model knows and what it gets wrong: shown in a notebook, or `save`d."""
        assessment = self.assessment
        if assessment is None:  # the layer was trained elsewhere, and its scores are left as they are
            assessment = assess(
                self, TrainingSettings(calibrate=False), NearDuplicates(), frozen=self.bottlenecks
            )
        if assessment.near.search is None:  # as `train` leaves it, which does not read the images again
            near = near_duplicates.find(self.bottlenecks)
            assessment = dataclasses.replace(assessment, near=near)
        found = findings.find(self, assessment)
        return Report(
            page.render([Subject(found.network, found, Run(curve=self.curve, curve_unit=self.curve_unit))])
        )

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        format: str | None = None,
        labels: str | os.PathLike[str] | None = None,
        final_tensor_name: str = OutputSettings.final_tensor_name,
        float32_weights: bool = OutputSettings.float32_weights,
        seed: int = TrainingSettings.seed,
    ) -> Path:
        """Write the model to `path` and its labels to `labels`, and return the path.

        `format` is a name of `retraining.settings.formats.FORMATS`, by default the one that the path ends
        like ('.pb' for a frozen graph, no suffix for a SavedModel); 'tflite-int8' draws training images by
        `seed`. By default the labels go beside it, to
        `NAME_labels.txt`. With `float32_weights` those in half precision are written as float32, which
        OpenCV's dnn needs. What was written is read back and compared with the model before it takes its
        place. Raises BadRequest for an unknown format, and WorkFailed.
        """
        place = Path(path).expanduser()
        chosen = format_of(place, format)
        requirements.check_formats([chosen])
        graph = classifier_graph.of_model(self, final_tensor_name, float32_weights=float32_weights)
        exporter = Exporter.of_model(self, graph, seed=seed)
        listed = Path(labels).expanduser() if labels is not None else labels_file.default_path(place)
        with replacing(listed) as beside:
            beside.write_bytes(labels_file.encode(self.labels))
            exporter.write(chosen, place)
        return place
