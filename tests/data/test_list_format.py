"""Lines of lists: CSV with any separator and order of columns, or JSON; and each kind of bad line by its number."""

from __future__ import annotations

import pickle

import pytest

from retraining.data import list_format
from retraining.data.image_list import BadLine, Known, ListedImage, to_json
from retraining.data.list_format import HEAD_BYTES, LineFormat
from retraining.data.split import Split
from retraining.errors import BadRequest

SHA256 = "0123456789abcdef" * 4
DIGEST = bytes.fromhex(SHA256)


def recognized(head: bytes, folder: str = "") -> LineFormat:
    return list_format.recognized(head[:HEAD_BYTES], list_name="list.csv", folder=folder)


def images(content: bytes, folder: str = "") -> list[ListedImage]:
    """Return the images of a list, whose lines are read one by one."""
    found = recognized(content, folder)
    lines = content[found.beginning.bytes :].splitlines(keepends=True)
    read = [found.image(line, number) for number, line in enumerate(lines, found.beginning.lines + 1)]
    return [image for image in read if image is not None]


PLAIN = [ListedImage("a.jpg", "rose"), ListedImage("b.jpg", "tulip")]


@pytest.mark.parametrize(
    "content",
    [
        b"path,label\na.jpg,rose\nb.jpg,tulip\n",
        b"path,label\na.jpg,rose\nb.jpg,tulip",
        b"\xef\xbb\xbfpath,label\r\na.jpg,rose\r\n\r\nb.jpg,tulip\r\n",
        b"\n\n  \nLabel;Note;PATH\nrose;of 2020;a.jpg\n;;\ntulip;;b.jpg\n",
        b'"label"\t"path"\nrose\ta.jpg\n"tulip"\t"b.jpg"\n',
        b"path, label\na.jpg, rose\n b.jpg ,tulip\n",
        b"a.jpg,rose\nb.jpg,tulip\n",
        b"\xef\xbb\xbfa.jpg\trose\nb.jpg\ttulip\t\n",
        b"a.jpg;rose\nb.jpg;tulip\n",
        b'{"path": "a.jpg", "label": "rose"}\n{"label": "tulip", "size": [1, 2], "path": "b.jpg"}\n',
        b'\xef\xbb\xbf\n  {"path": "a.jpg", "label": "rose", "set": null}\r\n\n{"path":"b.jpg","label":"tulip"}',
    ],
)
def test_each_way_to_write_a_list_gives_the_same_images(content: bytes) -> None:
    assert images(content) == PLAIN


def test_quoted_fields_may_hold_separators_and_quotes() -> None:
    content = b'path,label\n"a, b.jpg","the ""white"" one"\n5" disk.jpg,plain\n'
    assert images(content) == [
        ListedImage("a, b.jpg", 'the "white" one'),
        ListedImage('5" disk.jpg', "plain"),
    ]


def test_sets_and_what_is_known_are_read() -> None:
    content = f"path,label,set,sha256,bits,significant_bits\na.jpg,x,Dev,{SHA256.upper()},12,\nb.jpg,x,test,{SHA256},,16\n"
    expected = [
        ListedImage("a.jpg", "x", Split.VALIDATION, Known(DIGEST, 12)),
        ListedImage("b.jpg", "x", Split.TESTING, Known(DIGEST, 16, decided=True)),
    ]
    assert images(content.encode()) == expected
    assert images("".join(to_json(image) + "\n" for image in expected).encode()) == expected


def test_what_is_written_is_read_back_whatever_the_names() -> None:
    names = ["a\nb.jpg", "caf\udce9.jpg", '"\u2028,;\\.jpg', " blank at both ends ", "\U0001f339.jpg"]
    written = [ListedImage(name, name, known=Known(DIGEST)) for name in names]
    content = "".join(to_json(image) + "\n" for image in written).encode()
    assert content.count(b"\n") == len(names)
    assert images(content) == written


def test_paths_are_relative_to_the_folder_of_the_list() -> None:
    content = b"path,label\nroses/a.jpg,x\n/data/b.jpg,x\ngs://bucket/c.jpg,x\n~/d.jpg,x\n"
    names = [image.file for image in images(content, "lists/new")]
    assert names == ["lists/new/roses/a.jpg", "/data/b.jpg", "gs://bucket/c.jpg", "lists/new/~/d.jpg"]


@pytest.mark.parametrize(
    ("path", "file"),
    [
        ("./a.jpg", "lists/a.jpg"),
        ("roses/.//./a.jpg", "lists/roses/a.jpg"),
        ("/data//b.jpg", "/data/b.jpg"),
        ("roses/../a.jpg", "lists/roses/../a.jpg"),  # another file, if roses is a link
        ("roses./a.jpg", "lists/roses./a.jpg"),
        ("gs://bucket//./c.jpg", "gs://bucket//./c.jpg"),
    ],
)
def test_path_is_the_same_however_it_is_written(path: str, file: str) -> None:
    assert [image.file for image in images(f"path,label\n{path},x\n".encode(), "lists")] == [file]


def test_labels_may_be_numbers_in_json() -> None:
    assert images(b'{"path": "a", "label": 7}') == [ListedImage("a", "7")]


def test_format_serves_another_process() -> None:
    for content in (b"path,label\na.jpg,rose\n", b'{"path": "a.jpg", "label": "rose"}\n'):
        found = pickle.loads(pickle.dumps(recognized(content)))
        assert found.image(content.splitlines(keepends=True)[-1], 1) == PLAIN[0]


