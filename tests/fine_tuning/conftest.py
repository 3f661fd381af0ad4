"""A model whose layer has hardly been trained, so that fine-tuning has something to gain."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from retraining.data import dataset
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.fine_tuning.tuner import FineTuned, Tuner
from retraining.model import RetrainedModel
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.training import TrainingSettings
from tests import toy_networks
from tests.conftest import write_colour_photos

ONE_STEP = TrainingSettings(how_many_training_steps=1)


@pytest.fixture(scope="session")
def toy() -> FeatureExtractor:
    return toy_networks.extractor(toy_networks.residual)


@pytest.fixture(scope="session")
def toy_vectors(toy: FeatureExtractor, tmp_path_factory: pytest.TempPathFactory) -> Bottlenecks:
    photos = write_colour_photos(tmp_path_factory.mktemp("tuned") / "photos", per_class=20)
    scanned = dataset.scan(DataSettings(photos, testing_percentage=20, validation_percentage=20))
    return bottlenecks.compute(scanned, toy, BottleneckCache(tmp_path_factory.mktemp("cache"), toy))


@pytest.fixture(scope="session")
def model(toy: FeatureExtractor, toy_vectors: Bottlenecks) -> RetrainedModel:
    return RetrainedModel.train(toy_vectors, toy, ONE_STEP)


class Tuned(NamedTuple):
    """The result of the tuner's usual settings, and the folder of its bottlenecks."""

    result: FineTuned[RetrainedModel]
    folder: Path


def made(
    model: RetrainedModel,
    folder: Path,
    *,
    views: int = 2,
    augmentation: AugmentationSettings | None = None,
    **given: Any,
) -> Tuner[RetrainedModel]:
    """Return a tuner of the last block for 4 epochs, if no other settings are given."""
    usual = {"fine_tune": True, "fine_tune_epochs": 4, "fine_tune_blocks": 1, "fine_tune_learning_rate": 0.03}
    return Tuner(
        model,
        FineTuningSettings(**{**usual, **given}),
        augmentation=augmentation or AugmentationSettings(distorted_views=views),
        training=ONE_STEP,
        bottleneck_dir=folder,
    )


@pytest.fixture(scope="session")
def tuned(model: RetrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    folder = tmp_path_factory.mktemp("bottlenecks")
    return Tuned(made(model, folder).run(), folder)


@pytest.fixture
def tuner(model: RetrainedModel, tmp_path: Path) -> Callable[..., Tuner[RetrainedModel]]:
    """Return what makes a tuner as `made` does, by default of the model and with a folder of its own."""

    def make(
        *, folder: Path = tmp_path / "bottlenecks", trained: RetrainedModel = model, **given: Any
    ) -> Tuner[RetrainedModel]:
        return made(trained, folder, **given)

    return make
