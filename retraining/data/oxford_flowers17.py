"""Oxford's 17 flowers, which come as one folder of numbered photographs -> a folder for each class.

    python -m retraining.oxford_flowers17 17flowers/jpg flowers17

The set is that of Nilsback and Zisserman, "A Visual Vocabulary for Flower Classification", CVPR 2006:
https://www.robots.ox.ac.uk/~vgg/data/flowers/17/. It has 80 photographs of each flower, in order.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from retraining.cli import console
from retraining.errors import BadRequest
from retraining.settings.options import OxfordFlowersOptions, parse_oxford_flowers17
from retraining.storage import atomic_files

# In the order of the photographs.
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
    """Return the flower on the photograph image_<number>.jpg; the first number is 1."""
    return CLASSES[(number - 1) // PER_CLASS]


def write(source: Path, destination: Path) -> None:
    """Put the photographs of `source` into class folders below `destination`.

    They are linked where the disk can (hard links, which take no space), else copied; `source` stays
    as it is. Raises BadRequest, before anything is written, if it does not hold the 1,360 of the set.
    """
    paths = _numbered(source)
    _check_destination(source, destination)
    numbered = enumerate(paths, start=1)
    for number, path in console.progress(numbered, total=COUNT, task="Sorting", unit="photo"):
        _place(path, destination / class_of(number) / path.name)


def _numbered(source: Path) -> list[Path]:
    """Return the set's files, in order."""
    if not source.is_dir():
        raise BadRequest(f"SRC must be the folder with image_0001.jpg; '{source}' is none.")
    paths = [source / f"image_{number:04d}.jpg" for number in range(1, COUNT + 1)]
    missing = [path.name for path in paths if not path.is_file()]
    if missing:
        raise BadRequest(
            f"SRC must hold image_0001.jpg to image_{COUNT}.jpg; '{source}' lacks {len(missing)} of them, "
            f"the first {missing[0]}. Unpack 17flowers.tgz anew and give its folder 'jpg'."
        )
    beyond = sum(1 for path in source.glob("image_*.jpg")) - COUNT
    if beyond > 0:
        raise BadRequest(
            f"SRC must hold {COUNT} photographs, {PER_CLASS} of each flower; '{source}' has {beyond} more. "
            "Is it the set of 102 flowers?"
        )
    return paths


def _check_destination(source: Path, destination: Path) -> None:
    if destination.exists() and not destination.is_dir():
        raise BadRequest(f"DST must be a folder, received the file '{destination}'.")
    if destination.is_dir() and any(destination.iterdir()):
        raise BadRequest(f"DST must be a new or empty folder; '{destination}' has something in it.")
    if source.resolve() in destination.resolve().parents:
        raise BadRequest(f"DST must not lie in SRC, received '{destination}'. Name a folder beside it.")


def _place(path: Path, target: Path) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    except OSError:  # another disk, or one without links; what else it may be, `replacing` says
        with atomic_files.replacing(target) as beside:
            shutil.copyfile(path, beside)


def oxford_flowers17(options: OxfordFlowersOptions) -> None:
    """Do all that the command line asks for."""
    write(options.source, options.destination)
    print(f"{COUNT} photographs in {len(CLASSES)} folders below {options.destination}, {PER_CLASS} in each")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(oxford_flowers17, parse=parse_oxford_flowers17, argv=argv, name="oxford_flowers17")


if __name__ == "__main__":
    sys.exit(main())
