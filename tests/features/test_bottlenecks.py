from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest

from retraining.data import dataset, images
from retraining.data.image_list import Known
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks, SkippedImage
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from tests import image_files
from tests.conftest import COLOURS, write_photo


def compute(folder: Path, extractor: FeatureExtractor, cache_dir: Path) -> Bottlenecks:
    cache = BottleneckCache(cache_dir, extractor)
    return bottlenecks.compute(dataset.scan(DataSettings(folder)), extractor, cache)


def by_path(result: Bottlenecks) -> dict[str, bytes]:
    sets = (result.training, result.validation, result.testing)
    return {
        str(path): row.tobytes()
        for images in sets
        for path, row in zip(images.paths, images.vectors, strict=True)
    }


class Counting:
    """Counts the images that extractors are given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images = 0
        extract = FeatureExtractor.extract

        def counted(extractor: FeatureExtractor, pixels: np.ndarray) -> np.ndarray:
            self.images += len(pixels)
            return extract(extractor, pixels)

        monkeypatch.setattr(FeatureExtractor, "extract", counted)


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)


def test_images_of_all_formats_get_vectors(extractor: FeatureExtractor, tmp_path: Path) -> None:
    files = image_files.usable()
    for number, (name, content) in enumerate(files.items()):
        path = tmp_path / "photos" / "ab"[number % 2] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    computed = compute(tmp_path / "photos", extractor, tmp_path / "cache")
    assert computed.skipped == ()
    assert len(by_path(computed)) == len(files)


def test_every_image_has_the_vector_of_its_own_pixels(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    result = compute(colour_photos, extractor, tmp_path / "cache")
    assert len(result.training) + len(result.validation) + len(result.testing) == 90
    for path, row in zip(result.training.paths, result.training.vectors, strict=True):
        pixels = images.decode(path.read_bytes(), extractor.image_size)
        np.testing.assert_array_equal(row, extractor.extract(pixels[np.newaxis])[0])
    labels = [result.dataset.labels[label] for label in result.training.labels]
    assert labels == [path.parent.name for path in result.training.paths]


def test_second_run_computes_nothing_and_gives_the_same(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    first = compute(colour_photos, extractor, tmp_path / "cache")
    assert counting.images == 90
    second = compute(colour_photos, extractor, tmp_path / "cache")
    assert counting.images == 90
    assert by_path(second) == by_path(first)


def test_renamed_and_moved_images_are_not_computed_again(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    compute(colour_photos, extractor, tmp_path / "cache")
    shutil.move(colour_photos, tmp_path / "moved")
    (tmp_path / "moved" / "cyan" / "cyan_000.jpg").rename(tmp_path / "moved" / "cyan" / "renamed.png")
    compute(tmp_path / "moved", extractor, tmp_path / "cache")
    assert counting.images == 90


def test_edited_image_is_computed_again_under_the_same_name(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    before = by_path(compute(colour_photos, extractor, tmp_path / "cache"))
    edited = colour_photos / "cyan" / "cyan_000.jpg"
    write_photo(edited, COLOURS["yellow"], seed=77)
    after = by_path(compute(colour_photos, extractor, tmp_path / "cache"))
    assert counting.images == 91
    assert {path for path in before if before[path] != after[path]} == {str(edited)}


def test_interrupted_run_keeps_its_vectors_and_the_next_run_gives_the_same_result_as_an_uninterrupted_one(
    colour_photos: Path,
    extractor: FeatureExtractor,
    tmp_path: Path,
    counting: Counting,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extract, calls = FeatureExtractor.extract, 0

    def interrupted(extractor: FeatureExtractor, pixels: np.ndarray) -> np.ndarray:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise KeyboardInterrupt
        return extract(extractor, pixels)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(FeatureExtractor, "extract", interrupted)
        compute(colour_photos, extractor, tmp_path / "cache")
    done = counting.images
    assert 0 < done < 90
    resumed = compute(colour_photos, extractor, tmp_path / "cache")
    assert counting.images == 90
    assert by_path(resumed) == by_path(compute(colour_photos, extractor, tmp_path / "another_cache"))


def test_files_that_are_not_images_are_skipped_and_named(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    broken = colour_photos / "cyan" / "broken.jpg"
    broken.write_bytes(b"<html>")
    empty = colour_photos / "magenta" / "empty.png"
    empty.touch()
    result = compute(colour_photos, extractor, tmp_path / "cache")
    assert result.skipped == (
        SkippedImage(str(broken), "is a web page, not an image"),
        SkippedImage(str(empty), "is empty"),
    )
    assert len(result.dataset.images) == 90
    assert broken not in [*result.training.paths, *result.validation.paths, *result.testing.paths]
    assert len(result.digests) == 90


def test_image_is_decoded_by_its_content_whatever_its_suffix(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    for index, suffix in enumerate((".JPG", ".png", "", ".txt")):
        (colour_photos / "cyan" / f"cyan_{index:03}.jpg").rename(
            colour_photos / "cyan" / f"odd_{index}{suffix}"
        )
    assert compute(colour_photos, extractor, tmp_path / "cache").skipped == ()


FLIPPED = AugmentationSettings(flip_left_right=True, random_crop=20, random_brightness=30, distorted_views=3)


def compute_views(
    folder: Path,
    extractor: FeatureExtractor,
    cache_dir: Path,
    augmentation: AugmentationSettings,
    seed: int = 0,
) -> Bottlenecks:
    cache = BottleneckCache(cache_dir, extractor)
    scanned = dataset.scan(DataSettings(folder))
    return bottlenecks.compute(scanned, extractor, cache, Views(augmentation, seed))


def test_only_training_images_get_random_views(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    plain = compute(colour_photos, extractor, tmp_path / "cache")
    augmented = compute_views(colour_photos, extractor, tmp_path / "cache", FLIPPED)
    assert len(augmented.training) == 3 * len(plain.training)
    assert [*augmented.training.paths] == [path for path in plain.training.paths for _ in range(3)]
    assert len({row.tobytes() for row in augmented.training.vectors}) == len(augmented.training)
    np.testing.assert_array_equal(augmented.testing.vectors, plain.testing.vectors)
    np.testing.assert_array_equal(augmented.validation.vectors, plain.validation.vectors)


def test_more_views_compute_only_the_new_ones_and_another_seed_all(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    three = compute_views(colour_photos, extractor, tmp_path / "cache", FLIPPED)
    training = len(three.training) // 3
    assert counting.images == 90 + 2 * training
    five = compute_views(
        colour_photos, extractor, tmp_path / "cache", dataclasses.replace(FLIPPED, distorted_views=5)
    )
    assert counting.images == 90 + 4 * training
    np.testing.assert_array_equal(
        five.training.vectors.reshape(training, 5, -1)[:, :3].reshape(-1, 48), three.training.vectors
    )
    compute_views(colour_photos, extractor, tmp_path / "cache", FLIPPED, seed=1)
    assert counting.images == 90 + 7 * training


def test_vector_does_not_depend_on_the_batch(extractor: FeatureExtractor) -> None:
    rng = np.random.default_rng(0)
    pixels = rng.random((20, 32, 32, 3), np.float32)
    together = extractor.extract(pixels)
    for index in (0, 7, 19):
        np.testing.assert_array_equal(extractor.extract(pixels[index : index + 1])[0], together[index])
    np.testing.assert_array_equal(extractor.extract(pixels[::-1]), together[::-1])


def test_cache_of_another_module_is_not_used(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    compute(colour_photos, extractor, tmp_path / "cache")
    compute(colour_photos, dataclasses.replace(extractor, fingerprint="f" * 64), tmp_path / "cache")
    assert counting.images == 180


def test_images_that_a_list_knows_have_the_vectors_that_were_computed_for_their_files(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    plain = compute(colour_photos, extractor, tmp_path / "cache")
    known = [
        image._replace(known=Known(digest))
        for image, digest in zip(plain.dataset.images, plain.digests, strict=True)
    ]
    known[3] = known[3]._replace(known=None)  # one whose file is read
    listed = dataclasses.replace(plain.dataset, images=tuple(known))
    for image in (*known[:3], *known[4:]):
        image.path.unlink()
    counting.images = 0
    again = bottlenecks.compute(listed, extractor, BottleneckCache(tmp_path / "cache", extractor))
    assert counting.images == 0
    assert by_path(again) == by_path(plain)
    assert (again.digests, again.training.keys, again.skipped) == (plain.digests, plain.training.keys, ())


def test_image_that_a_list_knows_is_computed_if_one_of_its_views_is_missing(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, counting: Counting
) -> None:
    augmented = compute_views(colour_photos, extractor, tmp_path / "whole", FLIPPED)
    cache = BottleneckCache(tmp_path / "part", extractor)
    for row, each in enumerate(augmented.training.keys[:-1]):
        cache.add(each, augmented.training.vectors[row])
    cache.flush()
    known = (
        image._replace(known=Known(digest))
        for image, digest in zip(augmented.dataset.images, augmented.digests, strict=True)
    )
    listed = dataclasses.replace(augmented.dataset, images=tuple(known))
    counting.images = 0
    cache = BottleneckCache(tmp_path / "part", extractor)
    again = bottlenecks.compute(listed, extractor, cache, Views(FLIPPED))
    assert counting.images == 1 + len(augmented.validation) + len(augmented.testing)
    assert by_path(again) == by_path(augmented)
