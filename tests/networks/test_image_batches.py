from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.data import dataset
from retraining.data import images as image_files
from retraining.data.split import Split
from retraining.errors import WorkFailed
from retraining.networks import image_batches
from retraining.networks.image_batches import ImageBatch, UsableImages
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests.conftest import write_photo

SIZE = ImageSize(8, 8)


@pytest.fixture
def images(colour_photos: Path) -> UsableImages:
    return image_batches.usable_images(dataset.scan(DataSettings(colour_photos)))


def epoch(images: UsableImages, number: int, **views: Any) -> list[ImageBatch]:
    drawn = image_batches.shuffled_batches(
        images.images_in(Split.TRAINING),
        SIZE,
        20,
        augmentation=AugmentationSettings(**views),
        seed=(0, number),
    )
    return list(drawn)


def pixels_of(batches: list[ImageBatch]) -> set[bytes]:
    return {row.tobytes() for batch in batches for row in batch.pixels}


def test_each_epoch_shows_every_image_once_in_another_order(images: UsableImages) -> None:
    first, second = epoch(images, 0), epoch(images, 1)
    assert [len(batch.labels) for batch in first] == [18, 17, 17, 17]
    assert len(pixels_of(first)) == len(images.images_in(Split.TRAINING)) == 69
    assert pixels_of(first) == pixels_of(second)
    assert not np.array_equal(first[0].labels, second[0].labels)


def test_epoch_is_the_same_in_every_run(images: UsableImages) -> None:
    for one, two in zip(epoch(images, 3), epoch(images, 3), strict=True):
        assert np.array_equal(one.pixels, two.pixels)
        assert np.array_equal(one.labels, two.labels)


def test_labels_stay_with_their_images(images: UsableImages) -> None:
    items = images.images_in(Split.TESTING)
    (batch,) = image_batches.batches_in_order(items, SIZE, 100)
    assert list(batch.labels) == [item.label for item in items]
    for item, pixels in zip(items, batch.pixels, strict=True):
        assert np.array_equal(pixels, image_files.decode(image_files.read(item.path), SIZE))


def test_every_epoch_draws_new_views(images: UsableImages) -> None:
    first, second = (pixels_of(epoch(images, number, random_brightness=20)) for number in (0, 1))
    assert len(first) == 69
    assert not first & second


def test_files_that_are_not_images_are_left_out(
    colour_photos: Path, caplog: pytest.LogCaptureFixture
) -> None:
    broken = colour_photos / "cyan" / "broken.jpg"
    broken.write_bytes(b"GIF89a")
    with caplog.at_level(logging.WARNING):
        images = image_batches.usable_images(dataset.scan(DataSettings(colour_photos)))
    assert len(images.dataset.images) == 90
    assert caplog.messages[0].startswith(f"skipped {broken}: it is ")


def test_fingerprint_depends_on_contents_classes_and_sets(images: UsableImages, colour_photos: Path) -> None:
    settings = DataSettings(colour_photos)

    def fingerprint(settings: DataSettings = settings) -> str:
        return image_batches.usable_images(dataset.scan(settings)).fingerprint

    assert fingerprint() == images.fingerprint
    assert fingerprint(dataclasses.replace(settings, testing_percentage=20)) != images.fingerprint
    write_photo(colour_photos / "cyan" / "cyan_000.jpg", (0, 255, 0), seed=99)
    assert fingerprint() != images.fingerprint


def test_image_that_disappears_during_training_is_named(images: UsableImages) -> None:
    items = images.images_in(Split.TRAINING)
    items[0].path.unlink()
    with pytest.raises(WorkFailed) as caught:
        list(image_batches.batches_in_order(items, SIZE, 10))
    assert str(caught.value) == (
        f"{items[0].path} cannot be read (No such file or directory), although it could be read before. Run the command again."
    )
