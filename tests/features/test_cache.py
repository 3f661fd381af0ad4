from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.shard_index import Place, ShardIndex
from retraining.features.shards import SHARD_SIZE
from tests.conftest import MODULE_FEATURES


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def vector(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=MODULE_FEATURES).astype(np.float32)


def filled(folder: Path, extractor: FeatureExtractor, numbers: range) -> BottleneckCache:
    cache = BottleneckCache(folder, extractor)
    for number in numbers:
        cache.add(key(number), vector(number))
    cache.flush()
    return cache


def shards(cache: BottleneckCache) -> list[Path]:
    return sorted(cache.folder.glob("*.tfrecord"))


def test_later_run_reads_what_an_earlier_one_wrote(tmp_path: Path, extractor: FeatureExtractor) -> None:
    filled(tmp_path, extractor, range(SHARD_SIZE + 10))
    later = BottleneckCache(tmp_path, extractor)
    assert len(shards(later)) == 2
    for number in range(SHARD_SIZE + 10):
        np.testing.assert_array_equal(later.get(key(number)), vector(number))
    assert later.get(key(-1)) is None


def test_folder_is_named_after_module_and_fingerprint(tmp_path: Path, extractor: FeatureExtractor) -> None:
    cache = BottleneckCache(tmp_path, extractor)
    assert cache.folder == tmp_path / f"colour_grid-{extractor.fingerprint[:16]}"


def test_vectors_of_another_fingerprint_are_never_returned(
    tmp_path: Path, extractor: FeatureExtractor
) -> None:
    filled(tmp_path, extractor, range(3))
    other = dataclasses.replace(extractor, fingerprint="0" * 64)
    assert BottleneckCache(tmp_path, other).get(key(0)) is None


def test_full_shard_is_written_before_the_run_ends(tmp_path: Path, extractor: FeatureExtractor) -> None:
    cache = BottleneckCache(tmp_path, extractor)
    for number in range(SHARD_SIZE + 5):
        cache.add(key(number), vector(number))
    # Not flushed, as after kill -9.
    survivor = BottleneckCache(tmp_path, extractor)
    assert sum(survivor.get(key(number)) is not None for number in range(SHARD_SIZE + 5)) == SHARD_SIZE


@pytest.mark.parametrize("damage", ["flip", "cut", "cut between records", "empty"])
def test_only_the_damaged_shard_is_named_and_renamed(
    damage: str, tmp_path: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    filled(tmp_path, extractor, range(10))
    (damaged,) = shards(BottleneckCache(tmp_path, extractor))
    filled(tmp_path, extractor, range(10, 20))
    content = damaged.read_bytes()
    record = len(content) // 10
    damaged.write_bytes(
        {
            "flip": content[:500] + bytes([content[500] ^ 1]) + content[501:],
            "cut": content[:-7],
            "cut between records": content[:-record],
            "empty": b"",
        }[damage]
    )
    cache = BottleneckCache(tmp_path, extractor)
    (message,) = [entry.getMessage() for entry in caplog.records]
    assert message.startswith(f"bottleneck shard {damaged} is damaged (")
    assert message.endswith("); its vectors will be computed again.")
    assert [cache.get(key(number)) is not None for number in range(20)] == [False] * 10 + [True] * 10
    assert not damaged.exists()
    assert damaged.with_suffix(".damaged").exists()


def test_two_writers_to_one_folder_keep_each_others_vectors(
    tmp_path: Path, extractor: FeatureExtractor
) -> None:
    first, second = BottleneckCache(tmp_path, extractor), BottleneckCache(tmp_path, extractor)
    for number in range(10):
        first.add(key(number), vector(number))
        second.add(key(number + 5), vector(number + 5))
    first.flush()
    second.flush()
    both = BottleneckCache(tmp_path, extractor)
    for number in range(15):
        np.testing.assert_array_equal(both.get(key(number)), vector(number))


def test_other_files_are_left_alone(tmp_path: Path, extractor: FeatureExtractor) -> None:
    folder = filled(tmp_path, extractor, range(3)).folder
    (folder / "notes.txt").write_text("mine")
    (folder / "shard-v9.tfrecord").write_bytes(b"of a later version")
    BottleneckCache(tmp_path, extractor)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "shard-v9.tfrecord").read_bytes() == b"of a later version"


