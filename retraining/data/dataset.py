"""Folders of images -> labels, and a split into sets that stays the same from run to run."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import operator
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from retraining.data.class_checks import check_class_count, check_class_sizes, warn_about_similar_names
from retraining.data.folder_walk import FolderFiles, FolderWalk, class_folders
from retraining.data.split import Split, split_names
from retraining.settings.data import DataSettings

log = logging.getLogger(__name__)


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
    """Class names, sorted, and every image, by class, folder and name.

    `significant_bits` is how many bits are used in 16-bit images that do not record it; None if that is not
    known.
    """

    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    significant_bits: int | None = None


def scan(settings: DataSettings, outputs: Iterable[Path] = ()) -> Dataset:
    """Return the images below `settings.image_dir`: each first-level folder is a class.

    Images may be at any depth in it. Names that begin with a dot are left out, and so are `outputs`, the
    files and folders that the run itself writes, and caches marked by a CACHEDIR.TAG. Small classes and
    likely mistakes are warned about. Raises BadRequest if there is nothing that could be trained on.
    """
    walk = FolderWalk(outputs)
    folders = [walk.files_in(folder) for folder in class_folders(settings.image_dir)]
    classes = [folder for folder in folders if folder.files or not folder.holds_outputs]
    for folder in folders:
        if folder not in classes:
            log.info("Folder '%s' holds outputs of this program and is not a class.", folder.path)
    labels = tuple(folder.path.name for folder in classes)
    check_class_count(settings.image_dir, labels)
    images: list[LabelledImage] = []
    for label, folder in enumerate(classes):
        images += _labelled(folder, label, settings)
    dataset = Dataset(labels, tuple(images), settings.significant_bits)
    warn_about_similar_names(labels)
    check(dataset)
    return dataset


def image_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files among `paths` and, for folders, the visible files at any depth in them."""
    files: list[Path] = []
    for path in paths:
        files += map(Path, FolderWalk().files_in(path).files) if path.is_dir() else [path]
    return files


def check(dataset: Dataset) -> None:
    """Warn about classes with few images or an empty set; raise BadRequest if one cannot be trained."""
    counts = {label: dict.fromkeys(Split, 0) for label in dataset.labels}
    for label, images in itertools.groupby(dataset.images, key=operator.attrgetter("label")):
        splits = [image.split for image in images]
        counts[dataset.labels[label]] = {split: splits.count(split) for split in Split}
    check_class_sizes(counts)


def _labelled(folder: FolderFiles, label: int, settings: DataSettings) -> Iterator[LabelledImage]:
    splits = split_names(
        folder.names,
        validation_percentage=settings.validation_percentage,
        testing_percentage=settings.testing_percentage,
    )
    fields = zip(folder.files, itertools.repeat(label), splits, strict=False)
    # What LabelledImage(...) comes down to, in half the time.
    return map(tuple.__new__, itertools.repeat(LabelledImage), fields)
