"""Fine-tuning begins with the better of two frozen models: what random views alone gain is no gain of it."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from retraining.features.views import Views
from retraining.fine_tuning import frozen_start, recipe
from retraining.model import RetrainedModel
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.training import TrainingSettings
from tests.fine_tuning.conftest import ONE_STEP, made

VIEWS = Views(dataclasses.replace(recipe.VIEWS, distorted_views=2))
LONGER = TrainingSettings(how_many_training_steps=200)


def test_layer_trained_on_views_is_taken_if_it_is_better_on_the_validation_images(
    model: RetrainedModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chosen = frozen_start.better(model, VIEWS, LONGER, tmp_path)
    plain, viewed = frozen_start.validated(model), frozen_start.validated(chosen)
    assert viewed.cross_entropy < plain.cross_entropy
    assert chosen.extractor is model.extractor
    assert len(chosen.bottlenecks.training) == 2 * len(model.bottlenecks.training)
    assert caplog.messages[-1] == (
        f"A layer trained on random views of the images is better: validation loss {viewed.cross_entropy:.4f} "
        f"instead of {plain.cross_entropy:.4f}, with the network frozen."
    )


def test_model_itself_is_taken_if_views_are_no_better(model: RetrainedModel, tmp_path: Path) -> None:
    trained = RetrainedModel.train(model.bottlenecks, model.extractor, LONGER)
    assert frozen_start.better(trained, VIEWS, ONE_STEP, tmp_path) is trained


@pytest.mark.parametrize(
    "augmentation", [AugmentationSettings(flip_left_right=True), AugmentationSettings(distorted_views=0)]
)
def test_views_that_the_user_asked_for_are_not_computed_again(
    model: RetrainedModel, tmp_path: Path, augmentation: AugmentationSettings
) -> None:
    tuner = made(model, tmp_path, augmentation=augmentation)
    assert tuner.start is model
