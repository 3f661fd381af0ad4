"""Retrain a pretrained image network on a folder of images, one sub-folder per class.

Public names are imported when they are first used, so that `import retraining` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retraining.api import (
        compute_bottlenecks,
        list_modules,
        load_classifier,
        load_extractor,
        retrain,
        scan,
        train,
    )
    from retraining.data.dataset import Dataset, Split
    from retraining.errors import BadImage, BadModule, BadRequest, UserError, WorkFailed
    from retraining.features.bottleneck_sets import Bottlenecks
    from retraining.features.extractor import FeatureExtractor
    from retraining.inference.image_classifier import ImageClassifier, Prediction
    from retraining.model import RetrainedModel
    from retraining.training.evaluation import Evaluation
    from retraining.training.trainer import TrainingStep

_HOMES = {
    "BadImage": "errors",
    "BadModule": "errors",
    "BadRequest": "errors",
    "Bottlenecks": "features.bottleneck_sets",
    "Dataset": "data.dataset",
    "Evaluation": "training.evaluation",
    "FeatureExtractor": "features.extractor",
    "ImageClassifier": "inference.image_classifier",
    "Prediction": "inference.image_classifier",
    "RetrainedModel": "model",
    "Split": "data.dataset",
    "TrainingStep": "training.trainer",
    "UserError": "errors",
    "WorkFailed": "errors",
    "compute_bottlenecks": "api",
    "list_modules": "api",
    "load_classifier": "api",
    "load_extractor": "api",
    "retrain": "api",
    "scan": "api",
    "train": "api",
}

__all__ = ["__version__", *_HOMES]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
