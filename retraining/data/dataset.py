"""Folders of images -> labels, and a split into sets that stays the same from run to run.

No file is opened here: what the bytes are is for `images` to say, when they are read.
"""

from __future__ import annotations

import bisect
import dataclasses
import enum
import hashlib
import itertools
import logging
import operator
import os
import re
import struct
import unicodedata
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from retraining.errors import BadRequest
from retraining.settings.data import DataSettings

ADVISED_IMAGES_PER_CLASS = 20  # fewer, and a class's test accuracy is little more than chance

# Of more classes with the same complaint, these many are named: a thousand lines would hide the rest.
NAMED_CLASSES = 10

# The name by which backup programs know a folder that can be made again: https://bford.info/cachedir/
CACHE_TAG = "CACHEDIR.TAG"

# Decides nothing but which stray files and empty folders are spoken of.
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff")

_HASH_RANGE = 2**27 - 1  # the published script's MAX_NUM_IMAGES_PER_CLASS

log = logging.getLogger(__name__)


class Split(enum.Enum):
    """The set that an image belongs to."""

    TRAINING = "training"
    VALIDATION = "validation"
    TESTING = "testing"


# Looked up here, not in the enumeration, a hundred thousand times.
_TRAINING, _VALIDATION, _TESTING = Split


class LabelledImage(NamedTuple):
    """A file and the index of its class in `Dataset.labels`.

    A tuple that holds the path as text, since folders of a hundred thousand images are scanned.
    """

    file: str
    label: int
    split: Split

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.file)


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Class names, sorted, and every image, by class, folder and name."""

    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]


def split_of(name: str, *, validation_percentage: float, testing_percentage: float) -> Split:
    """Return the set of the image with the base name `name`.

    The published formula of TensorFlow's retrain.py. What follows `_nohash_` is ignored, so that
    close variants of one subject (leaf_nohash_1.jpg, leaf_nohash_2.jpg) stay in one set.
    """
    (split,) = _splits([name], validation_percentage, validation_percentage + testing_percentage)
    return split


def _splits(names: list[str], validation: float, held_out: float) -> list[Split]:
    """Return the set of each name, of many in one go: a folder may hold a hundred thousand.

    Below `validation` per cent it is validation, below `held_out` testing.
    """
    testing, training = _least_hash(validation), _least_hash(held_out)
    stems = [re.sub(r"_nohash_.*$", "", name) if "_nohash_" in name else name for name in names]
    # Hash the name, not the path: moving the folder must not move images between sets.
    digests = b"".join([hashlib.sha1(stem.encode("utf-8", "surrogateescape")).digest() for stem in stems])
    # The formula's remainder by 2**27 is the last 27 bits, which are in the last of a digest's five words.
    hashes = [word & _HASH_RANGE for (word,) in struct.iter_unpack(">16xI", digests)]
    return [
        _TRAINING if hashed >= training else _VALIDATION if hashed < testing else _TESTING
        for hashed in hashes
    ]


def _least_hash(percentage: float) -> int:
    """Return the least hash that by the formula's own arithmetic stands for `percentage` or more."""
    hashes = range(_HASH_RANGE + 1)
    return bisect.bisect_left(hashes, percentage, key=lambda hashed: hashed * (100.0 / _HASH_RANGE))


