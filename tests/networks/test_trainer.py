from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.data import dataset
from retraining.data.dataset import Dataset
from retraining.networks import construction, image_batches
from retraining.networks.image_batches import UsableImages
from retraining.networks.trainer import Recipe, Training
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import LEARNING_RATES
from retraining.settings.data import DataSettings
from retraining.training.learning_curve import Epoch, LearningCurve
from tests.conftest import write_colour_photos

THIN = Recipe("alexnet", "adam", None, epochs=4, batch_size=16, image_size=67, width=0.05, seed=0)


class Killed(Exception):
    """Stands for the end of a process."""


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> UsableImages:
    folder = write_colour_photos(tmp_path_factory.mktemp("colours"))
    return image_batches.usable_images(dataset.scan(DataSettings(folder)))


def trained(recipe: Recipe, images: UsableImages, folder: Path) -> tuple[Any, LearningCurve]:
    training = Training(recipe, images, folder)
    return training.network, training.run()


@dataclasses.dataclass(frozen=True)
class Finished:
    """A training that was not interrupted: its recipe is THIN, its images are `colours`."""

    folder: Path
    network: Any
    curve: LearningCurve


@pytest.fixture(scope="module")
def finished(colours: UsableImages, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    return Finished(folder, *trained(THIN, colours, folder))


def killed_after(epochs: int, recipe: Recipe, images: UsableImages, folder: Path) -> None:
    def kill(number: int, _epoch: Epoch, _network: Any) -> None:
        if number + 1 == epochs:
            raise Killed

    with pytest.raises(Killed):
        Training(recipe, images, folder).run(kill)


def without_times(curve: LearningCurve) -> list[Epoch]:
    return [dataclasses.replace(epoch, seconds=0) for epoch in curve.epochs]


@pytest.mark.parametrize(
    "optimizer",
    [pytest.param(name, marks=() if name == "adam" else pytest.mark.soak) for name in LEARNING_RATES],
)
def test_colours_are_learnt_with_each_optimizer(
    colours: UsableImages, tmp_path: Path, optimizer: str
) -> None:
    recipe = dataclasses.replace(THIN, optimizer=optimizer, epochs=6)
    _, curve = trained(recipe, colours, tmp_path)
    assert curve.epochs[-1].testing is not None
    assert curve.epochs[-1].testing.accuracy == 1
    assert curve.epochs[-1].training.cross_entropy < curve.epochs[0].training.cross_entropy / 2


def test_random_labels_are_not_learnt(colours: UsableImages, tmp_path: Path) -> None:
    _, curve = trained(dataclasses.replace(THIN, epochs=8), shuffled_labels(colours), tmp_path)
    assert curve.epochs[-1].testing is not None
    assert curve.epochs[-1].testing.accuracy < 0.75


@pytest.mark.soak
def test_auxiliary_heads_are_trained_too(colours: UsableImages, tmp_path: Path) -> None:
    recipe = dataclasses.replace(THIN, name="googlenet", epochs=1)
    training = Training(recipe, colours, tmp_path)
    before = {weight.path: weight.numpy() for weight in training.network.trainable_weights}
    training.run()
    changed = {
        weight.path
        for weight in training.network.trainable_weights
        if (weight.numpy() != before[weight.path]).any()
    }
    assert changed == before.keys()
    assert {"head0_softmax/kernel", "head1_bottleneck_pre_relu/kernel"} <= changed


def test_run_that_was_killed_gives_the_same_result_as_one_that_was_not(
    finished: Finished, colours: UsableImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_after(3, THIN, colours, tmp_path)
    with caplog.at_level(logging.INFO):
        again, resumed = trained(THIN, colours, tmp_path)
    assert caplog.messages == ["alexnet-adam: 3 of 4 epochs were already done."]
    assert without_times(resumed) == pytest.approx(without_times(finished.curve))
    for one, two in zip(finished.network.weights, again.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), two.numpy(), rtol=1e-4, atol=1e-6, err_msg=one.path)


def test_finished_training_is_only_read(finished: Finished, colours: UsableImages) -> None:
    training = Training(THIN, colours, finished.folder)
    written = training.path.stat().st_mtime_ns
    assert training.run() == finished.curve
    assert training.path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(training.network.get_weights()[0], finished.network.get_weights()[0])


def test_file_can_be_read_as_a_network(finished: Finished) -> None:
    (path,) = finished.folder.iterdir()
    network = construction.read_network(path, name="alexnet")
    np.testing.assert_array_equal(network.get_weights()[0], finished.network.get_weights()[0])


def test_damaged_file_gives_a_warning_and_training_starts_again(
    colours: UsableImages, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    killed_after(1, THIN, colours, tmp_path)
    (path,) = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-100])
    with caplog.at_level(logging.WARNING):
        assert Training(THIN, colours, tmp_path).epochs == []
    assert caplog.messages[0].startswith(f"weights '{path}' were not written by compare")
    assert caplog.messages[0].endswith("Training starts again from the first epoch.")


def test_other_recipes_and_images_have_their_own_files(colours: UsableImages) -> None:
    keys = {
        THIN.key(colours),
        dataclasses.replace(THIN, epochs=5).key(colours),
        dataclasses.replace(THIN, seed=1).key(colours),
        THIN.key(dataclasses.replace(colours, fingerprint="0")),
    }
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("recipe", "key"),
    [
        (THIN, "6708ea685979"),
        (
            Recipe(
                "googlenet",
                "sgd",
                0.005,
                epochs=30,
                batch_size=32,
                image_size=224,
                width=1.0,
                seed=7,
                augmentation=AugmentationSettings(
                    flip_left_right=True, random_crop=10.0, random_brightness=2.5, distorted_views=4
                ),
            ),
            "d1fb7b97b582",
        ),
    ],
    ids=["without augmentation", "with augmentation"],
)
def test_key_is_the_one_that_earlier_versions_wrote_files_under(recipe: Recipe, key: str) -> None:
    images = UsableImages(Dataset(("a", "b"), ()), fingerprint="0123abcd")
    assert recipe.key(images) == key


def shuffled_labels(images: UsableImages) -> UsableImages:
    rng = np.random.default_rng(0)
    labels = rng.permutation([image.label for image in images.dataset.images])
    relabelled = [
        image._replace(label=int(label)) for image, label in zip(images.dataset.images, labels, strict=True)
    ]
    return UsableImages(Dataset(images.dataset.labels, tuple(relabelled)), "shuffled")
