"""Each network, from random weights, learns flowers that differ only in shape, but not random labels."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retraining.data import dataset, sample_photos
from retraining.data.dataset import Dataset
from retraining.networks import image_batches
from retraining.networks.image_batches import UsableImages
from retraining.networks.trainer import Recipe, Training
from retraining.settings import architectures
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings

pytestmark = pytest.mark.soak

KINDS = ("sunflower", "tulip")
VIEWS = AugmentationSettings(flip_left_right=True, random_crop=10)


def thin(name: str, *, image_size: int, width: float, epochs: int, batch_size: int = 32) -> Recipe:
    return Recipe(name, "adam", None, epochs, batch_size, image_size, width, seed=0, augmentation=VIEWS)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        thin("alexnet", image_size=67, width=0.25, epochs=20),
        thin("googlenet", image_size=80, width=0.25, epochs=12),
        thin("vgg16", image_size=64, width=0.125, epochs=20),
        thin("resnet50", image_size=80, width=0.25, epochs=16, batch_size=16),
        thin("inception_v3", image_size=112, width=0.25, epochs=14, batch_size=16),
        thin("xception", image_size=80, width=0.125, epochs=12),
    )
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> UsableImages:
    folder = tmp_path_factory.mktemp("drawn")
    sample_photos.write(folder / "all", per_class=800, seed=1)
    for kind in KINDS:
        (folder / "two").mkdir(exist_ok=True)
        (folder / "all" / kind).rename(folder / "two" / kind)
    # About 330 test images: with 70, a single image could decide.
    settings = DataSettings(folder / "two", testing_percentage=20, validation_percentage=5)
    return image_batches.usable_images(dataset.scan(settings))


def final_accuracy(recipe: Recipe, images: UsableImages, folder: Path) -> float:
    curve = Training(recipe, images, folder).run()
    testing = curve.epochs[-1].testing
    assert testing is not None
    return testing.accuracy


@pytest.mark.parametrize("name", architectures.NAMES)
def test_drawn_flowers_are_learnt_from_random_weights(name: str, drawn: UsableImages, tmp_path: Path) -> None:
    assert final_accuracy(RECIPES[name], drawn, tmp_path) >= 0.9


@pytest.mark.parametrize("name", architectures.NAMES)
def test_random_labels_are_not_learnt(name: str, drawn: UsableImages, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPES[name], epochs=RECIPES[name].epochs // 2)
    assert final_accuracy(recipe, with_random_labels(drawn), tmp_path) < 0.6  # 0.5 is chance


def with_random_labels(images: UsableImages) -> UsableImages:
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(KINDS), size=len(images.dataset.images))
    relabelled = (
        image._replace(label=int(label)) for image, label in zip(images.dataset.images, drawn, strict=True)
    )
    return UsableImages(Dataset(images.dataset.labels, tuple(relabelled)), "random labels")
