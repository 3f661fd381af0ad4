"""What became of a run: the two lists have every image, or the run has failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from retraining.distribution import outcome
from retraining.errors import WorkFailed


def test_lists_lack_no_image_or_are_left_as_they_were(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    notes, lists = tmp_path / "notes", tmp_path / "lists"
    notes.mkdir()
    (notes / "images-00000000.jsonl").write_text('{"path": "1.jpg"}\n{"path": "2.jpg"}\n')
    (notes / "failures-00000001.jsonl").write_text('["3.jpg", "is empty"]\n')
    assert outcome.write_lists(str(notes), str(lists), images=3) == 1
    assert caplog.messages == ["skipped 3.jpg: it is empty."]
    before = {path.name: path.read_bytes() for path in lists.iterdir()}
    assert before == {
        "image_list.jsonl": b'{"path": "1.jpg"}\n{"path": "2.jpg"}\n',
        "skipped_images.csv": b"path,reason\n./3.jpg,is empty\n",
    }

    with pytest.raises(WorkFailed) as caught:
        outcome.write_lists(str(tmp_path / "elsewhere"), str(lists), images=1234)
    assert str(caught.value) == (
        f"workers have told what became of 0 of 1,234 images in '{lists}'. output_dir must be a folder that they share "
        "with this computer, or one in a store."
    )
    assert {path.name: path.read_bytes() for path in lists.iterdir()} == before
