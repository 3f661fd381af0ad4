from __future__ import annotations

import dataclasses
import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.data import dataset, images
from retraining.data.split import Split
from retraining.errors import WorkFailed
from retraining.networks import image_batches
from retraining.networks.image_batches import ImageBatch, UsableImages
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests.conftest import write_photo

SIZE = ImageSize(8, 8)


@pytest.fixture
def found(colour_photos: Path) -> UsableImages:
    return image_batches.usable(dataset.scan(DataSettings(colour_photos)))


def epoch(found: UsableImages, number: int, **views: Any) -> list[ImageBatch]:
    drawn = image_batches.shuffled(
        found.of(Split.TRAINING), SIZE, 20, views=AugmentationSettings(**views), seed=(0, number)
    )
    return list(drawn)


def pixels_of(batches: list[ImageBatch]) -> set[bytes]:
    return {row.tobytes() for batch in batches for row in batch.pixels}


def test_each_epoch_shows_every_image_once_in_another_order(found: UsableImages) -> None:
    first, second = epoch(found, 0), epoch(found, 1)
    assert [len(batch.labels) for batch in first] == [18, 17, 17, 17]
    assert len(pixels_of(first)) == len(found.of(Split.TRAINING)) == 69
    assert pixels_of(first) == pixels_of(second)
    assert not np.array_equal(first[0].labels, second[0].labels)


def test_epoch_is_the_same_in_every_run(found: UsableImages) -> None:
    for one, two in zip(epoch(found, 3), epoch(found, 3), strict=True):
        assert np.array_equal(one.pixels, two.pixels)
        assert np.array_equal(one.labels, two.labels)


def test_labels_go_with_their_images(found: UsableImages) -> None:
    items = found.of(Split.TESTING)
    (batch,) = image_batches.in_order(items, SIZE, 100)
    assert list(batch.labels) == [item.label for item in items]
    for item, pixels in zip(items, batch.pixels, strict=True):
        assert np.array_equal(pixels, images.decode(images.read(item.path), SIZE))


def test_views_are_drawn_anew_in_every_epoch(found: UsableImages) -> None:
    first, second = (pixels_of(epoch(found, number, random_brightness=20)) for number in (0, 1))
    assert len(first) == 69
    assert not first & second


def test_files_that_are_no_images_are_left_out(colour_photos: Path, caplog: pytest.LogCaptureFixture) -> None:
    broken = colour_photos / "cyan" / "broken.jpg"
    broken.write_bytes(b"GIF89a")
    with caplog.at_level(logging.WARNING):
        found = image_batches.usable(dataset.scan(DataSettings(colour_photos)))
    assert len(found.dataset.images) == 90
    assert caplog.messages[0].startswith(f"skipped {broken}: it is ")


def test_fingerprint_is_that_of_contents_classes_and_sets(found: UsableImages, colour_photos: Path) -> None:
    options = DataSettings(colour_photos)

    def fingerprint(options: DataSettings = options) -> str:
        return image_batches.usable(dataset.scan(options)).fingerprint

    assert fingerprint() == found.fingerprint
    assert fingerprint(dataclasses.replace(options, testing_percentage=20)) != found.fingerprint
    write_photo(colour_photos / "cyan" / "cyan_000.jpg", (0, 255, 0), seed=99)
    assert fingerprint() != found.fingerprint


def test_image_that_goes_while_training_is_named(found: UsableImages) -> None:
    items = found.of(Split.TRAINING)
    items[0].path.unlink()
    with pytest.raises(WorkFailed) as caught:
        list(image_batches.in_order(items, SIZE, 10))
    assert str(caught.value) == (
        f"{items[0].path} cannot be read (No such file or directory), and could be read before. Run again."
    )
