"""The whole program on Beam's runner within this process: its vectors, its lists, and what it says."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from retraining import distribute
from retraining.data import dataset
from retraining.distribution import places, shard_files
from retraining.distribution.copies import MOST
from retraining.errors import WorkFailed
from retraining.features import bottlenecks
from retraining.features import shards as shard_format
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests.conftest import write_colour_photos
from tests.deep_images import grey_tiff, in_bits, plate
from tests.distribution.shards import zipped

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
    photo = (folder / "cyan" / "cyan_004.jpg").read_bytes()
    for number in range(MOST + 2):
        (folder / "cyan" / f"half_{number:02}.jpg").write_bytes(photo[: len(photo) // 2])
    (folder / "yellow" / "empty.jpg").touch()
    return folder


def run(*words: object) -> int:
    return distribute.main([*map(str, words)])


def to_compute(photos: Path, module: Path, folder: Path) -> tuple[object, ...]:
    """Return the flags for photos whose vectors go to `cache` in a folder."""
    return "--image_dir", photos, "--tfhub_module", module, "--bottleneck_dir", folder / "cache"


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
    ("views", "flags"),
    [
        pytest.param(Views(), (), id="plain"),
        pytest.param(Views(AUGMENTED, 5), AUGMENTED_FLAGS, id="augmented", marks=pytest.mark.soak),
    ],
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
    words = to_compute(odd_photos, tf2_module, tmp_path)
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


@pytest.mark.soak
def test_run_over_a_half_filled_cache_computes_the_rest_and_the_vectors_of_damaged_shards(
    odd_photos: Path,
    tf2_module: Path,
    extractor: FeatureExtractor,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    own = compute(odd_photos, extractor, tmp_path / "own", Views())
    half = tmp_path / "half"
    shutil.copytree(odd_photos / "cyan", half / "cyan")
    shutil.copytree(odd_photos / "magenta", half / "magenta")
    cache = BottleneckCache(tmp_path / "cache", extractor)
    bottlenecks.compute(dataset.scan(DataSettings(half)), extractor, cache)
    for key in (key for key in own.training.keys if cache.get(key) is None):
        cache.add(key, own.training.vectors[own.training.keys.index(key)])
    cache.flush()
    damaged = min(cache.folder.glob("*.tfrecord"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    capsys.readouterr()

    halves = sorted((odd_photos / "cyan").glob("half_*.jpg"))
    lists = tmp_path / "lists"
    words = to_compute(odd_photos, tf2_module, tmp_path)
    assert run(*words, "--output_dir", lists, "--strict") == 1
    printed = capsys.readouterr()
    assert printed.err.splitlines() == [
        f"warning: bottleneck shard {damaged} is damaged (truncated record at "
        f"{printed.err.split('record at ')[1].split(')')[0]}); its vectors were computed again.",
        f"warning: skipped {odd_photos / 'cyan' / 'broken.jpg'}: it is a web page, not an image.",
        *(f"warning: skipped {path}: it is cut short." for path in halves),
        f"warning: skipped {odd_photos / 'yellow' / 'empty.jpg'}: it is empty.",
        f"distribute: error: {len(halves) + 2} files cannot be used, listed in '{lists / 'skipped_images.csv'}', and --strict is on. "
        "Fix or remove what is listed, or turn --strict off.",
    ]
    assert f"{96 + len(halves)} images" in printed.out
    assert sorted(path.name for path in lists.iterdir()) == ["image_list.jsonl", "skipped_images.csv"]
    assert (lists / "skipped_images.csv").read_text().splitlines() == [
        "path,reason",
        f'{odd_photos / "cyan" / "broken.jpg"},"is a web page, not an image"',
        *(f"{path},is cut short" for path in halves),
        f"{odd_photos / 'yellow' / 'empty.jpg'},is empty",
    ]
    assert damaged.with_suffix(".damaged").exists()
    keys = [key for content in shards(tmp_path / "cache").values() for key in keys_in(content, extractor)]
    assert len(keys) == len(set(keys)) == len({*own.training.keys, *own.validation.keys, *own.testing.keys})


def keys_in(content: bytes, extractor: FeatureExtractor) -> list[bytes]:
    layout = shard_format.layout(extractor.feature_size)
    return [bytes(key) for key in np.frombuffer(content, layout)["key"]]


def test_list_keeps_its_sets_and_may_name_files_in_archives_and_known_ones_that_are_not_there(
    tf2_module: Path, extractor: FeatureExtractor, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=4)
    plain = compute(photos, extractor, tmp_path / "cache", Views())
    rows = [
        {"path": f"photos/{image.path.parent.name}/{image.path.name}", "label": "colour", "set": "testing"}
        for image in plain.dataset.images
    ]
    rows[0] |= {"path": "gone.jpg", "sha256": plain.digests[0].hex(), "set": "validation"}
    del rows[1]["set"]
    (tmp_path / "a.zip").write_bytes(zipped({"2.jpg": plain.dataset.images[2].path.read_bytes()}))
    rows[2]["path"] = "a.zip!/2.jpg"
    listed = tmp_path / "list.jsonl"
    listed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("--image_list", listed, "--tfhub_module", tf2_module, "--bottleneck_dir", tmp_path / "cache")
    assert run(*words, "--output_dir", tmp_path / "lists") == 0
    printed = capsys.readouterr()
    assert "0 bottlenecks computed, 12 found in the cache, 0 of duplicates computed once." in printed.out
    assert printed.out.endswith(
        f"retrain.py --image_list {tmp_path / 'lists' / 'image_list.jsonl'} --tfhub_module {tf2_module} "
        f"--bottleneck_dir {tmp_path / 'cache'}\n"
    )
    written = [
        json.loads(line) for line in (tmp_path / "lists" / "image_list.jsonl").read_text().splitlines()
    ]
    expected = [
        row | {"path": str(tmp_path / row["path"]), "sha256": digest.hex()}
        for row, digest in zip(rows, plain.digests, strict=True)
    ]
    expected[1]["set"] = "training"
    assert written == expected


def test_bad_lines_of_a_list_are_named_before_any_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.csv"
    listed.write_text("path,label\na.jpg,a\nb.jpg,\n")
    assert run("--image_list", listed, "--bottleneck_dir", tmp_path / "cache") == 2
    assert capsys.readouterr().err == (
        f"distribute: error: --image_list '{listed}' has 1 line that cannot be used: line 3 has no label. "
        "Correct or remove it.\n"
    )
    assert not list((tmp_path / "cache").rglob("*.*"))


def test_dry_run_shows_the_steps_and_writes_nothing(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = to_compute(colour_photos, tf2_module, tmp_path)
    assert (
        run(*words, "--dry_run", "--direct_num_workers", "2", "--direct_running_mode", "multi_processing")
        == 0
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "Found 90 images."
    assert lines[2] == "Would run on DirectRunner (multi_processing, 2 workers), in 2 groups:"
    assert lines[5:7] == ["  read images", "  largest values"]
    assert [path for path in (tmp_path / "cache").rglob("*") if "networks" not in str(path)] == []


@pytest.mark.soak
def test_error_of_a_worker_ends_the_run_with_one_line_that_names_the_flag(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def refuse(path: str, _: bytes) -> None:
        raise WorkFailed("'{path}' cannot be written: {reason}.", path=path, reason="No space left on device")

    monkeypatch.setattr(shard_files.ShardFiles, "mark", lambda _: None)
    write = places.write
    monkeypatch.setattr(
        places,
        "write",
        lambda path, content: (refuse if path.endswith(".tfrecord") else write)(path, content),
    )
    words = to_compute(colour_photos, tf2_module, tmp_path)
    assert run(*words) == 1
    (folder,) = (tmp_path / "cache").glob("colour_grid-*")
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"distribute: error: feature vectors cannot be written to '{folder}': No space left on device. Those written "
        "earlier are kept. Free some space, or set --bottleneck_dir to another folder, and run again."
    )
