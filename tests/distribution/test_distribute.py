"""The whole program on Beam's runner within this process: its vectors, its lists, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining import distribute
from retraining.data import dataset
from retraining.distribution import photographs, places
from retraining.errors import WorkFailed
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests.conftest import write_colour_photos
from tests.deep_images import grey_tiff, in_bits, plate

AUGMENTED = AugmentationSettings(flip_left_right=True, random_brightness=20, distorted_views=3)
AUGMENTED_FLAGS = ("--flip_left_right", "--random_brightness=20", "--distorted_views=3", "--seed=5")


@pytest.fixture(scope="session")
def odd_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Photos of three classes, of which one is there three times, two are dark 16-bit images, and two no images."""
    folder = write_colour_photos(tmp_path_factory.mktemp("odd"), per_class=30)
    for number in range(2):
        shutil.copy(folder / "cyan" / "cyan_003.jpg", folder / "magenta" / f"copy_{number}.jpg")
        deep = in_bits(plate(is_above=True, seed=number), 10 + 2 * number)
        (folder / "yellow" / f"deep_{number}.tif").write_bytes(grey_tiff(deep))
    (folder / "cyan" / "broken.jpg").write_bytes(b"<html>")
    (folder / "yellow" / "empty.jpg").touch()
    return folder


def run(*words: object) -> int:
    return distribute.main([*map(str, words)])


def compute(photos: Path, extractor: FeatureExtractor, cache: Path, views: Views) -> Bottlenecks:
    """Return the vectors as retrain.py computes them."""
    return bottlenecks.compute(
        dataset.scan(DataSettings(photos)), extractor, BottleneckCache(cache, extractor), views
    )


def shards(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.glob("*/*.tfrecord")}


def assert_same(one: Bottlenecks, other: Bottlenecks) -> None:
    for split in ("training", "validation", "testing"):
        np.testing.assert_array_equal(getattr(one, split).vectors, getattr(other, split).vectors)
        assert getattr(one, split).keys == getattr(other, split).keys


@pytest.mark.parametrize(
    ("views", "flags"), [(Views(), ()), (Views(AUGMENTED, 5), AUGMENTED_FLAGS)], ids=["plain", "augmented"]
)
def test_vectors_are_those_of_retrain_which_then_computes_none(
    views: Views,
    flags: tuple[str, ...],
    odd_photos: Path,
    tf2_module: Path,
    extractor: FeatureExtractor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = compute(odd_photos, extractor, tmp_path / "own", views)
    words = ("--image_dir", odd_photos, "--tfhub_module", tf2_module, "--bottleneck_dir", tmp_path / "cache")
    assert run(*words, *flags) == 0
    first = shards(tmp_path / "cache")

    def refuse(*_: object) -> None:
        raise AssertionError("everything is in the cache")

    monkeypatch.setattr(FeatureExtractor, "extract", refuse)
    found = compute(odd_photos, extractor, tmp_path / "cache", views)
    assert_same(found, own)
    assert found.skipped == own.skipped
    assert "so they are read as 12-bit." in capsys.readouterr().out

    # The list alone is enough, also after the photos are gone.
    monkeypatch.setattr("retraining.data.images.read", refuse)
    listed = dataset.scan(DataSettings(image_list=tmp_path / "cache" / "image_list.jsonl"))
    assert listed.significant_bits == 12
    cache = BottleneckCache(tmp_path / "cache", extractor)
    assert_same(bottlenecks.compute(listed, extractor, cache, views), own)
    assert shards(tmp_path / "cache") == first
