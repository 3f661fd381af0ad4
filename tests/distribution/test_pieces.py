"""Pieces of a list: together they are the list, line by line, with the numbers that its lines have."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from retraining.data.split import Split
from retraining.distribution import pieces
from retraining.errors import BadRequest, WorkFailed

LIST = "mem://bucket/lists/photos.csv"


def lines_of(found: list[pieces.Piece]) -> list[tuple[int, str]]:
    return [(number, image.file) for piece in found for number, image in pieces.images_in(piece)]


def csv_of(count: int, *, header: str = "path,label\n", end: str = "\n") -> bytes:
    return (header + end.join(f"{index}/{'x' * (index % 7)}.jpg,roses" for index in range(count))).encode()


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 100])
@pytest.mark.parametrize(("fewest", "most"), [(1, 1000), (3, 1000), (1, 3), (4, 2), (1000, 1)])
def test_pieces_are_the_list(
    count: int, fewest: int, most: int, store: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "_BLOCK", 64)
    store[LIST] = csv_of(count)
    found = pieces.cut(LIST, fewest=fewest, most=most)
    assert len(found) <= most
    assert all(piece.lines >= fewest for piece in found[:-1])
    assert [piece.number for piece in found] == list(range(len(found)))
    assert [piece.start for piece in found] == [len("path,label\n"), *(piece.end for piece in found[:-1])]
    assert found[-1].end == len(store[LIST])
    assert sum(piece.lines for piece in found) == count
    folder = "mem://bucket/lists"
    expected = [(index + 2, f"{folder}/{index}/{'x' * (index % 7)}.jpg") for index in range(count)]
    assert lines_of(found) == expected


@pytest.mark.parametrize(
    ("content", "numbers"),
    [
        (codecs.BOM_UTF8 + b"path,label\r\n1.jpg,a\r\n\r\n2.jpg,b\r\n", [2, 4]),
        (b"\n\n1.jpg,a\n2.jpg,b\n\n\n", [3, 4]),
        (b'{"path": "1.jpg", "label": "a"}\n{"path": "2.jpg", "label": "b", "set": "test"}', [1, 2]),
        (b'path,label\n"1.jpg",a\n"2.jpg",b', [2, 3]),
    ],
)
def test_lines_keep_their_numbers(content: bytes, numbers: list[int], store: dict[str, bytes]) -> None:
    store[LIST] = content
    for fewest in (1, 100):
        found = pieces.cut(LIST, fewest=fewest)
        assert [number for number, _ in lines_of(found)] == numbers


def test_bad_line_is_named_by_its_number_in_the_list(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"path,label\n1.jpg,a\n2.jpg,b\n3.jpg\n4.jpg,c\n")
    *_, piece, _ = pieces.cut(str(path), fewest=1)
    with pytest.raises(BadRequest) as caught:
        list(pieces.images_in(piece))
    assert str(caught.value) == "line 4 has 1 field, not 2"


def test_line_says_what_it_says(store: dict[str, bytes]) -> None:
    store[LIST] = (
        f'{{"path": "/photos/1.jpg", "label": "a", "set": "test", "sha256": "{"ab" * 32}"}}'.encode()
    )
    ((_, image),) = pieces.images_in(pieces.cut(LIST)[0])
    assert (image.file, image.label, image.split) == ("/photos/1.jpg", "a", Split.TESTING)
    assert image.known
    assert image.known.digest == b"\xab" * 32


def test_what_is_no_list_is_refused(store: dict[str, bytes], tmp_path: Path) -> None:
    store[LIST] = b"path,label\n"
    with pytest.raises(BadRequest) as caught:
        pieces.cut(LIST)
    assert str(caught.value) == f"image_list '{LIST}' has no images."
    with pytest.raises(BadRequest) as caught:
        pieces.cut(str(tmp_path))
    assert str(caught.value) == f"image_list '{tmp_path}' is a folder, not a file."


def test_list_that_is_gone_is_no_fault_of_a_photo(store: dict[str, bytes]) -> None:
    store[LIST] = csv_of(1)
    (piece,) = pieces.cut(LIST)
    del store[LIST]
    with pytest.raises(WorkFailed) as caught:
        list(pieces.images_in(piece))
    assert str(caught.value) == f"'{LIST}' cannot be read (not found)."
