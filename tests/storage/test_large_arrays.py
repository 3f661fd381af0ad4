from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from retraining.data import dataset
from retraining.errors import WorkFailed
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.settings.data import DataSettings
from retraining.storage import large_arrays
from tests.features.test_bottlenecks import by_path


def test_small_array_is_in_memory(tmp_path: Path) -> None:
    small = large_arrays.allocate(1000, 20, tmp_path / "cache")
    assert not isinstance(small, np.memmap)
    assert small.shape == (1000, 20)
    assert small.dtype == np.float32
    assert not (tmp_path / "cache").exists()


def test_array_beyond_its_share_of_memory_is_in_a_file_without_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(large_arrays, "memory", lambda: 100_000)
    large = large_arrays.allocate(1000, 20, tmp_path / "cache")
    assert isinstance(large, np.memmap)
    assert list((tmp_path / "cache").iterdir()) == []
    large[:] = np.arange(20)
    np.testing.assert_array_equal(large[[5, 999]], [np.arange(20)] * 2)


def test_array_of_more_than_a_gibibyte_is_in_a_file_however_much_memory_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(large_arrays, "memory", lambda: 1 << 50)
    assert large_arrays.fits_in_memory(1 << 30)
    assert not large_arrays.fits_in_memory((1 << 30) + 1)


def test_memory_is_what_the_machine_and_its_container_allow() -> None:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    assert 1 << 28 < large_arrays.memory() <= physical


def test_disk_without_room_for_the_array_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large_arrays, "memory", lambda: 100_000)
    with pytest.raises(WorkFailed) as caught:
        large_arrays.allocate(1 << 40, 1000, tmp_path)
    assert str(caught.value).startswith(
        f"the feature vectors of 1,099,511,627,776 images need 4096000.0 GiB, and there is no room for them in "
        f"'{tmp_path}': "
    )
    assert str(caught.value).endswith(". Set bottleneck_dir to another folder.")


def test_vectors_are_the_same_in_memory_and_in_a_file(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (colour_photos / "cyan" / "broken.jpg").write_bytes(b"<html>")
    (colour_photos / "yellow" / "a.jpg").write_bytes(b"")
    scanned = dataset.scan(DataSettings(colour_photos))
    in_memory = bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / "a", extractor))
    monkeypatch.setattr(large_arrays, "memory", lambda: 1000)
    mapped = bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / "b", extractor))
    assert isinstance(mapped.training.vectors, np.memmap)
    assert by_path(mapped) == by_path(in_memory)
    assert len(by_path(mapped)) == 90
