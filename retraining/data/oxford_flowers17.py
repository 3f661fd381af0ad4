"""Oxford's 17 flowers, which come as one folder of numbered images -> a folder for each class.

The data set is from Nilsback and Zisserman, "A Visual Vocabulary for Flower Classification", CVPR 2006:
https://www.robots.ox.ac.uk/~vgg/data/flowers/17/. It has 80 images of each flower, in order.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from retraining.errors import BadRequest
from retraining.progress import progress
from retraining.storage import atomic_files

# In the order of the images.
CLASSES = (
    "daffodil",
    "snowdrop",
    "lily valley",
    "bluebell",
    "crocus",
    "iris",
    "tigerlily",
    "tulip",
    "fritillary",
    "sunflower",
    "daisy",
    "colts foot",
    "dandelion",
    "cowslip",
    "buttercup",
    "windflower",
    "pansy",
)
PER_CLASS = 80
COUNT = PER_CLASS * len(CLASSES)


def class_of(number: int) -> str:
    """Return the flower that image_<number>.jpg shows; the first number is 1."""
    return CLASSES[(number - 1) // PER_CLASS]


def write(source: Path, destination: Path) -> None:
    """Put the images in `source` into class folders below `destination`.

    They are hard links, which take no space, or copies where the disk does not support links; `source` is
    not changed. Raises BadRequest, before anything is written, unless `source` holds the 1,360 images of
    the data set and `destination` is a new or empty folder outside it; WorkFailed if an image cannot be
    written.
    """
    paths = _numbered(source)
    _check_destination(source, destination)
    numbered = enumerate(paths, start=1)
    for number, path in progress(numbered, total=COUNT, task="Sorting", unit="photo"):
        _place(path, destination / class_of(number) / path.name)


def _numbered(source: Path) -> list[Path]:
    """Return the files of the data set, in order."""
    if not source.is_dir():
        raise BadRequest(
            "{source} must be the folder that holds image_0001.jpg; '{folder}' is not a folder.",
            folder=source,
        )
    paths = [source / f"image_{number:04d}.jpg" for number in range(1, COUNT + 1)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise BadRequest(
            "{source} must hold image_0001.jpg to image_{count}.jpg; {missing} of them are missing from "
            "'{folder}', the first is {first}. Unpack 17flowers.tgz again and name its folder 'jpg'.",
            count=COUNT,
            missing=len(missing),
            folder=source,
            first=missing[0],
        )
    beyond = sum(1 for path in source.glob("image_*.jpg")) - COUNT
    if beyond > 0:
        raise BadRequest(
            "{source} must hold {count} images, {each} of each flower; '{folder}' has {beyond} more. Is it "
            "the data set of 102 flowers?",
            count=COUNT,
            each=PER_CLASS,
            folder=source,
            beyond=beyond,
        )
    return paths


def _check_destination(source: Path, destination: Path) -> None:
    if destination.exists() and not destination.is_dir():
        raise BadRequest("{destination} must be a folder; '{path}' is a file.", path=destination)
    if destination.is_dir() and any(destination.iterdir()):
        raise BadRequest(
            "{destination} must be a new or empty folder; '{folder}' is not empty.", folder=destination
        )
    if source.resolve() in destination.resolve().parents:
        raise BadRequest(
            "{destination} must be outside {source}, received '{folder}'. Name a folder next to it.",
            folder=destination,
        )


def _place(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    except OSError:  # another disk, or one without links; `replacing` reports other causes
        with atomic_files.replacing(target) as beside:
            shutil.copyfile(path, beside)