def scan(settings: DataSettings, outputs: Iterable[Path] = ()) -> Dataset:
    """Return the images below `settings.image_dir`: each first-level folder is a class.

    Images may lie at any depth below it. Names that begin with a dot are passed over, and so are
    `outputs`, files and folders that the run itself writes, and caches marked by a CACHEDIR.TAG.
    What is thin or looks like a mistake is warned of. Raises BadRequest if nothing could be trained
    on what is there.
    """
    walk = _Walk(outputs)
    found = [_found(folder, walk) for folder in _folders(settings.image_dir)]
    classes = [folder for folder in found if folder.files or not folder.holds_outputs]
    for folder in found:
        if folder not in classes:
            log.info("Folder '%s' holds what runs write and is no class.", folder.path)
    _check_count(settings.image_dir, classes)
    images: list[LabelledImage] = []
    for label, folder in enumerate(classes):
        images += _labelled(folder, label, settings)
    dataset = Dataset(tuple(folder.path.name for folder in classes), tuple(images))
    _warn_of_lookalikes(dataset.labels)
    check(dataset)
    return dataset


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files among `paths` and, for folders, the visible files at any depth in them."""
    files: list[Path] = []
    for path in paths:
        files += map(Path, _found(path, _Walk(())).files) if path.is_dir() else [path]
    return files


def check(dataset: Dataset) -> None:
    """Warn of classes with few images or an empty set; raise BadRequest if one cannot be trained."""
    counts = _counts(dataset)
    for label in dataset.labels:
        _check_can_be_trained(label, counts[label])
    _warn_of_thin_classes(counts)
    for split in (Split.VALIDATION, Split.TESTING):
        _warn_of_classes_without(split, counts)


def _check_can_be_trained(label: str, counts: dict[Split, int]) -> None:
    if sum(counts.values()) == 0:
        raise BadRequest(
            "class '{label}' has no images. Add images to its folder, or remove it.", label=label
        )
    if counts[Split.TRAINING] == 0:
        raise BadRequest(
            "class '{label}' has no training image: {counts}. Add images, or lower {validation_percentage} "
            "and {testing_percentage}.",
            label=label,
            counts=_shown(counts),
        )


def _warn_of_thin_classes(counts: dict[str, dict[Split, int]]) -> None:
    thin = [label for label in counts if sum(counts[label].values()) < ADVISED_IMAGES_PER_CLASS]
    for label in thin[:NAMED_CLASSES]:
        log.warning(
            "class '%s' has only %d images (%s). Add more, at least %d, for a result to rely on.",
            label,
            sum(counts[label].values()),
            _shown(counts[label]),
            ADVISED_IMAGES_PER_CLASS,
        )
    if len(thin) > NAMED_CLASSES:
        log.warning(
            "%s more classes have fewer than %d images.",
            f"{len(thin) - NAMED_CLASSES:,}",
            ADVISED_IMAGES_PER_CLASS,
        )


def _warn_of_classes_without(split: Split, counts: dict[str, dict[Split, int]]) -> None:
    without = [label for label in counts if counts[label][split] == 0]
    name = split.value
    for label in without[:NAMED_CLASSES]:
        log.warning(
            "class '%s' has no %s image (%s), so %s says nothing of it. Add images, or raise "
            "--%s_percentage.",
            label,
            name,
            _shown(counts[label]),
            name,
            name,
        )
    if len(without) > NAMED_CLASSES:
        log.warning("%s more classes have no %s image.", f"{len(without) - NAMED_CLASSES:,}", name)


def _warn_of_lookalikes(labels: Iterable[str]) -> None:
    """Warn of names that only a computer tells apart: Roses and roses, or an accent in two spellings."""
    seen: dict[str, str] = {}
    for label in labels:
        folded = unicodedata.normalize("NFC", label).casefold()
        if folded in seen:
            log.warning(
                "classes '%s' and '%s' differ only in case or in how a letter is stored. If they are one "
                "class, put their images into one folder.",
                seen[folded],
                label,
            )
        seen[folded] = label


def _check_count(image_dir: Path, classes: list[_Found]) -> None:
    if len(classes) >= 2:
        return
    found = f"only '{classes[0].path.name}'" if classes else "none"
    raise BadRequest(
        "{image_dir} needs at least two class folders; '{folder}' has {found}. Put the images of each class "
        "into a sub-folder of their own, such as '{roses}' and '{tulips}'.",
        folder=image_dir,
        found=found,
        roses=image_dir / "roses",
        tulips=image_dir / "tulips",
    )


def _folders(image_dir: Path) -> list[Path]:
    """Return the visible first-level folders, sorted; warn of what else there looks like images."""
    if not image_dir.is_dir():
        found = "is a file" if image_dir.exists() else "does not exist"
        raise BadRequest(
            "{image_dir} must be a folder with one sub-folder of images per class; '{folder}' {found}.",
            folder=image_dir,
            found=found,
        )
    try:
        folders, names = _content(str(image_dir))
    except OSError as error:
        raise BadRequest(
            "{image_dir} '{folder}' cannot be read: {reason}.", folder=image_dir, reason=error.strerror
        ) from error
    _warn_of_strays(image_dir, names)
    return [image_dir / name for name in folders]


def _warn_of_strays(image_dir: Path, names: list[str]) -> None:
    for path in (image_dir / name for name in sorted(names)):
        if path.is_symlink() and not os.path.exists(path):
            log.warning("'%s' is a link that leads nowhere, so it is no class.", path)
    loose = sum(name.lower().endswith(IMAGE_SUFFIXES) for name in names)
    if loose:
        log.warning(
            "%s images lie in '%s' itself and belong to no class. Move them into a class's folder.",
            f"{loose:,}",
            image_dir,
        )


class _Found(NamedTuple):
    """A first-level folder, its files, and whether anything in it was passed over as an output."""

    path: Path
    files: list[str]
    names: list[str]  # the files' base names
    holds_outputs: bool


def _found(folder: Path, walk: _Walk) -> _Found:
    files: list[str] = []
    names: list[str] = []
    passed_over = walk.passed_over
    for parent, found in walk.folders_below(folder):
        found.sort()
        names += found
        files += map(f"{parent}{os.sep}".__add__, found)
    return _Found(folder, files, names, walk.passed_over > passed_over)


class _Walk:
    """A walk through folders and links to folders, each once, past hidden names and outputs."""

    def __init__(self, outputs: Iterable[Path]) -> None:
        # By identity, not by name, since a path can be spelt in many ways.
        self._outputs = {identity for path in outputs if (identity := _identity(path)) is not None}
        self._output_names = {path.name for path in outputs}
        self.passed_over = 0

    def folders_below(self, folder: Path) -> Iterator[tuple[str, list[str]]]:
        """Yield each folder, itself first, with the names in it that may be images.

        A folder that cannot be read is such a name, to be listed among the files that cannot be
        used. Raises BadRequest if it is `folder` itself.
        """
        seen = set()
        waiting = [str(folder)]
        while waiting:
            parent = waiting.pop()
            try:
                folders, names = _content(parent)
            except OSError as error:
                if parent == str(folder):
                    raise BadRequest(
                        "folder '{folder}' cannot be read: {reason}.",
                        folder=folder,
                        reason=error.strerror,
                    ) from error
                yield _as_name(parent)
                continue
            identity = _identity(parent)
            # Seen: a link back to a parent would be walked for ever.
            if self._is_passed_over(identity, names) or identity in seen:
                continue
            seen.add(identity)
            waiting += [f"{parent}{os.sep}{name}" for name in reversed(folders)]
            yield parent, self._without_outputs(parent, names)
            if not (folders or names) and parent.lower().endswith(IMAGE_SUFFIXES):
                yield _as_name(parent)

    def _is_passed_over(self, identity: tuple[int, int] | None, names: list[str]) -> bool:
        is_output = identity in self._outputs or CACHE_TAG in names
        self.passed_over += is_output
        return is_output

    def _without_outputs(self, parent: str, names: list[str]) -> list[str]:
        suspects = self._output_names.intersection(names)
        written = {name for name in suspects if _identity(os.path.join(parent, name)) in self._outputs}
        self.passed_over += len(written)
        return [name for name in names if name not in written] if written else names


def _content(folder: str) -> tuple[list[str], list[str]]:
    """Return the names of visible folders, sorted, links to some included; and of all else visible."""
    folders: list[str] = []
    names: list[str] = []
    with os.scandir(folder) as scanned:
        for entry in scanned:
            name = entry.name
            if name[0] != ".":
                (folders if _is_folder(entry) else names).append(name)
    folders.sort()
    return folders, names


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in a circle
        return False


def _as_name(folder: str) -> tuple[str, list[str]]:
    parent, name = os.path.split(folder)
    return parent, [name]


def _identity(path: Path | str) -> tuple[int, int] | None:
    """Return what tells a file or folder from any other, whatever its path; None if it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _labelled(folder: _Found, label: int, settings: DataSettings) -> Iterator[LabelledImage]:
    held_out = settings.validation_percentage + settings.testing_percentage
    splits = _splits(folder.names, settings.validation_percentage, held_out)
    fields = zip(folder.files, itertools.repeat(label), splits, strict=False)
    # What LabelledImage(...) comes down to, at half the time.
    return map(tuple.__new__, itertools.repeat(LabelledImage), fields)


def _counts(dataset: Dataset) -> dict[str, dict[Split, int]]:
    counts = {label: dict.fromkeys(Split, 0) for label in dataset.labels}
    for label, images in itertools.groupby(dataset.images, key=operator.attrgetter("label")):
        splits = [image.split for image in images]
        counts[dataset.labels[label]] = {split: splits.count(split) for split in Split}
    return counts


def _shown(counts: dict[Split, int]) -> str:
    return ", ".join(f"{counts[split]} {split.value}" for split in Split)
