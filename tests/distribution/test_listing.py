"""Folders anywhere, with or without archives, give the images that retrain.py finds in the folders themselves."""

from __future__ import annotations

import logging
import os
import tarfile
from collections.abc import Iterable
from pathlib import Path

import pytest

from retraining.data import dataset
from retraining.data.address import Address
from retraining.data.split import Split
from retraining.distribution import archive_walk, listing, photographs, pieces
from retraining.errors import BadRequest
from retraining.settings.data import DataSettings
from retraining.settings.distribute import ListedDataSettings
from retraining.storage import cache_tag
from tests.distribution.shards import special, tar, zipped

ROOT = "mem://bucket/photos"
CLASSES = ("roses", "tulips")
NAMES = [f"{index:02}.jpg" for index in range(24)]


@pytest.fixture(autouse=True)
def few_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep warnings of small classes out of the tests."""
    monkeypatch.setattr("retraining.data.class_checks.ADVISED_IMAGES_PER_CLASS", 1)
    monkeypatch.setattr("retraining.data.class_checks._warn_about_classes_without", lambda *_, **__: None)


def files(*folders: str, names: Iterable[str] = NAMES) -> dict[str, bytes]:
    """Return files by path, each with its path in it."""
    return {f"{folder}/{name}": os.fsencode(f"{folder}/{name}") for folder in folders for name in names}


def on_disk(folder: Path, contents: dict[str, bytes]) -> str:
    for name, content in contents.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return str(folder)


def in_store(store: dict[str, bytes], contents: dict[str, bytes]) -> str:
    store.update({f"{ROOT}/{name}": content for name, content in contents.items()})
    return ROOT


def found(folder: str) -> list[tuple[str, Split, bytes]]:
    """Return the label, the set and the bytes of each image, in order."""
    scanned = listing.scan(ListedDataSettings(image_dir=folder))
    return [(scanned.labels[i.label], i.split, photographs.read(i.file)) for i in scanned.images]


def expected(folder: Path) -> list[tuple[str, Split, bytes]]:
    scanned = dataset.scan(DataSettings(folder))
    return [(scanned.labels[i.label], i.split, i.path.read_bytes()) for i in scanned.images]


def refusal(folder: str) -> str:
    with pytest.raises(BadRequest) as caught:
        listing.scan(ListedDataSettings(image_dir=folder))
    return str(caught.value)


TREES = {
    "classes": files(*CLASSES) | files("roses/red", "roses/a/b", names=["1.jpg"]),
    "sets": files("train/roses", "train/tulips", "test/roses", "test/tulips", "test/tulips/more"),
    "a class called train": files("train", "cars", "train/old"),
    "leftovers": files("roses", "tulips", "__MACOSX", ".git", "roses/@eaDir", "tulips/.hidden")
    | files("roses", names=["Thumbs.db", ".DS_Store", "1.xmp", "desktop.ini", "notes.txt"]),
    "caches": files(*CLASSES, "cache", "roses/cache", "roses/cache/deeper")
    | files("cache", "roses/cache", names=[cache_tag.NAME]),
}


@pytest.mark.parametrize("tree", TREES)
def test_folder_anywhere_has_the_images_that_retrain_finds(
    tree: str, tmp_path: Path, store: dict[str, bytes]
) -> None:
    folder = on_disk(tmp_path, TREES[tree])
    assert found(in_store(store, TREES[tree])) == found(folder) == expected(tmp_path)


def test_archives_beside_class_folders_have_class_folders_in_them(
    tmp_path: Path, store: dict[str, bytes]
) -> None:
    whole = on_disk(tmp_path / "plain", files(*CLASSES))
    parts = [dict(list(files(*CLASSES).items())[start::3]) for start in range(3)]
    shards = {"a.tar": tar(parts[0]), "b.zip": zipped(parts[1])} | parts[2]
    for folder in (in_store(store, shards), on_disk(tmp_path / "shards", shards)):
        assert set(found(folder)) == set(expected(Path(whole)))


def test_archives_in_class_folders_hold_images_of_the_class(tmp_path: Path, store: dict[str, bytes]) -> None:
    on_disk(tmp_path / "plain", files(*CLASSES))
    roses, tulips = files("roses"), files("tulips")
    shards = {
        "roses/more/all.TAR": tar(roses),
        "tulips/all.zip": zipped({f"x/{n}": c for n, c in tulips.items()}),
    }
    for folder in (in_store(store, shards), on_disk(tmp_path / "shards", shards)):
        assert found(folder) == expected(tmp_path / "plain")


def test_archives_of_sets(tmp_path: Path, store: dict[str, bytes]) -> None:
    on_disk(tmp_path / "plain", TREES["sets"])
    inside = {"all.tar": tar(TREES["sets"])}
    each = {
        f"{name}/1.tar": tar(
            {path.removeprefix(f"{name}/"): c for path, c in TREES["sets"].items() if name in path}
        )
        for name in ("train", "test")
    }
    for number, shards in enumerate((inside, each)):
        assert found(on_disk(tmp_path / str(number), shards)) == expected(tmp_path / "plain")
        assert found(in_store(store, shards)) == expected(tmp_path / "plain")
        store.clear()


def test_files_of_webdataset_name_the_classes_of_their_images(store: dict[str, bytes]) -> None:
    shard: dict[str, bytes] = {}
    for index, label in enumerate((*CLASSES, "7") * 10):
        shard |= {f"{index:06}.cls": f"{label}\n".encode(), f"{index:06}.jpg": label.encode()}
        shard |= {f"{index:06}.json": b"{}", f"{index:06}.txt": b"a caption"}
    images = found(in_store(store, {"photos-000000.tar": tar(shard)}))
    assert [(label, content.decode()) for label, _, content in images] == sorted(
        (c, c) for c in (*CLASSES, "7") * 10
    )


def test_what_describes_an_image_in_an_archive_is_no_image(store: dict[str, bytes]) -> None:
    shard = files(*CLASSES) | files("roses", names=["01.json", "01.txt", "odd.txt"])
    images = listing.scan(ListedDataSettings(image_dir=in_store(store, {"a.tar": tar(shard)}))).images
    assert [image.path.name for image in images] == [*NAMES, "odd.txt", *NAMES]


def test_hidden_members_and_leftovers_are_passed_over(store: dict[str, bytes]) -> None:
    shard = (
        files(*CLASSES)
        | files("__MACOSX/roses", ".git/roses", "roses/.x")
        | files("roses", names=["._1.jpg"])
    )
    assert len(found(in_store(store, {"a.zip": zipped(shard)}))) == 2 * len(NAMES)


def test_what_an_archive_must_not_hold_is_warned_about(
    store: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    odd = [special(f"roses/{name}.jpg", tarfile.SYMTYPE) for name in ("link", "link2")]
    shard = tar(files(*CLASSES) | {"/etc/1.jpg": b"", "stray.jpg": b""}, tarfile.PAX_FORMAT, *odd)
    assert len(found(in_store(store, {"a.tar": shard}))) == 2 * len(NAMES)
    assert [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING] == [
        "3 members of 'mem://bucket/photos/a.tar' are ignored, since they are links, devices or outside its own "
        "folder, such as '/etc/1.jpg'.",
        "1 files in 'mem://bucket/photos/a.tar' are in no class folder, and are ignored.",
    ]


def test_images_beside_class_folders_in_a_store_are_warned_about(
    store: dict[str, bytes], caplog: pytest.LogCaptureFixture
) -> None:
    found(in_store(store, files(*CLASSES) | {"1.jpg": b"", "notes.txt": b""}))
    assert caplog.messages == [
        "1 images are in 'mem://bucket/photos' itself, outside any class folder, and are ignored. Move them into a "
        "class folder."
    ]


def test_names_with_doubled_slashes_are_read_where_they_are(store: dict[str, bytes]) -> None:
    in_store(store, files(*CLASSES))
    store |= {f"{ROOT}//roses/a.jpg": b"a", f"{ROOT}/roses//b.jpg": b"b", f"{ROOT}/tulips/": b""}
    store[f"{ROOT}x/other/1.jpg"] = b"beside the folder"
    images = found(f"{ROOT}/")
    assert [content for label, _, content in images if label == "roses"][-2:] == [b"a", b"b"]
    assert len(images) == 2 * len(NAMES) + 2


def test_folders_that_cannot_be_listed_are_refused(tmp_path: Path, store: dict[str, bytes]) -> None:
    assert refusal(ROOT) == (
        "image_dir must be a folder with one sub-folder of images per class; 'mem://bucket/photos' does not exist."
    )
    in_store(store, files("roses"))
    assert refusal(ROOT) == (
        "image_dir needs at least two class folders; 'mem://bucket/photos' has only 'roses'. Put the images of each "
        "class into a sub-folder of their own, such as 'mem://bucket/photos/roses' and 'mem://bucket/photos/tulips'."
    )
    store[f"{ROOT}/tulips/"] = b""  # an empty folder
    assert refusal(ROOT) == "class 'tulips' has no images. Add some, or remove the class."
    assert refusal(str(tmp_path / "none")).endswith("does not exist.")


def test_archives_that_cannot_be_used_are_refused(store: dict[str, bytes]) -> None:
    in_store(store, files(*CLASSES) | {"roses/a.tar": tar(files("x"))[:5000]})
    assert refusal(ROOT) == (
        "archive 'mem://bucket/photos/roses/a.tar' is damaged (unexpected end of data). Replace it, or move it "
        "elsewhere."
    )
    store[f"{ROOT}/roses/a.tar"] = tar({})
    in_store(store, {"photos.tar.gz": b""})
    assert refusal(ROOT) == (
        "'photos.tar.gz' in 'mem://bucket/photos' is compressed as a whole, so photos in it cannot be read one by "
        "one. Unpack it and pack it as .tar or .zip, or move it elsewhere."
    )
    del store[f"{ROOT}/photos.tar.gz"]
    in_store(store, {"a.tar": tar({"1.jpg": b"", "1.cls": b"../roses"})})
    assert refusal(ROOT) == (
        "archive 'mem://bucket/photos/a.tar' names the class '../roses' in a .cls file, which cannot be a folder's "
        "name. Name it otherwise."
    )


@pytest.mark.usefixtures("store")
def test_list_has_the_path_the_label_and_the_set_of_each_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_disk(tmp_path / "photos", files("roses", "tulips", "Blüten 花", "b\udcff"))
    monkeypatch.chdir(tmp_path)
    path = listing.write(ListedDataSettings(image_dir="photos"), "mem://bucket/out")
    assert path == "mem://bucket/out/listed.jsonl"
    images = [image for piece in pieces.cut(path) for _, image in pieces.images_in(piece)]
    scanned = dataset.scan(DataSettings(tmp_path / "photos"))
    assert [(i.file, i.label, i.split) for i in images] == [
        (i.file, scanned.labels[i.label], i.split) for i in scanned.images
    ]
    assert Path(images[0].file).is_absolute()


def test_list_that_is_given_is_used_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert listing.write(ListedDataSettings(image_list="a.csv"), str(tmp_path)) == str(tmp_path / "a.csv")
    assert listing.write(ListedDataSettings(image_list="gs://b/a.csv"), str(tmp_path)) == "gs://b/a.csv"


def test_outputs_are_left_out_beside_archives(tmp_path: Path) -> None:
    on_disk(tmp_path, {"a.tar": tar(files(*CLASSES))} | files("out"))
    scanned = listing.scan(ListedDataSettings(image_dir=str(tmp_path)), [tmp_path / "out"])
    assert scanned.labels == CLASSES


def test_progress_counts_the_images_in_archives(store: dict[str, bytes]) -> None:
    counted: list[int] = []
    in_store(store, {"a.tar": tar(files(*CLASSES)), "roses/b.zip": zipped(files("x"))})
    walk = listing._walk_in_store(Address(ROOT), counted.append)
    dataset.scan_folders(
        Address(ROOT),
        archive_walk.ArchiveWalk(walk, counted.append),
        ListedDataSettings(image_dir=ROOT),
    )
    assert counted == [2 * len(NAMES), len(NAMES)]
