"""Images that show nearly the same: found, reported in every door, and kept in one set."""

from __future__ import annotations

import copy
import csv
import dataclasses
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrain
import retraining
from retraining import compare
from retraining.data import dataset, likeness
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.image_list import Known
from retraining.data.split import Split, split_of
from retraining.errors import BadRequest
from retraining.features import bottlenecks, duplicates, grouping, near_duplicates
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.near_duplicates import NearDuplicates, Search
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.module import BUILTIN_SMALL, ModuleSettings
from tests.near_images import ALTERED, picture, save, save_altered

CLASSES = ("odd", "even")
PICTURES = 30
PERCENTAGES = {"validation_percentage": 10, "testing_percentage": 10}


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of different pictures; of each third picture there are altered copies."""
    folder = tmp_path_factory.mktemp("near") / "photos"
    for seed in range(PICTURES):
        image = picture(seed)
        path = save(image, folder / CLASSES[seed % 2] / f"{seed:02}.jpg")
        if seed % 3 == 0:
            save_altered(image, path.parent, path.stem)
    return folder


@pytest.fixture(scope="module")
def extractor() -> FeatureExtractor:
    """The built-in module: the colour grid of other tests does not know a mirrored image again."""
    return load_extractor(ModuleSettings(BUILTIN_SMALL))


@pytest.fixture(scope="module")
def cache(extractor: FeatureExtractor, tmp_path_factory: pytest.TempPathFactory) -> BottleneckCache:
    return BottleneckCache(tmp_path_factory.mktemp("cache"), extractor)


@pytest.fixture(scope="module")
def computed(photos: Path, extractor: FeatureExtractor, cache: BottleneckCache) -> Bottlenecks:
    return bottlenecks.compute(dataset.scan(DataSettings(photos)), extractor, cache)


def names(groups: Iterable[Iterable[str]]) -> set[frozenset[str]]:
    return {frozenset(Path(file).name for file in group) for group in groups}


def expected() -> set[frozenset[str]]:
    sources = [f"{seed:02}" for seed in range(0, PICTURES, 3)]
    return {frozenset((f"{name}.jpg", *(f"{name}_{kind}.jpg" for kind in ALTERED))) for name in sources}


def test_altered_copies_are_found_and_nothing_else(computed: Bottlenecks) -> None:
    assert names(near_duplicates.find(computed).groups) == expected()


def test_noise_of_one_colour_is_not_grouped(
    extractor: FeatureExtractor, cache: BottleneckCache, colour_photos: Path
) -> None:
    found = bottlenecks.compute(dataset.scan(DataSettings(colour_photos)), extractor, cache)
    assert near_duplicates.find(found).groups == ()


def test_groups_depend_on_no_order(
    computed: Bottlenecks, extractor: FeatureExtractor, cache: BottleneckCache
) -> None:
    images = computed.dataset.images
    shuffled = tuple(images[number] for number in np.random.default_rng(0).permutation(len(images)))
    again = bottlenecks.compute(dataclasses.replace(computed.dataset, images=shuffled), extractor, cache)
    assert near_duplicates.find(again) == near_duplicates.find(computed)


def test_random_views_of_training_images_serve_as_well(
    computed: Bottlenecks, extractor: FeatureExtractor, cache: BottleneckCache
) -> None:
    settings = AugmentationSettings(flip_left_right=True, random_brightness=10, distorted_views=4)
    varied = bottlenecks.compute(computed.dataset, extractor, cache, Views(settings))
    assert len(varied.training) == 4 * len(computed.training)
    assert names(near_duplicates.find(varied).groups) == expected()


def test_file_that_has_vanished_since_is_left_out(
    extractor: FeatureExtractor, cache: BottleneckCache, tmp_path: Path
) -> None:
    for seed in (1, 2):
        for kind in "ab":
            save(picture(seed), tmp_path / kind / f"{seed}.jpg", quality=90 + ord(kind) % 4)
    found = bottlenecks.compute(dataset.scan(DataSettings(tmp_path)), extractor, cache)
    (tmp_path / "a" / "1.jpg").unlink()
    assert names(near_duplicates.find(found).groups) == {frozenset({"2.jpg"})}


def test_identical_copies_go_with_the_near_duplicates_of_their_image(
    extractor: FeatureExtractor, cache: BottleneckCache, tmp_path: Path
) -> None:
    for name in ("a/1.jpg", "b/2.jpg"):
        save(picture(1), tmp_path / name)
    save(ALTERED["mirrored"](picture(1)), tmp_path / "a" / "3.jpg")
    found = bottlenecks.compute(dataset.scan(DataSettings(tmp_path)), extractor, cache)
    assert names(near_duplicates.find(found).groups) == {frozenset({"1.jpg", "2.jpg", "3.jpg"})}


def test_one_false_link_joins_no_groups_and_a_chain_ends() -> None:
    """Three pictures with a copy each, and two links that are wrong."""
    small = [np.asarray(picture(seed).resize((likeness.SIDE, likeness.SIDE))) for seed in (1, 1, 2, 2, 3, 3)]
    links = np.array([[1, 0], [3, 2], [5, 4], [2, 1], [4, 3]])
    assert near_duplicates.grouped(links, np.stack(small)) == [[0, 1], [2, 3], [4, 5]]


def test_group_goes_to_the_set_of_its_smallest_content_and_others_stay(computed: Bottlenecks) -> None:
    near = near_duplicates.find(computed).groups
    before, after = computed.dataset, grouping.kept_together(computed.dataset, computed.digests, near)
    digest_of = {image.file: digest for image, digest in zip(before.images, computed.digests, strict=True)}
    old = {image.file: image.split for image in before.images}
    new = {image.file: image.split for image in after.images}
    for group in near:
        leader = min(group, key=digest_of.__getitem__)
        assert {new[file] for file in group} == {old[leader]}
    alone = set(old) - {file for group in near for file in group}
    assert {file: new[file] for file in alone} == {file: old[file] for file in alone}
    assert [image.file for image in before.images] == [image.file for image in after.images]
    assert old != new


def test_identical_files_in_a_moved_folder_go_to_the_same_set() -> None:
    def grouped(folder: str) -> list[Split]:
        items = [
            LabelledImage(f"{folder}/{name}", label, split)
            for name, label, split in (
                ("b/2.jpg", 1, Split.TRAINING),
                ("b/9.jpg", 1, Split.TRAINING),
                ("a/1.jpg", 0, Split.TRAINING),
                ("a/z.jpg", 0, Split.TESTING),
            )
        ]
        found = Dataset(("a", "b"), tuple(items))
        digests = [b"same", b"other", b"third", b"same"]
        return [image.split for image in grouping.kept_together(found, digests, ()).images]

    assert grouped("x") == grouped("moved") == [Split.TRAINING] * 4


def test_class_that_would_lose_its_training_images_is_refused() -> None:
    items = (
        LabelledImage("a/1.jpg", 0, Split.TESTING),
        LabelledImage("a/2.jpg", 0, Split.TRAINING),
        LabelledImage("b/3.jpg", 1, Split.TRAINING),
    )
    with pytest.raises(BadRequest) as caught:
        grouping.kept_together(Dataset(("a", "b"), items), [b"1", b"2", b"3"], (("a/1.jpg", "a/2.jpg"),))
    assert str(caught.value) == (
        "group_near_duplicates leaves class 'a' without training images: nearly all of its images show the same. "
        "Turn it off, or add images that differ."
    )


def test_sets_that_are_folders_are_not_regrouped(tmp_path: Path) -> None:
    found = Dataset(("a", "b"), (), has_given_sets=True)
    dataset.check_grouping(found, DataSettings(tmp_path))
    with pytest.raises(BadRequest) as caught:
        dataset.check_grouping(found, DataSettings(tmp_path, group_near_duplicates=True))
    assert str(caught.value) == (
        f"group_near_duplicates would move images between sets, but '{tmp_path}' says which set each is in. "
        "Turn it off, or give the images without sets."
    )


def named(split: Split) -> str:
    """Return a name whose hash puts it into a set."""
    return next(f"{n}.jpg" for n in range(1000) if split_of(f"{n}.jpg", **PERCENTAGES) is split)


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    """Pictures of which one is altered in another class, one in another set, and one beside itself."""
    folder = tmp_path / "photos"
    for label, name in enumerate(CLASSES):
        for number in range(20):
            save(picture(100 * label + number), folder / name / f"p{number}.jpg")
    save(ALTERED["resized"](picture(1)), folder / "even" / "x.jpg")
    trained = [n for n in range(2, 20) if split_of(f"p{n}.jpg", **PERCENTAGES) is Split.TRAINING]
    save(ALTERED["cropped"](picture(trained[0])), folder / "odd" / named(Split.TESTING))
    save(ALTERED["brightened"](picture(trained[1])), folder / "odd" / named(Split.TRAINING))
    return folder


def lines(photos: Path, rest: str, *, switch: str) -> list[str]:
    """Return the warnings that are expected for `mixed`."""
    trained = [n for n in range(2, 20) if split_of(f"p{n}.jpg", **PERCENTAGES) is Split.TRAINING]
    leaked = sorted(
        [f"{photos}/odd/{named(Split.TESTING)}' (testing", f"{photos}/odd/p{trained[0]}.jpg' (training"]
    )
    return [
        "conflict: 1 group of images that show nearly the same is in several classes, such as "
        f"'{photos}/even/x.jpg' and '{photos}/odd/p1.jpg': {rest}. Keep each group in one class.",
        "leak: 1 group of images that show nearly the same is in several sets, such as "
        f"'{leaked[0]}) and '{leaked[1]}): {rest}. The test accuracy will be too optimistic. Turn {switch} on to "
        "keep each group in one set.",
        f"1 group of images that show nearly the same is within one class and set: {rest}.",
    ]


def test_retrain_warns_and_lists_them(
    mixed: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = {
        "--image_dir": mixed,
        "--tfhub_module": tf2_module,
        "--bottleneck_dir": tmp_path / "b",
        "--summaries_dir": tmp_path / "logs",
        "--output_graph": tmp_path / "g.pb",
        "--output_labels": tmp_path / "l.txt",
        "--checkpoint_path": tmp_path / "c",
        "--how_many_training_steps": 2,
    }
    words = [str(word) for pair in flags.items() for word in pair]
    assert retrain.main(words) == 0
    listing = tmp_path / "logs" / "duplicate_images.csv"
    warnings = [line for line in capsys.readouterr().err.splitlines() if "nearly" in line]
    assert warnings == [
        f"warning: {line}" for line in lines(mixed, f"see '{listing}'", switch="--group_near_duplicates")
    ]
    with listing.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["group", "kind", "class", "set", "path"]
    assert [row[:3] for row in rows[1:]] == [
        ["1", "near conflict", "even"],
        ["1", "near conflict", "odd"],
        ["2", "near leak", "odd"],
        ["2", "near leak", "odd"],
        ["3", "near copy", "odd"],
        ["3", "near copy", "odd"],
    ]
    assert retrain.main([*words, "--group_near_duplicates"]) == 0
    assert "leak" not in capsys.readouterr().err
    with listing.open(newline="") as file:
        rows = list(csv.reader(file))[1:]
    sets = [{row[3] for row in rows if row[0] == group} for group in "123"]
    assert [len(found) for found in sets] == [1, 1, 1]


def test_python_warns_and_groups(
    mixed: Path, tf2_module: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    settings: dict[str, Any] = {"tfhub_module": str(tf2_module), "bottleneck_dir": tmp_path / "b"}
    retraining.retrain(mixed, how_many_training_steps=2, **settings)
    found = [message for message in caplog.messages if "nearly" in message]
    assert found == lines(mixed, "not listed here", switch="group_near_duplicates")
    caplog.clear()
    retraining.retrain(mixed, how_many_training_steps=2, group_near_duplicates=True, **settings)
    assert not [message for message in caplog.messages if message.startswith("leak")]
    assert [message for message in caplog.messages if message.startswith("Near-duplicates are kept")]


@pytest.mark.parametrize("model", ["module", pytest.param("alexnet", marks=pytest.mark.soak)])
def test_compare_warns_and_lists_them(
    model: str, mixed: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = compare_words(mixed, str(tf2_module) if model == "module" else model, tmp_path)
    assert compare.main(words) == 0
    listing = tmp_path / "compared" / "duplicate_images.csv"
    printed = capsys.readouterr().err
    for line in lines(mixed, f"see '{listing}'", switch="--group_near_duplicates"):
        assert f"warning: {line}\n" in printed
    assert listing.read_text().count("near ") == 6


def test_compare_groups_them(
    mixed: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = compare_words(mixed, str(tf2_module), tmp_path)
    assert compare.main([*words, "--group_near_duplicates"]) == 0
    printed = capsys.readouterr()
    assert "leak" not in printed.err
    assert "Near-duplicates are kept in one set: " in printed.out


def compare_words(mixed: Path, models: str, tmp_path: Path) -> list[str]:
    flags = {
        "--image_dir": mixed,
        "--models": models,
        "--epochs": 1,
        "--image_size": 67,
        "--width": 0.05,
        "--how_many_training_steps": 2,
        "--bottleneck_dir": tmp_path / "b",
        "--output_dir": tmp_path / "compared",
    }
    return [str(word) for pair in flags.items() for word in pair]


def test_remedy_for_sets_that_are_folders_is_another(caplog: pytest.LogCaptureFixture) -> None:
    items = (LabelledImage("a/1.jpg", 0, Split.TRAINING), LabelledImage("a/2.jpg", 0, Split.TESTING))
    found = duplicates.nearly(Dataset(("a",), items), (("a/1.jpg", "a/2.jpg"),))
    duplicates.warn_of_near(found, "see 'x.csv'", has_given_sets=True)
    assert caplog.messages == [
        "leak: 1 group of images that show nearly the same is in several sets, such as 'a/1.jpg' (training) and "
        "'a/2.jpg' (testing): see 'x.csv'. The test accuracy will be too optimistic. Keep each group in one set."
    ]


def test_of_many_images_some_are_looked_up_among_all_and_the_log_says_so(
    computed: Bottlenecks, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level("INFO")
    total = len(computed.dataset.images)
    monkeypatch.setattr(near_duplicates, "MOST_IMAGES", total - 1)
    monkeypatch.setattr(near_duplicates, "LOOKED_UP", total - 1)
    found, again = near_duplicates.find(computed), near_duplicates.find(computed)
    assert found == again
    assert len(found.groups) > len(expected()) / 2
    assert all(any(group <= whole for whole in expected()) for group in names(found.groups))
    assert found.search == near_duplicates.Search(total - 1, total)
    count = len(ALTERED) * len(expected())
    some = int(caplog.messages[0].split("among all; ")[1].split()[0])
    assert 0.8 * count < some < 1.2 * count
    assert caplog.messages[0] == (
        f"Near-duplicates: {total - 1} of {total} images, chosen by the hash of their content, were looked up "
        f"among all; {some} have some ({some / (total - 1):.1%}). Turn group_near_duplicates on to find all of "
        "them, for which nearly every image is read again."
    )
    assert names(near_duplicates.find(computed, tmp_path).groups) == expected()


def test_images_that_cannot_be_read_are_counted(
    extractor: FeatureExtractor, cache: BottleneckCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    for seed in (1, 2):
        save(picture(seed), tmp_path / "ab"[seed - 1] / f"{seed}.jpg")
    found = bottlenecks.compute(dataset.scan(DataSettings(tmp_path)), extractor, cache)
    for image in found.dataset.images:
        image.path.unlink()
    caplog.clear()
    assert near_duplicates.find(found).search == near_duplicates.Search(2, 2, unread=2)
    assert caplog.messages == [
        "Near-duplicates: 2 images that may be some cannot be read here, and were not compared."
    ]


def test_images_that_are_elsewhere_are_counted_and_all_others_compared(
    extractor: FeatureExtractor, cache: BottleneckCache, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """One is an address, one is gone, and one has changed since the list was made; a copy of one is here."""
    for seed, kind in itertools.product(range(1, 6), "ab"):
        save(picture(seed), tmp_path / kind / f"{seed}.jpg", quality=90 + ord(kind) % 4)
    (tmp_path / "a" / "again.jpg").write_bytes((tmp_path / "a" / "1.jpg").read_bytes())
    found = bottlenecks.compute(dataset.scan(DataSettings(tmp_path)), extractor, cache)
    listed = {
        image.file: image._replace(known=Known(digest))
        for image, digest in zip(found.dataset.images, found.digests, strict=True)
    }
    for name in ("a/1.jpg", "a/2.jpg"):
        file = str(tmp_path / name)
        listed[file] = listed[file]._replace(file=f"gs://bucket/{name}")
    (tmp_path / "a" / "3.jpg").unlink()
    save(picture(4), tmp_path / "a" / "4.jpg", quality=50)
    found = dataclasses.replace(
        found, dataset=dataclasses.replace(found.dataset, images=tuple(listed.values()))
    )
    caplog.set_level("INFO")
    caplog.clear()
    near = near_duplicates.find(found)
    assert {frozenset(group) for group in near.groups} == {
        frozenset(("gs://bucket/a/1.jpg", str(tmp_path / "a/again.jpg"), str(tmp_path / "b/1.jpg"))),
        frozenset((str(tmp_path / "a/5.jpg"), str(tmp_path / "b/5.jpg"))),
    }
    assert near.search == Search(8, 8, unread=3)
    assert caplog.messages == [
        "Near-duplicates: 3 images that may be some cannot be read here, and were not compared."
    ]


def test_nothing_is_told_of_images_that_are_all_elsewhere(
    computed: Bottlenecks, caplog: pytest.LogCaptureFixture
) -> None:
    images = tuple(
        image._replace(file=f"gs://bucket/{image.path.name}", known=Known(digest))
        for image, digest in zip(computed.dataset.images, computed.digests, strict=True)
    )
    away = dataclasses.replace(computed, dataset=dataclasses.replace(computed.dataset, images=images))
    caplog.set_level("INFO")
    near = near_duplicates.find(away)
    assert near == NearDuplicates((), Search(0, 0, unread=len(images)))
    assert copy.deepcopy(near) == near
    assert caplog.messages == [
        f"Near-duplicates: {len(images)} images that may be some cannot be read here, and were not compared."
    ]
