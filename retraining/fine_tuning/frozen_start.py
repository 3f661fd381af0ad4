"""The frozen model that fine-tuning begins with, and has to beat."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import TypeVar

from retraining.arrays import Batch
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.views import Views
from retraining.fine_tuning.trainer import rank
from retraining.settings.training import TrainingSettings
from retraining.training.metrics import Metrics, measure
from retraining.training.model import TrainedModel

AnyModel = TypeVar("AnyModel", bound=TrainedModel)

log = logging.getLogger(__name__)


def better(model: AnyModel, views: Views, training: TrainingSettings, bottleneck_dir: Path) -> AnyModel:
    """Return the model, or one whose layer was trained on random views if that is better on validation.

    Fine-tuning trains on such views too, and what is due to them should not be called a gain of it. They cost
    little: their vectors are computed once and kept in the cache. Raises WorkFailed.
    """
    cache = BottleneckCache(bottleneck_dir, model.extractor)
    vectors = bottlenecks.compute(model.bottlenecks.dataset, model.extractor, cache, views)
    vectors = dataclasses.replace(vectors, skipped=model.bottlenecks.skipped + vectors.skipped)
    on_views = type(model).train(vectors, model.extractor, training)
    plain, viewed = validated(model), validated(on_views)
    if rank(viewed) <= rank(plain):
        return model
    log.info(
        "A layer trained on random views of the images is better: validation loss %.4f instead of %.4f, "
        "with the network frozen.",
        viewed.cross_entropy,
        plain.cross_entropy,
    )
    return on_views


def validated(model: TrainedModel) -> Metrics:
    """Return the metrics of a model on its validation images, of which it has at least one."""
    validation = model.bottlenecks.validation
    return measure(model.layer, Batch(validation.vectors, validation.labels))
