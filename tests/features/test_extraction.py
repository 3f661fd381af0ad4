"""The steps as another engine would call them: files to vectors in the cache, in any order and batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from retraining.data import dataset, images
from retraining.data.split import Split
from retraining.features import bottlenecks, cache, extraction
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests.conftest import write_colour_photos

AUGMENTED = Views(AugmentationSettings(flip_left_right=True, random_brightness=20, distorted_views=3), seed=5)


@pytest.mark.parametrize("views", [Views(), AUGMENTED], ids=["plain", "augmented"])
def test_vectors_of_another_engine_are_all_that_a_run_needs_and_equal_to_its_own(
    views: Views, extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = dataset.scan(DataSettings(write_colour_photos(tmp_path / "photos")))
    own = bottlenecks.compute(found, extractor, BottleneckCache(tmp_path / "own", extractor), views)

    folder = BottleneckCache(tmp_path / "engine", extractor).folder
    waiting: list[tuple[bytes, np.ndarray]] = []
    for image in reversed(found.images):  # in another order, and so in other batches
        content = image.path.read_bytes()
        keys = views.keys(image.split, images.digest(content))
        size = extractor.image_size
        pixels = extraction.decode(content, keys, split=image.split, size=size, views=views)
        waiting += zip(keys, pixels, strict=True)
    for start in range(0, len(waiting), BATCH_SIZE):
        batch = waiting[start : start + BATCH_SIZE]
        extracted = extraction.extract(extractor, [pixels for _, pixels in batch])
        assert extracted.are_finite.all()
        named = {key: vector for (key, _), vector in zip(batch, extracted.vectors, strict=True)}
        cache.write_shard(folder, named)

    def refuse(*_: object) -> None:
        raise AssertionError("everything is in the cache")

    monkeypatch.setattr(FeatureExtractor, "extract", refuse)
    read = bottlenecks.compute(found, extractor, BottleneckCache(tmp_path / "engine", extractor), views)
    for split in ("training", "validation", "testing"):
        np.testing.assert_array_equal(getattr(read, split).vectors, getattr(own, split).vectors)
    assert len(read.training) == views.count(Split.TRAINING) * sum(
        image.split is Split.TRAINING for image in found.images
    )
