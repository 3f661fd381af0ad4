"""What is in a cell comes back as it was, and no spreadsheet program takes it for anything but text."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retraining.errors import BadRequest
from retraining.storage import spreadsheet
from retraining.storage.spreadsheet import cell, text_of

NAMES = st.binary().map(os.fsdecode) | st.text()


@settings(max_examples=40)
@given(NAMES)
def test_any_name_comes_back_from_its_cell(name: str) -> None:
    assert text_of(cell(name)) == name


@settings(max_examples=40)
@given(NAMES | st.from_regex(r"[=+\-@'0-9a-eE.,/ ]{1,8}", fullmatch=True))
def test_no_cell_begins_like_a_formula_or_holds_what_does_not_print(name: str) -> None:
    assert re.match(r"[A-Za-z0-9./]|[^\W\d_]", cell(name)) is not None
    assert re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]", cell(name)) is None


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("tulips", "tulips"),
        ("Zinnien, große", "Zinnien, große"),
        ("roses/may/100_n.jpg", "roses/may/100_n.jpg"),
        ("/home/me/photos", "/home/me/photos"),
        ("7", "7"),
        ("=cmd|'/c calc'!A1", "./=cmd|'/c calc'!A1"),
        ("+1", "./+1"),
        ("-1", "./-1"),
        ("@SUM(A1)", "./@SUM(A1)"),
        ("007", "./007"),
        ("1e5", "./1e5"),
        ("3-4", "./3-4"),
        ("123456789012", "./123456789012"),  # which would be shown, and saved, as 1.23457E+11
        ("1234567890123456", "./1234567890123456"),
        ("MARCH1", "./MARCH1"),
        ("May 5, 2020", "./May 5, 2020"),
        ("May/5", "./May/5"),
        ("TRUE", "./TRUE"),
        ("./a", "././a"),
        ("a\\b\n\x1b\x85", "a\\\\b\\x0a\\x1b\\u0085"),
        (" a ", "./\\x20a\\x20"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
        ("a\u202eb", "a\\u202eb"),
        ("", "./"),
    ],
)
def test_names_are_shown_as_they_are_wherever_that_is_safe(name: str, shown: str) -> None:
    assert cell(name) == shown
    assert text_of(shown) == name


def test_backslash_that_somebody_typed_is_one() -> None:
    assert text_of("a\\q \\xZZ") == "a\\q \\xZZ"


ROWS = [('roses/a;b, "c".jpg', "move"), ("roses/größe.jpg", "")]
HEADER = ("image", "action")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("is_all_quoted", [False, True])
def test_file_is_read_however_a_program_has_saved_it(
    separator: str, encoding: str, is_all_quoted: bool, tmp_path: Path
) -> None:
    with (tmp_path / "list.csv").open("w", encoding=encoding, newline="") as file:
        quoting: Any = csv.QUOTE_ALL if is_all_quoted else csv.QUOTE_MINIMAL
        writer = csv.writer(file, delimiter=separator, lineterminator="\r\n", quoting=quoting)
        writer.writerows([HEADER, *ROWS, ("", "")])
    table = spreadsheet.read(tmp_path / "list.csv", HEADER)
    assert table == (HEADER, [dict(zip(HEADER, row, strict=True)) for row in ROWS])


def test_written_file_is_read_and_begins_with_the_mark_by_which_excel_knows_it(tmp_path: Path) -> None:
    spreadsheet.write(tmp_path / "list.csv", HEADER, ROWS)
    assert (tmp_path / "list.csv").read_bytes().startswith(b"\xef\xbb\xbfimage,action\n")
    assert [tuple(row.values()) for row in spreadsheet.read(tmp_path / "list.csv", HEADER).rows] == ROWS


def test_columns_may_be_moved_and_added_and_empty_cells_at_the_end_be_lost(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("Notes;IMAGE ;action\n?;a.jpg\n")
    table = spreadsheet.read(tmp_path / "list.csv", HEADER)
    assert table.rows == [{"notes": "?", "image": "a.jpg", "action": ""}]


NO_LIST = (
    "must have the columns image, action in its first line. Is it the list that was written for you to mark?"
)
NO_UTF8 = "must be in UTF-8. In the spreadsheet program, save it as 'CSV UTF-8'."


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", NO_LIST),
        (b"\n\n", NO_LIST),
        (b"image|action\n", NO_LIST),
        (b'"' + b"x" * 200_000, NO_LIST),
        (b"image\0,action\n", NO_LIST),
        (b"PK\x03\x04\xff\xff", NO_UTF8),
        ("image,action\ngröße.jpg,\n".encode("cp1252"), NO_UTF8),
    ],
    ids=[
        "empty",
        "empty lines",
        "another separator",
        "huge cell",
        "a null",
        "a spreadsheet",
        "another encoding",
    ],
)
def test_other_files_are_refused(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(content)
    with pytest.raises(BadRequest) as caught:
        spreadsheet.read(path, HEADER)
    assert str(caught.value) == f"csv '{path}' {message}"
