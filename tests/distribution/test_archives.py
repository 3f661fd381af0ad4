"""Members of ZIP and TAR archives: listed in order, read one by one without the rest, and never trusted."""

from __future__ import annotations

import contextlib
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from retraining.data import images
from retraining.distribution import archives, photographs
from retraining.distribution.archive_members import Member
from retraining.errors import BadImage
from tests.distribution.memory_files import Reading
from tests.distribution.shards import special, tar, zipped

RNG = np.random.default_rng(3)
PHOTOS = {
    "roses/1.jpg": RNG.bytes(70_000),
    "tulips/2.jpg": RNG.bytes(3),
    "tulips/empty.jpg": b"",
    f"{'long' * 60}/Blüte 花.jpg": RNG.bytes(1000),
}
FORMATS = {
    "pax.tar": tar(PHOTOS),
    "gnu.tar": tar(PHOTOS, tarfile.GNU_FORMAT),
    "deflated.zip": zipped(PHOTOS),
    "stored.zip": zipped(PHOTOS, zipfile.ZIP_STORED),
    "streamed.zip": zipped(PHOTOS, streamed=True),
    "streamed_stored.ZIP": zipped(PHOTOS, zipfile.ZIP_STORED, streamed=True),
}


def put(store: dict[str, bytes], name: str, content: bytes) -> str:
    store[f"mem://bucket/{name}"] = content
    return f"mem://bucket/{name}"


def listed(archive: str) -> list[Member]:
    return list(archives.members(archive))


def reason(file: str) -> str:
    with pytest.raises(BadImage) as caught:
        photographs.read(file)
    return str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_members_are_listed_in_order_and_read_one_by_one(name: str, store: dict[str, bytes]) -> None:
    archive = put(store, name, FORMATS[name])
    members = listed(archive)
    assert [member.name for member in members] == list(PHOTOS)
    for member in reversed(members):
        assert photographs.read(archives.address(archive, member)) == PHOTOS[member.name]
        assert photographs.read(f"{archive}!/{member.name}") == PHOTOS[member.name]


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_only_the_bytes_of_a_member_are_read(name: str, store: dict[str, bytes]) -> None:
    photos = {f"{index}.jpg": RNG.bytes(1 << 20) for index in range(4)}
    archive = put(store, name, tar(photos) if name == "a.tar" else zipped(photos, zipfile.ZIP_STORED))
    member = listed(archive)[2]
    assert member.position
    assert (
        archives.address(archive, member) == f"{archive}!{member.position.start}+{member.position.size}/2.jpg"
    )
    Reading.read_bytes = 0
    assert photographs.read(archives.address(archive, member)) == photos["2.jpg"]
    assert Reading.read_bytes < 1.2 * (1 << 20)


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_archives_on_this_computer_are_read_too(name: str, tmp_path: Path) -> None:
    archive = tmp_path / name
    archive.write_bytes(tar(PHOTOS) if name == "a.tar" else zipped(PHOTOS))
    addresses = [archives.address(str(archive), member) for member in archives.members(str(archive))]
    assert [photographs.read(address) for address in addresses] == list(PHOTOS.values())
    archive.unlink()
    assert reason(addresses[0]) == "cannot be read (No such file or directory)"


def test_names_with_dots_before_them_are_plain_ones(store: dict[str, bytes]) -> None:
    archive = put(store, "a.tar", tar({"./roses/1.jpg": b"rose"}))
    (member,) = listed(archive)
    assert member.name == "roses/1.jpg"
    assert photographs.read(archives.address(archive, member)) == b"rose"


def test_other_paths_with_such_words_are_paths() -> None:
    for path in ("photos!/1.jpg", "a.tar/1.jpg", "a.tar!x/1.jpg", "gs://bucket/a.tar", "a.tgz!/1.jpg"):
        assert archives.taken_apart(path) is None
    found = archives.taken_apart("gs://bucket/a.tar!0+9/b.tar!/1.jpg")
    assert found == ("gs://bucket/a.tar", (0, 9), "b.tar!/1.jpg")


def test_what_is_no_plain_file_inside_its_archive_has_no_position(store: dict[str, bytes]) -> None:
    odd = [special("link.jpg", tarfile.SYMTYPE), special("hard.jpg", tarfile.LNKTYPE)]
    odd += [special("device.jpg", tarfile.CHRTYPE), special("pipe.jpg", tarfile.FIFOTYPE)]
    folder = special("folder", tarfile.DIRTYPE)
    archive = put(
        store,
        "a.tar",
        tar({"/abs.jpg": b"1", "../out.jpg": b"2", "in.jpg": b"3"}, tarfile.PAX_FORMAT, *odd, folder),
    )
    assert {member.name: member.position is not None for member in listed(archive)} == {
        "/abs.jpg": False,
        "../out.jpg": False,
        "in.jpg": True,
        **dict.fromkeys(("link.jpg", "hard.jpg", "device.jpg", "pipe.jpg"), False),
    }
    assert reason(f"{archive}!/link.jpg") == "is no file in its archive"
    assert reason(f"{archive}!/../out.jpg") == "is no file in its archive"
    only_link = put(store, "b.tar", tar({}, tarfile.PAX_FORMAT, odd[0]))
    assert reason(f"{only_link}!0+512/link.jpg") == "is a link or a device in its archive, not a file"


