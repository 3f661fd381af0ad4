"""Files on this computer and in stores: read with the core's rules, and written completely or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from retraining.data import images
from retraining.distribution import photographs, places
from retraining.errors import BadImage, BadRequest, WorkFailed
from tests.distribution.memory_files import MemoryFiles, Reading

PHOTO = "mem://bucket/photos/1.jpg"


@pytest.fixture(params=["local", "store"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    request.getfixturevalue("store")
    return str(tmp_path / "out") if request.param == "local" else "mem://bucket/out"


def reason(path: str) -> str:
    with pytest.raises(BadImage) as caught:
        photographs.read(path)
    return str(caught.value)


def test_photo_is_read_from_a_store(store: dict[str, bytes]) -> None:
    store[PHOTO] = bytes(range(256)) * 1000
    assert photographs.read(PHOTO) == store[PHOTO]


def test_photo_on_this_computer_is_read_by_the_rules_of_the_core(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "1.jpg").write_bytes(b"photo")
    assert photographs.read(str(tmp_path / "1.jpg")) == b"photo"
    assert reason(str(tmp_path)) == "is a folder, not a file"
    assert reason(str(tmp_path / "pipe")) == "is a named pipe, not a file"
    assert reason(str(tmp_path / "link")) == "is a broken link (No such file or directory)"
    assert reason(str(tmp_path / "none")) == "cannot be read (No such file or directory)"


class _StoreError(Exception):
    code = 403


@pytest.mark.usefixtures("store")
def test_photo_that_is_not_in_a_store_is_a_bad_image() -> None:
    assert reason("mem://bucket/none.jpg") == "cannot be read (not found)"


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize(
    ("error", "text"),
    [
        (TimeoutError("no answer\nfor a minute"), "no answer."),
        (
            _StoreError("a long story"),
            "access denied. Its store says so of missing files too if their folder must not be listed. Give the "
            "account of this run the right to list and to read, and run again.",
        ),
    ],
    ids=["no answer", "refused"],
)
def test_store_that_does_not_answer_or_refuses_is_no_fault_of_the_photo(error: Exception, text: str) -> None:
    MemoryFiles.failing[PHOTO] = error
    with pytest.raises(WorkFailed) as caught:
        photographs.read(PHOTO)
    assert not isinstance(caught.value, BadImage)
    assert str(caught.value) == f"'{PHOTO}' cannot be read: {text}"


def test_file_that_is_too_large_is_not_read(store: dict[str, bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 1 << 10)
    store[PHOTO] = bytes(1 << 20)
    Reading.read_bytes = 0
    assert reason(PHOTO).startswith("is larger than")
    assert Reading.read_bytes == 0


def test_scheme_that_nobody_knows_is_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        places.read("nowhere://bucket/1.jpg")
    assert str(caught.value).startswith(
        "'nowhere://bucket/1.jpg' cannot be reached by Apache Beam (Unable to get filesystem from specified path"
    )
    assert str(caught.value).endswith(
        "The packages for s3://, gs://, hdfs:// and azfs:// come with pip install 'apache-beam[aws]', '[gcp]', "
        "'[hadoop]' and '[azure]'."
    )


def test_store_whose_package_is_missing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(BadRequest) as caught:
        photographs.read("s3://bucket/1.jpg")
    assert str(caught.value) == (
        "'s3://bucket/1.jpg' cannot be reached by Apache Beam (boto3 is not installed). The packages for s3://, gs://, "
        "hdfs:// and azfs:// come with pip install 'apache-beam[aws]', '[gcp]', '[hadoop]' and '[azure]'."
    )


def test_addresses_keep_their_slashes() -> None:
    assert places.join("gs://bucket/photos/", "roses", "1.jpg") == "gs://bucket/photos/roses/1.jpg"
    assert places.join("/photos", "roses", "1.jpg") == "/photos/roses/1.jpg"
    assert places.parent("gs://bucket/list.csv") == "gs://bucket"
    assert places.parent("/photos/list.csv") == "/photos"
    assert not places.is_local("hdfs://host/photos")
    assert places.is_local("photos/roses")


def test_files_are_written_listed_renamed_and_removed(folder: str) -> None:
    assert places.list_names(folder) == []
    places.write(places.join(folder, "1.bin"), b"one")
    places.write(places.join(folder, "1.bin"), b"another")
    places.write(places.join(folder, "below", "2.gz"), b"two")
    assert places.list_names(folder) == ["1.bin"]
    assert places.read_file(places.join(folder, "1.bin")) == b"another"
    assert places.read_file(places.join(folder, "below", "2.gz")) == b"two"  # not unpacked for its name
    places.rename(places.join(folder, "1.bin"), places.join(folder, "3.bin"))
    assert places.list_names(folder) == ["3.bin"]
    assert places.exists(places.join(folder, "3.bin"))
    assert not places.exists(places.join(folder, "1.bin"))
    with pytest.raises(WorkFailed, match="cannot be renamed to"):
        places.rename(places.join(folder, "1.bin"), places.join(folder, "3.bin"))
    places.remove_folder(folder)
    assert places.list_names(folder) == []


def test_file_is_put_in_place_once_all_of_it_is_written(folder: str) -> None:
    path = places.join(folder, "list.jsonl")
    with places.writing(path) as file:
        file.write(b"first")
    with pytest.raises(ZeroDivisionError), places.writing(path) as file:
        file.write(b"half of the sec")
        file.write(bytes([1 // 0]))
    assert places.read_file(path) == b"first"
    assert places.list_names(folder) == ["list.jsonl"]


def test_file_with_the_same_bytes_is_never_gone_where_renaming_does_not_replace_one(
    store: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    deleted: list[str] = []
    delete = MemoryFiles.delete

    def watched(self: MemoryFiles, paths: list[str]) -> None:
        deleted.extend(paths)
        delete(self, paths)

    monkeypatch.setattr(MemoryFiles, "delete", watched)
    monkeypatch.setattr(MemoryFiles, "has_dirs", lambda _: True)
    for content in (b"one", b"one"):
        places.write("mem://bucket/shard", content)
    assert "mem://bucket/shard" not in deleted
    places.write("mem://bucket/shard", b"another")
    assert store == {"mem://bucket/shard": b"another"}
    assert deleted[-1] == "mem://bucket/shard"


@pytest.mark.usefixtures("store")
def test_what_a_store_does_not_do_is_said_with_the_path() -> None:
    MemoryFiles.failing["mem://bucket/out/"] = OSError(5, "Input/output error")
    MemoryFiles.failing["mem://bucket/out"] = MemoryFiles.failing[PHOTO] = OSError(5, "Input/output error")
    with pytest.raises(WorkFailed) as caught:
        places.write(PHOTO, b"")
    assert str(caught.value) == f"'{PHOTO}' cannot be written: Input/output error."
    with pytest.raises(WorkFailed) as caught:
        places.list_names("mem://bucket/out")
    assert str(caught.value) == "'mem://bucket/out' cannot be read: Input/output error."
    with pytest.raises(WorkFailed) as caught:
        places.read_file("mem://bucket/none")
    assert str(caught.value) == "'mem://bucket/none' cannot be read (not found)."
