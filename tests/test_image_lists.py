"""Lists of images from the command line and from Python: the graph of the folder, and no image opened needlessly."""

from __future__ import annotations

import csv
import dataclasses
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrain
import retraining
from retraining import compare, relabel
from retraining.data import dataset, images
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.image_list import Known, ListedImage, to_json
from retraining.data.split import Split
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.sorting import suspected_labels
from retraining.sorting.suspected_labels import SuspectedLabel
from tests.conftest import write_colour_photos
from tests.deep_images import write_plates
from tests.test_retrain import words


def written(found: Dataset, path: Path, known: dict[str, Known]) -> Path:
    """Write the list of a data set, in no order, with what is known of its files."""
    lines = [
        to_json(ListedImage(image.file, found.labels[image.label], known=known.get(image.file)))
        for image in found.images
    ]
    random.Random(1).shuffle(lines)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def known_of(result: Bottlenecks, bits: int | None = None) -> dict[str, Known]:
    """Return what is known of images, all of them with the number of bits that was decided if there is one."""
    return {
        image.file: Known(digest) if bits is None else Known(digest, bits, decided=True)
        for image, digest in zip(result.dataset.images, result.digests, strict=True)
    }


def computed(
    source: DataSettings, extractor: FeatureExtractor, folder: Path, views: Views | None = None
) -> Bottlenecks:
    return bottlenecks.compute(dataset.scan(source), extractor, BottleneckCache(folder, extractor), views)


def assert_same_vectors(some: Bottlenecks, others: Bottlenecks) -> None:
    for name in ("training", "validation", "testing"):
        one, other = getattr(some, name), getattr(others, name)
        assert (one.keys, list(one.labels)) == (other.keys, list(other.labels))
        np.testing.assert_array_equal(one.vectors, other.vectors)
    assert some.digests == others.digests