def test_links_in_zip_archives_have_no_position(store: dict[str, bytes]) -> None:
    link = zipfile.ZipInfo("link.jpg")
    link.external_attr = 0o120777 << 16
    content = zipped({link: b"/etc/passwd", "folder/": b""})  # type: ignore[dict-item]
    assert listed(put(store, "a.zip", content)) == [Member("link.jpg", None)]


def test_encrypted_members_are_bad_images(store: dict[str, bytes]) -> None:
    content = bytearray(zipped({"1.jpg": b"secret"}))
    content[6] |= 1  # in the member's own header
    archive = put(store, "a.zip", bytes(content))
    assert reason(archives.address(archive, listed(archive)[0])) == "is encrypted in its archive"


def test_members_packed_by_rare_methods_are_bad_images(store: dict[str, bytes]) -> None:
    archive = put(store, "a.zip", zipped({"1.jpg": b"photo"}, zipfile.ZIP_BZIP2))
    assert reason(archives.address(archive, listed(archive)[0])) == (
        "is packed by a method of its archive that is not read; pack it by deflate"
    )


@pytest.mark.parametrize("name", ["bomb.tar", "bomb.zip"])
def test_members_that_are_too_large_are_not_unpacked(
    name: str, store: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = {"1.jpg": bytes(1 << 20)}
    archive = put(store, name, tar(bomb) if name == "bomb.tar" else zipped(bomb))
    monkeypatch.setattr(images, "MAX_FILE_BYTES", 1 << 16)
    assert reason(archives.address(archive, listed(archive)[0])).startswith("is larger than")


@pytest.mark.parametrize("name", FORMATS)
def test_archive_that_was_cut_short_is_not_listed(name: str, store: dict[str, bytes]) -> None:
    archive = put(store, name, FORMATS[name][:60_000])
    with pytest.raises(BadImage, match=r"^is damaged \((unexpected end of data|File is not a zip file)\)$"):
        listed(archive)


def test_archive_with_a_damaged_header_is_not_taken_for_a_shorter_one(store: dict[str, bytes]) -> None:
    content = bytearray(tar({"1.jpg": b"1", "2.jpg": b"2", "3.jpg": b"3"}))
    content[1024] ^= 255
    archive = put(store, "a.tar", bytes(content))
    with pytest.raises(BadImage, match=r"^is damaged \(there is no header at byte 1,024\)$"):
        listed(archive)


def test_member_with_other_bytes_than_were_packed_is_a_bad_image(store: dict[str, bytes]) -> None:
    for name in ("stored.zip", "deflated.zip", "streamed.zip"):
        content = bytearray(FORMATS[name])
        archive = put(store, name, bytes(content))
        address = archives.address(archive, listed(archive)[0])
        content[5000] ^= 255
        put(store, name, bytes(content))
        assert reason(address).startswith("is damaged (")


@pytest.mark.parametrize("name", ["a.tar", "a.zip"])
def test_archive_that_changed_since_it_was_listed_is_noticed(name: str, store: dict[str, bytes]) -> None:
    pack = tar if name == "a.tar" else zipped
    archive = put(store, name, pack({"roses/1.jpg": b"rose"}))
    address = archives.address(archive, listed(archive)[0])
    put(store, name, pack({"roses/2.jpg": b"rose"}))
    assert reason(address) == "is not where it was: its archive has changed since it was listed"
    put(store, name, b"no archive at all, but as long as one" * 100)
    assert reason(address).startswith("is damaged (")


@pytest.mark.parametrize("name", ["pax.tar", "gnu.tar", "deflated.zip", "streamed_stored.ZIP"])
def test_damage_anywhere_gives_a_reason_and_never_a_traceback(name: str, store: dict[str, bytes]) -> None:
    photos = {"roses/1.jpg": b"rose" * 20, "tulips/2.jpg": b"tulip", "花.jpg": b"!"}
    packed = {
        "pax.tar": tar(photos),
        "gnu.tar": tar(photos, tarfile.GNU_FORMAT),
        "deflated.zip": zipped(photos),
        "streamed_stored.ZIP": zipped(photos, zipfile.ZIP_STORED, streamed=True),
    }[name]
    archive = put(store, name, packed)
    addresses = [archives.address(archive, member) for member in listed(archive)]
    rng = np.random.default_rng(5)
    for _ in range(75):
        damaged = np.frombuffer(packed, np.uint8).copy()
        places = rng.integers(0, len(packed), rng.integers(1, 4))
        damaged[places] = rng.integers(0, 256, len(places))
        store[archive] = damaged.tobytes()[: rng.integers(len(packed) // 2, len(packed) + 1)]
        with contextlib.suppress(BadImage):
            listed(archive)
        for address in addresses:
            with contextlib.suppress(BadImage):
                photographs.read(address)
