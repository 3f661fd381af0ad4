"""A class that loses all its images: the error says what its files are, wherever it is found out."""

from __future__ import annotations

from pathlib import Path

import pytest

import retraining
from retraining.data import dataset
from retraining.errors import BadRequest
from retraining.features import lost_classes
from retraining.features.extractor import FeatureExtractor
from retraining.networks import image_batches
from retraining.settings.data import DataSettings
from tests import image_files

IMAGES = {
    "10 MP4 videos and 2 files that are empty": {"film.mp4": 10, "empty.jpg": 2},
    "3 PDF documents": {"scan.pdf": 3},
    "1 Canon raw photo": {"IMG_1.CR2": 1},
    "1 file that is cut short": {"cut JPEG.jpg": 1},
    "2 files that are cut short": {"cut JPEG.jpg": 1, "cut HEIC.jpg": 1},
    "2 files that have 256 megapixels": {"bomb PNG.png": 1, "bomb JPEG.png": 1},
    "2 files that are not images of a known format": {"random.jpg": 2},
    "2 files that have floating-point pixels": {"float.tiff": 2},
    "5 text files, 4 ZIP archives, 3 EPS drawings, 2 web pages and 2 more": {
        "notes.txt": 5,
        "photos.zip": 4,
        "drawing.eps": 3,
        "page.jpg": 2,
        "empty.jpg": 1,
        "scan.pdf": 1,
    },
}


@pytest.mark.parametrize("described", IMAGES)
def test_files_of_all_kinds_are_counted_in_plain_english(described: str) -> None:
    unusable = image_files.unusable()
    reasons = [unusable[name][1] for name, count in IMAGES[described].items() for _ in range(count)]
    assert lost_classes.described(reasons) == described


@pytest.mark.parametrize(
    ("reasons", "described"),
    [
        (["is a broken link (No such file or directory)"] * 2, "2 broken links"),
        (["is a folder, not a file"] * 2, "2 folders"),
        (["cannot be read (Permission denied)"] * 2, "2 files that cannot be read"),
        (["cannot be read (Permission denied)"], "1 file that cannot be read"),
        (["is larger than 1 GiB"] * 1200, "1,200 files that are larger than 1 GiB"),
        (["is HEIC, as iPhones write it: pip install pillow-heif"] * 12, "12 files that are HEIC"),
        (
            ["makes module tiny give values that are not numbers"] * 2,
            "2 files that make module tiny give values that are not numbers",
        ),
    ],
)
def test_other_problems_are_counted_too(reasons: list[str], described: str) -> None:
    assert lost_classes.described(reasons) == described


@pytest.fixture
def photos_and_videos(colour_photos: Path) -> Path:
    for number, name in enumerate(["film.mp4", "film.mp4", "empty.jpg"]):
        path = colour_photos / "films" / f"{number}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(image_files.unusable()[name][0])
    return colour_photos


EXPECTED = (
    "class 'films' has no usable images, only 2 MP4 videos and 1 file that is empty. Add images of it, or "
    "remove the class."
)


def test_python_functions_say_what_the_files_of_a_lost_class_are(
    photos_and_videos: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    found = retraining.scan(photos_and_videos)
    with pytest.raises(BadRequest) as caught:
        retraining.compute_bottlenecks(found, extractor, bottleneck_dir=tmp_path)
    assert str(caught.value) == EXPECTED


def test_comparison_says_what_the_files_of_a_lost_class_are(photos_and_videos: Path) -> None:
    with pytest.raises(BadRequest) as caught:
        image_batches.usable_images(dataset.scan(DataSettings(photos_and_videos)))
    assert str(caught.value) == EXPECTED


def test_class_that_keeps_an_image_is_none_of_them(photos_and_videos: Path) -> None:
    image = photos_and_videos / "films" / "photo.jpg"
    image.write_bytes((photos_and_videos / "cyan" / "cyan_000.jpg").read_bytes())
    usable = image_batches.usable_images(dataset.scan(DataSettings(photos_and_videos)))
    assert usable.dataset.labels[1] == "films"