HEADER = b"path,label,set,sha256,bits,significant_bits\n"
BAD_LINES = {
    b"a.jpg,x": "has 2 fields, not 6",
    b",x,,,,": "has no path",
    b"a.jpg,,test,,,": "has no label",
    b"a.jpg,x,trian,,,": "has the set 'trian', which is not train, val or test",
    b"a.jpg,x,eval,,,": "has the set 'eval', which is not train, val or test",
    b"a.jpg,x," + b"long" * 100 + b",,,": f"has the set '{'long' * 50}...', which is not train, val or test",
    b"a.jpg,x,,abc,,": "has a sha256 that is not 64 hexadecimal digits",
    b"a.jpg,x,,,12,": "has a number of bits and no sha256",
    f"a.jpg,x,,{SHA256},17,".encode(): "has '17' bits, not 1 to 16",
    f"a.jpg,x,,{SHA256},,many".encode(): "has 'many' bits, not 1 to 16",
    f"a.jpg,x,,{SHA256},12,12".encode(): "has both bits and significant_bits",
    b'"a.jpg,x,,,,': "is not CSV (a quote is not closed)",
    b'"a.jpg"b,x,,,,': "is not CSV (',' expected after '\"')",
    b"caf\xe9.jpg,x,,,,": "is not text in UTF-8",
    b"a\0.jpg,x,,,,": "has a NUL character in its path",
}
BAD_JSON = {
    b'{"path": "a"': "is not JSON",
    b"[" * 100_000: "is not JSON",
    b'["a", "b"]': "is not an object of JSON",
    b'{"label": "x"}': "has no path",
    b'{"path": "a", "label": ""}': "has no label",
    b'{"path": "a", "label": ["x"]}': "has a label that is not text",
    b'{"path": 7, "label": "x"}': "has a path that is not text",
    b'{"path": "a", "label": "x\\u0000"}': "has a NUL character in its label",
    b'{"path": "a", "label": "x", "set": 3}': "has the set '3', which is not train, val or test",
    b'{"path": "\\ud83d.jpg", "label": "x"}': "has half a character in its path",
    b'{"path": "a", "label": "\\udd39"}': "has half a character in its label",
    b'{"path": "a", "label": true}': "has a label that is not text",
}


@pytest.mark.parametrize(
    ("header", "line", "reason"),
    [
        *((HEADER, line, reason) for line, reason in BAD_LINES.items()),
        *((b"{", line, reason) for line, reason in BAD_JSON.items()),
        (b"a.jpg,x\n", b"b.jpg", "has 1 field, not 2 or 3"),
    ],
    ids=str,
)
def test_bad_line_is_named_by_its_number_with_the_reason(header: bytes, line: bytes, reason: str) -> None:
    with pytest.raises(BadLine) as caught:
        recognized(header).image(line + b"\n", 1234)
    assert str(caught.value) == f"line 1,234 {reason}"
    assert pickle.loads(pickle.dumps(caught.value)).number == 1234


ARRAY = "must have an object of JSON in each line, and not one array of them. Convert it, such as with jq -c '.[]'."


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"", "has no lines."),
        (b"\xef\xbb\xbf \n\r\n", "has no lines."),
        (
            b"filename,class\na.jpg,rose\n",
            "must begin with a line that names its columns, 'path' and 'label' among them, received 'filename,class'.",
        ),
        (
            b"path,path,label\n",
            "must begin with a line that names its columns, 'path' and 'label' among them, received 'path,path,label'.",
        ),
        (
            b"a/" * 101,
            f"must begin with a line that names its columns, 'path' and 'label' among them, received '{'a/' * 100}...'.",
        ),
        (b"[\r\n", ARRAY),
        (b' [ {"path": "a.jpg", "label": "x"},\n', ARRAY),
        ("path,label".encode("utf-16"), "must be text in UTF-8. Save it as 'CSV UTF-8'."),
    ],
    ids=str,
)
def test_file_that_is_no_list_is_refused(head: bytes, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        recognized(head)
    assert str(caught.value) == f"image_list 'list.csv' {message}"


@pytest.mark.parametrize(
    ("content", "corrected"),
    [
        (b"path,note,label\r\na.jpg,,rose\r\n", b'a.jpg,,"red, dark"\r\n'),
        (b'label;path\nrose;"a;b.jpg"\n', b'red, dark;"a;b.jpg"\n'),
        (
            b'{"path": "a.jpg", "x": [1], "label": "rose"}\n',
            b'{"path": "a.jpg", "x": [1], "label": "red, dark"}\n',
        ),
    ],
)
def test_line_with_another_label_keeps_everything_else(content: bytes, corrected: bytes) -> None:
    line = content.splitlines(keepends=True)[-1]
    assert recognized(content).relabelled(line, "red, dark") == corrected


@pytest.mark.parametrize(
    ("old", "new", "written"),
    [("3", "5", "5"), ("3", "-5", "-5"), ("3", "05", '"05"'), ("3", "rose", '"rose"'), ('"3"', "5", '"5"')],
)
def test_whole_number_in_json_stays_one_if_the_new_label_is_one(old: str, new: str, written: str) -> None:
    line = f'{{"path": "a.jpg", "label": {old}}}'.encode()
    assert recognized(line).relabelled(line, new) == f'{{"path": "a.jpg", "label": {written}}}'.encode()
