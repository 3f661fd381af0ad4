"""Files that cannot be used, and files that are there twice: told in a few lines, however many there are."""

from __future__ import annotations

import pytest

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.features import duplicates, problem_files
from retraining.features.bottleneck_sets import SkippedImage


def test_only_the_first_skipped_files_are_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(problem_files, "NAMED_FILES", 1)
    skipped = [SkippedImage(f"{number}.jpg", "is cut short") for number in range(3)]
    problem_files.warn_of_skipped(skipped, rest="see 'x.csv'")
    assert caplog.messages == ["skipped 0.jpg: it is cut short.", "skipped 2 more files: see 'x.csv'."]


def test_names_of_duplicates_are_no_formulas() -> None:
    images = tuple(LabelledImage(file, 0, Split.TRAINING) for file in ("=1+1.jpg", "gs://a/1.jpg"))
    labels = ('=HYPERLINK("http://x","y")',)
    found = duplicates.identical(Dataset(labels, images), (b"1", b"1"))
    assert [row[2:] for row in duplicates.rows(found, duplicates.Duplicates((), (), ()), labels)] == [
        ('./=HYPERLINK("http://x","y")', "training", "./=1+1.jpg"),
        ('./=HYPERLINK("http://x","y")', "training", "gs://a/1.jpg"),
    ]


def test_identical_files_are_grouped_in_the_order_of_the_dataset() -> None:
    images = tuple(LabelledImage(f"{number}.jpg", 0, Split.TRAINING) for number in range(5))
    found = duplicates.identical(Dataset(("a",), images), (b"2", b"1", b"3", b"1", b"2"))
    assert [[image.file for image in group] for group in found.copies] == [
        ["0.jpg", "4.jpg"],
        ["1.jpg", "3.jpg"],
    ]
