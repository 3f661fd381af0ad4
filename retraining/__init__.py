"""Retrain a pretrained image network on a folder of images, one sub-folder per class.

Public names are imported when they are first used, so that `import retraining` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retraining.api import compute_bottlenecks as compute_bottlenecks
    from retraining.api import list_modules as list_modules
    from retraining.api import load_classifier as load_classifier
    from retraining.api import load_extractor as load_extractor
    from retraining.api import retrain as retrain
    from retraining.api import scan as scan
    from retraining.api import train as train
    from retraining.data.dataset import Dataset as Dataset
    from retraining.data.split import Split as Split
    from retraining.errors import BadImage as BadImage
    from retraining.errors import BadModule as BadModule
    from retraining.errors import BadRequest as BadRequest
    from retraining.errors import UserError as UserError
    from retraining.errors import WorkFailed as WorkFailed
    from retraining.features.bottleneck_sets import Bottlenecks as Bottlenecks
    from retraining.features.extractor import FeatureExtractor as FeatureExtractor
    from retraining.inference.image_classifier import ImageClassifier as ImageClassifier
    from retraining.inference.image_classifier import Prediction as Prediction
    from retraining.model import RetrainedModel as RetrainedModel
    from retraining.training.evaluation import Evaluation as Evaluation
    from retraining.training.trainer import TrainingStep as TrainingStep

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
    "Split": "data.split",
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
    return sorted(__all__)  # what completion in a notebook offers
