"""Lists that are given: what retrain.py would refuse at the end is refused before any work."""

from __future__ import annotations

import pytest

from retraining.data.split import Split
from retraining.distribution import list_check, pieces
from retraining.errors import BadRequest

LIST = "mem://bucket/lists/photos.csv"


def counted(content: str, store: dict[str, bytes]) -> dict[Split | None, int]:
    store[LIST] = content.encode()
    return dict(list_check.check(pieces.cut(LIST, fewest=2)))


def refusal(content: str, store: dict[str, bytes]) -> str:
    with pytest.raises(BadRequest) as caught:
        counted(content, store)
    return str(caught.value)


def test_empty_lines_are_no_images(store: dict[str, bytes]) -> None:
    assert counted("path,label\n\n1.jpg,a\n\n2.jpg,b\n\n", store) == {None: 2}
    assert refusal("path,label\n\n\n", store) == f"image_list '{LIST}' has no images."


def test_one_label_is_refused(store: dict[str, bytes]) -> None:
    assert refusal("path,label\n1.jpg,a\n2.jpg,a\n", store) == (
        f"image_list needs at least two labels; '{LIST}' has only 'a'. Add images of another class."
    )


def test_files_may_be_repeated_but_not_with_another_label_or_set(store: dict[str, bytes]) -> None:
    repeated = "path,label,set\n1.jpg,a,training\n2.jpg,b,testing\n3.jpg,b,\n1.jpg,a,training\n"
    assert counted(repeated, store) == {Split.TRAINING: 2, Split.TESTING: 1, None: 1}
    folder = LIST.rpartition("/")[0]
    assert refusal(f"{repeated}2.jpg,a,testing\n3.jpg,b,training\n", store) == (
        f"image_list '{LIST}' has 2 lines that cannot be used: line 6 gives '{folder}/2.jpg' another label than line 3; "
        f"line 7 gives '{folder}/3.jpg' another set than line 4. Correct or remove them."
    )