def test_list_gives_the_graph_of_the_folder_and_with_checksums_without_the_images(
    tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    few = ("--how_many_training_steps", "20")
    assert retrain.main(words(photos, tmp_path, *few, module=tf2_module)) == 0
    graph = (tmp_path / "graph.pb").read_bytes()
    printed = capsys.readouterr()

    found = dataset.scan(DataSettings(photos))
    lists = [
        written(found, tmp_path / "plain.jsonl", {}),
        written(
            found,
            tmp_path / "known.jsonl",
            {image.file: Known(images.digest(image.path.read_bytes())) for image in found.images},
        ),
    ]
    for path in lists:
        given = words(photos, tmp_path, *few, module=tf2_module)
        given[given.index("--image_dir") : given.index(str(photos)) + 1] = ["--image_list", str(path)]
        assert retrain.main(given) == 0
        assert (tmp_path / "graph.pb").read_bytes() == graph
        again = capsys.readouterr()
        assert again.err == printed.err
        assert "bottlenecks computed" not in again.out
        shutil.rmtree(photos, ignore_errors=True)  # the second list does without
    assert "The graph was read back and agrees on made-up images: no test image could be opened." in again.out
    assert f"--image {photos}" in printed.out
    assert "--image photo.jpg\n" in again.out  # no image is here to name


def test_image_that_a_list_knows_is_only_opened_for_a_vector_that_is_missing(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=8)
    of_folder = computed(DataSettings(photos), extractor, tmp_path / "cache")
    path = written(of_folder.dataset, tmp_path / "list.jsonl", known_of(of_folder))
    changed, gone = (str(image.path) for image in of_folder.dataset.images[:2])
    shutil.copy(of_folder.dataset.images[2].path, changed)
    Path(gone).unlink()

    from_cache = computed(DataSettings(image_list=path), extractor, tmp_path / "cache")
    assert_same_vectors(from_cache, of_folder)

    read = computed(DataSettings(image_list=path), extractor, tmp_path / "another")
    assert {str(image.path): image.reason for image in read.skipped} == {
        changed: "has changed since the list was made (its SHA-256 differs)",
        gone: "cannot be read (No such file or directory)",
    }
    assert len(read.dataset.images) == 22


def test_image_in_a_store_without_a_vector_is_skipped_with_the_reason(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=8)
    known = known_of(computed(DataSettings(photos), extractor, tmp_path / "cache"))
    found = dataset.scan(DataSettings(photos))
    image, *rest = found.images
    elsewhere = image._replace(file="gs://bucket/a.jpg", known=Known(bytes(32)))
    moved = dataclasses.replace(
        found, images=(elsewhere, *(one._replace(known=known[one.file]) for one in rest))
    )
    result = bottlenecks.compute(moved, extractor, BottleneckCache(tmp_path / "cache", extractor))
    assert [(image.file, image.reason) for image in result.skipped] == [
        ("gs://bucket/a.jpg", "is not on this computer, and no vector of it is in the cache")
    ]


def test_cache_without_any_vector_of_images_that_are_elsewhere_is_refused(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    elsewhere = [
        LabelledImage(f"gs://bucket/{number}.jpg", number % 2, Split.TRAINING, Known(bytes([number] * 32)))
        for number in range(40)
    ]
    cache = BottleneckCache(tmp_path, extractor)
    with pytest.raises(retraining.BadRequest) as caught:
        bottlenecks.compute(Dataset(("x", "y"), tuple(elsewhere)), extractor, cache)
    assert str(caught.value) == (
        f"'{cache.folder}' has no vector of the images that the list knows, and 'gs://bucket/0.jpg' is not on this "
        "computer. Give the bottleneck_dir and the tfhub_module with which the list was made."
    )


def test_views_of_images_that_a_list_knows_come_from_the_cache(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=8)
    views = Views(AugmentationSettings(random_brightness=20, distorted_views=2), 7)
    of_folder = computed(DataSettings(photos), extractor, tmp_path / "cache", views)
    path = written(of_folder.dataset, tmp_path / "list.jsonl", known_of(of_folder))
    shutil.rmtree(photos)
    assert_same_vectors(
        computed(DataSettings(image_list=path), extractor, tmp_path / "cache", views), of_folder
    )


def test_bits_that_all_images_have_decided_come_with_the_list(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    plates = write_plates(tmp_path / "plates")
    of_folder = computed(DataSettings(plates), extractor, tmp_path / "cache")
    assert of_folder.dataset.significant_bits == 12
    path = written(of_folder.dataset, tmp_path / "list.jsonl", known_of(of_folder, bits=12))
    # Of another number of bits there are no vectors, so the files are read.
    in_14 = computed(DataSettings(image_list=path, significant_bits=14), extractor, tmp_path / "cache")
    assert in_14.training.keys != of_folder.training.keys
    assert in_14.dataset.significant_bits == 14
    shutil.rmtree(plates)
    from_cache = computed(DataSettings(image_list=path), extractor, tmp_path / "cache")
    assert_same_vectors(from_cache, of_folder)
    assert from_cache.dataset.significant_bits == 12


def test_python_takes_a_list_in_place_of_the_folder(tf2_module: Path, tmp_path: Path) -> None:
    photos = write_colour_photos(tmp_path / "photos")
    found = retraining.scan(photos)
    path = written(found, tmp_path / "list.jsonl", {})
    assert retraining.scan(image_list=path) == found
    settings: dict[str, Any] = {
        "tfhub_module": str(tf2_module),
        "bottleneck_dir": tmp_path / "vectors",
        "how_many_training_steps": 20,
    }
    models = retraining.retrain(photos, **settings), retraining.retrain(image_list=path, **settings)
    np.testing.assert_array_equal(models[0].layer.weights, models[1].layer.weights)
    with pytest.raises(retraining.BadRequest) as caught:
        retraining.scan(photos, image_list=path)
    assert str(caught.value) == (
        f"image_dir and image_list both name the images, received '{photos}' and '{path}'. Keep one of them."
    )


def test_list_is_not_written_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "flowers.txt"
    path.write_text("path,label\n")
    assert retrain.main(["--image_list", str(path), "--output_labels", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"retrain: error: --image_list '{path}' would be written over by an output of the same name. Give the output "
        "another.\n"
    )
    assert path.read_text() == "path,label\n"


def test_models_cannot_be_compared_without_the_images(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "list.csv"
    rows = [
        f"s3://b/{n}.jpg,{'xy'[n % 2]},{['train', 'val', 'test'][n % 3]},{'00' * 32}\n" for n in range(60)
    ]
    path.write_text("path,label,set,sha256\n" + "".join(rows))
    out = ["--bottleneck_dir", str(tmp_path / "cache"), "--output_dir", str(tmp_path / "out")]
    assert compare.main(["--image_list", str(path), "--models", "builtin", *out]) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "compare: error: --models needs the images themselves, not only their feature vectors, but 's3://b/0.jpg' is not "
        "on this computer. Copy the images here and list them by their new paths."
    )


class Suspects:
    """A list of images, and the list of suspected labels of a run on it."""

    def __init__(self, folder: Path, content: str) -> None:
        self.list = folder / "flowers.csv"
        self.list.write_text(content, newline="")
        self.csv = folder / "logs" / "suspected_labels.csv"
        self.source = DataSettings(image_list=self.list, testing_percentage=0, validation_percentage=0)
        self.found = dataset.scan(self.source)

    def mark(self, **actions: str) -> None:
        """Write the suspects, each to be a tulip, marked by the stems of their names."""
        labels = self.found.labels
        rows = [
            SuspectedLabel(image.file, labels[image.label], "tulip", 0.1, 0.9, bytes(32))
            for image in self.found.images
        ]
        suspected_labels.write(rows, self.source, self.csv)
        with self.csv.open(encoding="utf-8-sig", newline="") as file:
            marked = [
                row | {"action": actions.get(Path(row["image"]).stem, "")} for row in csv.DictReader(file)
            ]
        with self.csv.open("w", encoding="utf-8-sig", newline="") as file:
            writer = csv.DictWriter(file, marked[0].keys(), delimiter=";")
            writer.writeheader()
            writer.writerows(marked)


@pytest.fixture
def suspects(tmp_path: Path) -> Suspects:
    (tmp_path / "a.jpg").touch()
    return Suspects(
        tmp_path,
        "label,path,note\r\nrose,a.jpg,\r\n\r\nrose,b.jpg,old\r\ntulip,/data/c.jpg,\r\ntulip,d.jpg,\r\n",
    )


def relabelled(
    suspects: Suspects, capsys: pytest.CaptureFixture[str], *more: str
) -> tuple[int, list[str], list[str]]:
    status = relabel.main([str(suspects.csv), *more])
    captured = capsys.readouterr()
    return status, captured.out.splitlines(), captured.err.splitlines()


def test_labels_are_corrected_in_a_copy_of_the_list(
    suspects: Suspects, capsys: pytest.CaptureFixture[str]
) -> None:
    before = suspects.list.read_bytes()
    suspects.mark()
    assert relabelled(suspects, capsys)[1][0].startswith("None of 4 photos is marked.")
    suspects.mark(a="move", c="rose", d="move")
    status, lines, errors = relabelled(suspects, capsys)
    assert (status, lines[:3], errors) == (
        0,
        [
            "a.jpg would have the label tulip instead of rose",
            "/data/c.jpg would have the label rose instead of tulip",
            "2 of 4 labels would be corrected, nothing has changed yet. Write a copy of the list:",
        ],
        [],
    )
    assert lines[3].endswith("suspected_labels.csv --apply")
    copy = suspects.list.with_name("flowers_relabelled.csv")
    for _ in range(2):  # the same copy is not written twice
        assert relabelled(suspects, capsys, "--apply") == (
            0,
            [
                "a.jpg has the label tulip instead of rose",
                "/data/c.jpg has the label rose instead of tulip",
                f"2 of 4 labels are corrected in {copy}, a copy of the list of images.",
                "Now run retrain.py again with it. It is quick: images keep their vectors.",
            ],
            [],
        )
    assert copy.read_bytes() == before.replace(b"rose,a", b"tulip,a").replace(
        b"tulip,/data/c", b"rose,/data/c"
    )
    assert suspects.list.read_bytes() == before
    assert sorted(path.name for path in copy.parent.glob("*.csv")) == [
        "flowers.csv",
        "flowers_relabelled.csv",
    ]


def test_labels_of_a_list_in_the_working_folder_are_corrected_however_its_paths_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path / "lists")
    Path("a.jpg").touch()
    content = f"path,label\n./a.jpg,rose\n../b.jpg,rose\n{tmp_path}/lists/c.jpg,rose\ngs://b/d.jpg,tulip\n"
    content = (
        content.replace("\n", ",\n").replace("label,", "label,sha256").replace("tulip,", "tulip," + "00" * 32)
    )
    suspects = Suspects(Path(), content)
    suspects.mark(a="move", b="move", c="move", d="rose")
    status, lines, errors = relabelled(suspects, capsys, "--apply")
    assert (status, lines[-2], errors) == (
        0,
        f"4 of 4 labels are corrected in {tmp_path}/lists/flowers_relabelled.csv, a copy of the list of images.",
        [],
    )


def test_list_that_is_gone_when_a_run_ends_is_still_a_list(suspects: Suspects) -> None:
    suspects.list.unlink()
    suspects.mark()
    assert suspects.csv.read_text(encoding="utf-8-sig").startswith(
        "image;label;suggested;score;suggested_score;"
    )
    assert f";{suspects.list};" in suspects.csv.read_text(encoding="utf-8-sig")


def test_label_that_cannot_be_corrected_is_told(
    suspects: Suspects, capsys: pytest.CaptureFixture[str]
) -> None:
    suspects.mark(a="tulips", b="move", d="rose")
    content = (
        suspects.list.read_text().replace("rose,b.jpg", "daisy,b.jpg").replace("tulip,d.jpg", "tulip,e.jpg")
    )
    suspects.list.write_text(content)
    assert relabelled(suspects, capsys, "--apply") == (
        1,
        [],
        [
            "warning: a.jpg keeps its label: no image of the list has the label 'tulips' (did you mean 'tulip'?).",
            "warning: b.jpg keeps its label: its label has changed since the list was written.",
            "warning: d.jpg keeps its label: it is no longer in the list.",
            "relabel: error: 3 of 3 labels could not be corrected, see above.",
        ],
    )
    suspects.list.unlink()
    assert relabelled(suspects, capsys)[2] == [
        f"relabel: error: the list of images '{suspects.list}' cannot be read: No such file or directory."
    ]
    assert not suspects.list.with_name("flowers_relabelled.csv").exists()


def test_training_images_are_those_without_a_set(tmp_path: Path) -> None:
    write_colour_photos(tmp_path, per_class=2)
    path = tmp_path / "list.csv"
    rows = [f"{file.relative_to(tmp_path)},{file.parent.name}," for file in sorted(tmp_path.glob("*/*.jpg"))]
    path.write_text("path,label,set\n" + "\n".join([*rows, "x.jpg,cyan,test"]))
    found = dataset.scan(DataSettings(image_list=path, validation_percentage=0))
    assert [image.split for image in found.images].count(Split.TRAINING) == len(rows)
