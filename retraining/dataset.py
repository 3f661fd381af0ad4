"""Folders of images -> labels, and a split into sets that stays the same from run to run.

No file is opened here: what the bytes are is for `images` to say, when they are read.
"""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import logging
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from retraining.errors import BadRequest
from retraining.options import DataOptions

ADVISED_IMAGES_PER_CLASS = 20  # fewer, and a class's test accuracy is little more than chance

_HASH_RANGE = 2**27 - 1  # the published script's MAX_NUM_IMAGES_PER_CLASS

log = logging.getLogger(__name__)


class Split(enum.Enum):
    """The set that an image belongs to."""

    TRAINING = "training"
    VALIDATION = "validation"
    TESTING = "testing"


@dataclasses.dataclass(frozen=True, slots=True)
class LabelledImage:
    """A file and the index of its class in `Dataset.labels`."""

    path: Path
    label: int
    split: Split


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Class names, sorted, and every image, by class and then by path."""

    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]


def split_of(name: str, *, validation_percentage: float, testing_percentage: float) -> Split:
    """Return the set of the image with the base name `name`.

    The published formula of TensorFlow's retrain.py. What follows `_nohash_` is ignored, so that
    close variants of one subject (leaf_nohash_1.jpg, leaf_nohash_2.jpg) stay in one set.
    """
    stem = re.sub(r"_nohash_.*$", "", name)
    # Hash the name, not the path: moving the folder must not move images between sets.
    digest = hashlib.sha1(os.fsencode(stem), usedforsecurity=False).hexdigest()
    percentage = (int(digest, 16) % (_HASH_RANGE + 1)) * (100.0 / _HASH_RANGE)
    if percentage < validation_percentage:
        return Split.VALIDATION
    if percentage < validation_percentage + testing_percentage:
        return Split.TESTING
    return Split.TRAINING


def scan(options: DataOptions) -> Dataset:
    """Return the images below `options.image_dir`: each first-level folder is a class.

    Images may lie at any depth below it. Names that begin with a dot are passed over. What is thin
    is warned of. Raises BadRequest if nothing could be trained on what is there.
    """
    folders = _class_folders(options.image_dir)
    images = [
        LabelledImage(path, label, _split(path, options))
        for label, folder in enumerate(folders)
        for path in sorted(_files_below(folder))
    ]
    dataset = Dataset(tuple(folder.name for folder in folders), tuple(images))
    check(dataset)
    return dataset


def check(dataset: Dataset) -> None:
    """Warn of classes with few images or an empty set; raise BadRequest if one cannot be trained."""
    counts = _counts(dataset)
    for label in dataset.labels:
        _check_class(label, counts[label])


def _check_class(label: str, counts: dict[Split, int]) -> None:
    total = sum(counts.values())
    if total == 0:
        raise BadRequest(f"class '{label}' has no images. Add images to its folder, or remove the folder.")
    if counts[Split.TRAINING] == 0:
        raise BadRequest(
            f"class '{label}' has no training image: {_shown(counts)}. Add images, or lower "
            "--validation_percentage and --testing_percentage."
        )
    if total < ADVISED_IMAGES_PER_CLASS:
        log.warning(
            "class '%s' has only %d images (%s). Add more, at least %d, for a result to rely on.",
            label,
            total,
            _shown(counts),
            ADVISED_IMAGES_PER_CLASS,
        )
    for split in (Split.VALIDATION, Split.TESTING):
        if counts[split] == 0:
            log.warning(
                "class '%s' has no %s image (%s), so %s says nothing of it. Add images, or raise "
                "--%s_percentage.",
                label,
                split.value,
                _shown(counts),
                split.value,
                split.value,
            )


def _class_folders(image_dir: Path) -> list[Path]:
    if not image_dir.is_dir():
        found = "is a file" if image_dir.exists() else "does not exist"
        raise BadRequest(
            f"--image_dir must be a folder with one sub-folder of images per class; '{image_dir}' {found}."
        )
    try:
        folders = [Path(entry) for entry in os.scandir(image_dir) if _is_visible_folder(entry)]
    except OSError as error:
        raise BadRequest(f"--image_dir '{image_dir}' cannot be read: {error.strerror}.") from error
    if len(folders) < 2:
        raise BadRequest(
            f"--image_dir needs at least two class folders to tell apart; '{image_dir}' has "
            f"{_shown_names(folders)}. Put the images of each class into a sub-folder of their own, "
            f"such as '{image_dir / 'roses'}' and '{image_dir / 'tulips'}'."
        )
    return sorted(folders, key=lambda folder: folder.name)


def _is_visible_folder(entry: os.DirEntry[str]) -> bool:
    return not entry.name.startswith(".") and entry.is_dir()


def _files_below(folder: Path) -> Iterator[Path]:
    """Yield every visible file at any depth, through links to folders, but each folder once."""
    seen = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        # By identity, not by name: a link back to a parent would be walked for ever.
        status = Path(parent).stat()
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(parent, name) for name in names if not name.startswith("."))


def _split(path: Path, options: DataOptions) -> Split:
    return split_of(
        path.name,
        validation_percentage=options.validation_percentage,
        testing_percentage=options.testing_percentage,
    )


def _counts(dataset: Dataset) -> dict[str, dict[Split, int]]:
    counts = {label: dict.fromkeys(Split, 0) for label in dataset.labels}
    for image in dataset.images:
        counts[dataset.labels[image.label]][image.split] += 1
    return counts


def _shown(counts: dict[Split, int]) -> str:
    return ", ".join(f"{counts[split]} {split.value}" for split in Split)


def _shown_names(folders: Iterable[Path]) -> str:
    names = [f"'{folder.name}'" for folder in folders]
    return f"only {names[0]}" if names else "none"
