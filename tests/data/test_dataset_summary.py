"""What a report says of a dataset as a whole, wherever the images are."""

from __future__ import annotations

import pytest

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split


@pytest.mark.parametrize(
    ("files", "folder"),
    [
        ((), ""),
        (("/photos/rose/a.jpg", "/photos/rose/b.jpg"), "/photos/rose/"),
        (("/photos/rose/a.jpg", "/photos/rosemary/a.jpg"), "/photos/"),
        (("/data/a.jpg", "/photos/b.jpg"), "/"),
        (("photos/a.jpg", "photos/b.jpg"), "photos/"),
        (("rose/a.jpg", "tulip/a.jpg"), ""),
        (("../rose/a.jpg", "tulip/a.jpg"), ""),
        (("/data/a.jpg", "photos/b.jpg"), ""),
        (("/data/a.jpg", "gs://bucket/b.jpg"), ""),
        (("gs://bucket/rose/a.jpg", "gs://bucket/tulip/b.jpg"), "gs://bucket/"),
        (("gs://bucket/a.jpg", "gs://basket/b.jpg"), ""),
        (("gs://bucket/a.jpg", "s3://bucket/a.jpg"), ""),
    ],
    ids=str,
)
def test_folder_is_the_one_that_all_images_are_in(files: tuple[str, ...], folder: str) -> None:
    images = tuple(LabelledImage(file, number % 2, Split.TRAINING) for number, file in enumerate(files))
    assert DatasetSummary.of(Dataset(("rose", "tulip"), images)).folder == folder