def test_rows_are_filled_with_the_vectors_of_their_keys(tmp_path: Path, extractor: FeatureExtractor) -> None:
    filled(tmp_path, extractor, range(SHARD_SIZE + 10))
    cache = filled(tmp_path, extractor, range(SHARD_SIZE + 5, SHARD_SIZE + 15))  # half of them again
    numbers = [3, 9999, SHARD_SIZE + 7, 3, 0, SHARD_SIZE + 2]
    rows = np.zeros((len(numbers), MODULE_FEATURES), np.float32)
    later = BottleneckCache(tmp_path, extractor)
    assert later.fill(rows, [key(number) for number in numbers]).tolist() == [True, False, *[True] * 4]
    expected = [vector(number) * (number != 9999) for number in numbers]
    np.testing.assert_array_equal(rows, expected)
    assert len(shards(cache)) == 3


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])])
def test_vectors_whose_shard_is_gone_or_cut_since_are_not_there(
    damage: Callable[[Path], object], tmp_path: Path, extractor: FeatureExtractor
) -> None:
    filled(tmp_path, extractor, range(3))
    cache = BottleneckCache(tmp_path, extractor)
    (shard,) = shards(cache)
    damage(shard)
    rows = np.zeros((3, MODULE_FEATURES), np.float32)
    assert not cache.fill(rows, [key(number) for number in range(3)])[2]
    assert cache.get(key(2)) is None


def test_shard_that_is_damaged_again_replaces_none_that_was_set_aside(
    tmp_path: Path, extractor: FeatureExtractor
) -> None:
    for content in (b"once", b"twice"):
        (shard,) = shards(filled(tmp_path, extractor, range(3)))
        shard.write_bytes(content)
    folder = BottleneckCache(tmp_path, extractor).folder
    assert {path.suffix: path.read_bytes() for path in folder.glob("*.damaged*")} == {
        ".damaged": b"once",
        ".damaged-2": b"twice",
    }


def test_shard_that_cannot_be_read_is_set_aside_and_not_replaced(
    tmp_path: Path, extractor: FeatureExtractor
) -> None:
    (shard,) = shards(filled(tmp_path, extractor, range(3)))
    content = shard.read_bytes()
    shard.unlink()
    shard.mkdir()
    filled(tmp_path, extractor, range(3))
    assert shard.read_bytes() == content
    assert shard.with_suffix(".damaged").is_dir()


def test_key_is_found_in_its_own_shard_even_while_that_is_taken_in() -> None:
    index = ShardIndex([(Path("old"), [key(0)])])
    places = []

    class AskedMeanwhile(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            for each in super().__iter__():
                yield each
                places.append(index.place(each))

    index.add(Path("new"), AskedMeanwhile([key(1), key(2)]))
    assert places == [Place(Path("new"), 0), Place(Path("new"), 1)]


def test_keys_that_end_in_zeros_are_told_apart(tmp_path: Path, extractor: FeatureExtractor) -> None:
    keys = [bytes(31) + b"\1", bytes(30) + b"\1\0", b"\1" + bytes(31)]
    written = BottleneckCache(tmp_path, extractor)
    for number, each in enumerate(keys):
        written.add(each, vector(number))
    written.flush()
    later = BottleneckCache(tmp_path, extractor)
    for cache in (written, later):
        for number, each in enumerate(keys):
            np.testing.assert_array_equal(cache.get(each), vector(number))
        assert cache.get(b"\1\1" + bytes(30)) is None
