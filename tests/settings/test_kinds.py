"""The kinds of values that settings take: their rules, and the conversion of text and Python values."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pytest

from retraining.settings import kinds
from retraining.settings.kinds import Kind

# Kinds of numbers, each with its rule, numbers that follow it and numbers that break it.
NUMBERS: dict[str, tuple[Kind, str, tuple[Any, ...], tuple[Any, ...]]] = {
    "PERCENTAGE": (
        kinds.PERCENTAGE,
        "must be a percentage from 0 to 100",
        (0, 0.1, 33.3, 100),
        (-0.001, 100.1, math.inf, math.nan),
    ),
    "POSITIVE_NUMBER": (
        kinds.POSITIVE_NUMBER,
        "must be a number greater than 0",
        (1e-300, 0.01, 5, 1e300),
        (0, -1, math.inf, math.nan),
    ),
    "FINITE_NUMBER": (
        kinds.FINITE_NUMBER,
        "must be a number",
        (-1e300, -0.5, 0, 127.5),
        (math.inf, -math.inf, math.nan),
    ),
    "SCALE": (
        kinds.SCALE,
        "must be a number greater than 1",
        (1.001, 1.4, 10),
        (1, 0, -2, math.inf, math.nan),
    ),
    "SHARE": (
        kinds.SHARE,
        "must be a number above 0, and at most 1",
        (0.001, 0.25, 1),
        (0, 1.001, -0.5, math.nan),
    ),
    "BATCH_SIZE": (
        kinds.BATCH_SIZE,
        "must be a whole number from 1 to 1000000, or -1 for the whole set",
        (-1, 1, 1_000_000),
        (0, -2, 1_000_001, 1.5, math.inf, math.nan),
    ),
}

# Kinds of whole numbers, each with its smallest and its largest value.
WHOLE: dict[str, tuple[Kind, int, int]] = {
    "COUNT": (kinds.COUNT, 1, 10**9),
    "AT_LEAST_TWO": (kinds.AT_LEAST_TWO, 2, 10**9),
    "NON_NEGATIVE": (kinds.NON_NEGATIVE, 0, 10**9),
    "PORT": (kinds.PORT, 0, 65535),
    "IMAGE_SIZE": (kinds.IMAGE_SIZE, 1, 4096),
    "VIEW_COUNT": (kinds.VIEW_COUNT, 0, 1000),
    "BIT_COUNT": (kinds.BIT_COUNT, 8, 16),
}
ALL_NUMBERS: dict[str, Kind] = {name: row[0] for name, row in NUMBERS.items()}
ALL_NUMBERS |= {name: row[0] for name, row in WHOLE.items()}
WHOLE_KINDS = [kinds.BATCH_SIZE, *(row[0] for row in WHOLE.values())]
FRACTIONS = [kinds.PERCENTAGE, kinds.POSITIVE_NUMBER, kinds.FINITE_NUMBER, kinds.SHARE]


def rule(kind: Kind, value: Any) -> str:
    """Return the rule that a value breaks."""
    with pytest.raises(ValueError, match=r"^must ") as caught:
        kind.convert(value)
    return str(caught.value)


def test_count_or_every_is_a_count_or_the_word_all() -> None:
    assert [kinds.COUNT_OR_EVERY.convert(value) for value in ("all", "3", 3, np.int64(1))] == ["all", 3, 3, 1]
    for value in ("", "ALL", "every", 0, -1, 1.5, True, None):
        assert rule(kinds.COUNT_OR_EVERY, value) == "must be a whole number of at least 1, or 'all'"


def test_every_kind_is_tried_here() -> None:
    tried = {*ALL_NUMBERS, "SWITCH", "NAME", "NAMES_IN_TEXT", "HANDLE", "LABEL", "NAMES", "OP_NAME"}
    tried |= {"COUNT_OR_EVERY"}
    tried |= {"FILE", "PATH", "FOLDER", "PATH_PREFIX", "OPTIONAL_FILE", "OPTIONAL_FOLDER", "PATHS", "WORDS"}
    tried |= {"FOLDER_OR_ADDRESS", "FILE_OR_ADDRESS"}
    assert {name for name, value in vars(kinds).items() if isinstance(value, Kind)} == tried


@pytest.mark.parametrize("name", NUMBERS)
def test_number_must_follow_its_rule_as_text_and_as_a_python_value(name: str) -> None:
    kind, expected, good, bad = NUMBERS[name]
    for value in good:
        assert kind.convert(value) == kind.convert(repr(value)) == value
    for value in bad:
        assert rule(kind, value) == rule(kind, repr(value)) == expected


@pytest.mark.parametrize("name", WHOLE)
def test_whole_number_must_be_in_bounds_as_text_and_as_a_python_value(name: str) -> None:
    kind, least, most = WHOLE[name]
    for value in (least, least + 1, most):
        assert kind.convert(value) == kind.convert(str(value)) == value
    for bad in (least - 1, -(10**30), -math.inf, math.nan, 1.5):
        assert rule(kind, bad) == rule(kind, repr(bad)) == f"must be a whole number of at least {least}"
    for value in (most + 1, 10**30):
        assert rule(kind, value) == rule(kind, str(value)) == f"must be a whole number of at most {most}"


@pytest.mark.parametrize("name", ALL_NUMBERS)
@pytest.mark.parametrize(
    "value", [True, False, None, [1], (2,), {}, b"1", 1j, object, np.array([1, 2]), np.True_]
)
def test_bools_and_other_things_are_not_numbers(name: str, value: Any) -> None:
    assert rule(ALL_NUMBERS[name], value).startswith("must be a ")


@pytest.mark.parametrize("name", ALL_NUMBERS)
@pytest.mark.parametrize("text", ["", " ", "x", "0x10", "1,5", "1 2", "True", "None", "9" * 5000 + "x"])
def test_text_that_is_not_a_number_is_refused(name: str, text: str) -> None:
    assert rule(ALL_NUMBERS[name], text).startswith("must be a ")


@pytest.mark.parametrize("kind", WHOLE_KINDS)
@pytest.mark.parametrize(
    "value", [np.int64(9), np.uint8(9), np.float32(9), 9.0, Fraction(9), Decimal(9), "9"]
)
def test_whole_number_of_any_type_becomes_an_int(kind: Kind, value: Any) -> None:
    converted = kind.convert(value)
    assert converted == 9
    assert type(converted) is int


@pytest.mark.parametrize("kind", WHOLE_KINDS)
@pytest.mark.parametrize(
    "value", [5.5, np.float64(5.5), Fraction(11, 2), Decimal("5.5"), "5.5", "5.0", "1e3"]
)
def test_fraction_is_not_a_whole_number(kind: Kind, value: Any) -> None:
    assert rule(kind, value).startswith("must be a whole number")


@pytest.mark.parametrize("kind", FRACTIONS)
@pytest.mark.parametrize(
    "value", [np.float64(0.5), np.float32(0.5), Fraction(1, 2), 0.5, "0.5", ".5", "5e-1"]
)
def test_number_may_be_of_any_type(kind: Kind, value: Any) -> None:
    assert kind.convert(value) == 0.5


@pytest.mark.parametrize("value", [True, "True", "true", "TRUE", "1", "yes", "Yes"])
def test_switch_is_on(value: Any) -> None:
    assert kinds.SWITCH.convert(value) is True


@pytest.mark.parametrize("value", [False, "False", "false", "0", "no", "NO"])
def test_switch_is_off(value: Any) -> None:
    assert kinds.SWITCH.convert(value) is False


@pytest.mark.parametrize("value", ["", "maybe", "2", "on", 1, 0, None, [], np.bool_(True)])
def test_anything_else_is_not_a_switch_value(value: Any) -> None:
    assert rule(kinds.SWITCH, value) == "must be True or False"


@pytest.mark.parametrize("kind", [kinds.NAME, kinds.NAMES_IN_TEXT, kinds.HANDLE, kinds.LABEL])
def test_text_is_kept_as_it_is_and_a_path_becomes_text(kind: Kind) -> None:
    for text in ("", " a ", "a:0", "https://x/y?z=1", "~/no path", "two\nlines"):
        assert kind.convert(text) == text
    assert kind.convert(Path("modules/net")) == "modules/net"
    for value in (None, 1, True, b"x", ["a"]):
        assert rule(kind, value) == "must be text"


@pytest.mark.parametrize("value", ["a,b", " a , b ", ("a", "b"), ["a ", " b"]])
def test_names_are_text_with_commas_or_a_list(value: Any) -> None:
    assert kinds.NAMES.convert(value) == ("a", "b")


def test_names_that_cannot_be_read_are_refused() -> None:
    empty_names: tuple[Any, ...] = ("", "a,", ",a", "a,,b", ["a", ""], [" "])
    for value in empty_names:
        assert rule(kinds.NAMES, value) == "must be names separated by commas"
    not_names: tuple[Any, ...] = (1, None, [1, 2], {"a": 1}, {"a"}, [b"a"])
    for value in not_names:
        assert rule(kinds.NAMES, value) == "must be a list of names"


PATH_KINDS = [
    kinds.FILE,
    kinds.PATH,
    kinds.FOLDER,
    kinds.PATH_PREFIX,
    kinds.OPTIONAL_FILE,
    kinds.OPTIONAL_FOLDER,
]


@pytest.mark.parametrize("kind", PATH_KINDS)
def test_path_is_text_or_a_path_and_a_tilde_is_the_users_folder(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("~/photos", Path("~/photos"), PurePosixPath("~/photos")):
        assert kind.convert(value) == tmp_path / "photos"
    assert kind.convert("~") == tmp_path
    for text in ("photos", "/tmp/a", "a/~/b", "a~", "./~x"):
        assert kind.convert(text) == Path(text)
    assert rule(kind, "~no_such_user/x") == "must be a path whose ~ stands for a user's folder"
    not_paths: tuple[Any, ...] = (None, 1, True, b"photos", ["photos"])
    for bad in not_paths:
        assert rule(kind, bad) == "must be a path"


def test_empty_text_is_refused_unless_the_path_is_optional() -> None:
    for kind in (kinds.FILE, kinds.PATH, kinds.FOLDER, kinds.PATH_PREFIX):
        assert rule(kind, "") == "must be a path"
    for kind in (kinds.OPTIONAL_FILE, kinds.OPTIONAL_FOLDER):
        assert kind.convert("") is None


ADDRESS_KINDS = [
    kinds.FOLDER_OR_ADDRESS,
    kinds.FILE_OR_ADDRESS,
]


@pytest.mark.parametrize("kind", ADDRESS_KINDS)
def test_address_is_kept_as_it_is_and_a_path_becomes_text(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for text in ("gs://bucket/a//b", "s3://bucket", "hdfs://host:1/~/x", "s3+x://y"):
        assert kind.convert(text) == text
    for value in ("~/photos", Path("~/photos")):
        assert kind.convert(value) == str(tmp_path / "photos")
    assert kind.convert("/a:/b/") == "/a:/b"
    assert rule(kind, "~no_such_user/x") == "must be a path whose ~ stands for a user's folder"
    not_paths: tuple[Any, ...] = (1, True, b"s3://x", ["photos"])
    for bad in not_paths:
        assert rule(kind, bad) == "must be a path"


def test_address_is_not_empty() -> None:
    for kind in ADDRESS_KINDS:
        assert rule(kind, "") == "must be a path"


def test_words_are_kept_as_they_are() -> None:
    assert kinds.WORDS.convert(["--a", "b c", ""]) == ("--a", "b c", "")
    for value in ("--a", None, 1, [1], {"a"}):
        assert rule(kinds.WORDS, value) == "must be a list of words"


def test_paths_are_one_path_or_several(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("~/a.jpg", Path("~/a.jpg"), ["~/a.jpg"], (tmp_path / "a.jpg",)):
        assert kinds.PATHS.convert(value) == (tmp_path / "a.jpg",)
    assert kinds.PATHS.convert(["a", Path("b")]) == (Path("a"), Path("b"))
    assert kinds.PATHS.convert([]) == ()
    not_paths: tuple[Any, ...] = ("", [""], [1], ["a", None], 5, None)
    for bad in not_paths:
        assert rule(kinds.PATHS, bad) == "must be a path"


def test_op_name_is_one_that_tensorflow_accepts_and_the_graph_does_not_use() -> None:
    for name in ("final_result", "a", "0", ".x", "my.result-2", "A_b"):
        assert kinds.OP_NAME.convert(name) == name
    for value in ("", " ", "a b", "a:0", "a/b", "^a", "-a", "_a", "é", "a\n", None, 1, b"a"):
        assert rule(kinds.OP_NAME, value) == (
            "must be letters, digits, '_', '.' or '-', beginning with a letter or digit"
        )
    for name in ("Placeholder", "placeholder", "MODULE", "final_layer"):
        assert rule(kinds.OP_NAME, name) == (
            "must not be a name that the exported graph uses (Placeholder, module, final_layer)"
        )


def test_choice_is_one_of_the_choices() -> None:
    kind = kinds.one_of("float32", "bfloat16", placeholder="FORMAT")
    assert kind.placeholder == "FORMAT"
    assert kind.convert("bfloat16") == "bfloat16"
    for value in ("", "Float32", "float", None, 32, ["float32"], np.array(["float32", "x"])):
        assert rule(kind, value) == "must be one of float32 bfloat16"
