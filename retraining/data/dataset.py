"""Folders or lists of images -> labels, and a split into sets that stays the same from run to run."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from retraining.data import list_reading, set_folders
from retraining.data.class_checks import check_class_count, check_class_sizes, warn_about_similar_names
from retraining.data.folder_walk import Folder, FolderFiles, FolderWalk, Walk, classes_among
from retraining.data.image_list import Known
from retraining.data.list_format import is_elsewhere
from retraining.data.split import Split, split_names
from retraining.errors import BadImage, BadRequest
from retraining.settings.data import DataSettings, HeldOut, SplitSettings

log = logging.getLogger(__name__)


class LabelledImage(NamedTuple):
    """A file, the index of its class in `Dataset.labels`, its set, and what a list of images knows of it.

    A tuple that holds the path as text, since folders of a hundred thousand images are scanned.
    """

    file: str
    label: int
    split: Split
    known: Known | None = None

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.file)

    def read(self) -> bytes:
        """Return the bytes of the file. Raises BadImage, also if they are not those that the list knows."""
        from retraining.data import images  # slow to import, and not needed for help

        if is_elsewhere(self.file):
            raise BadImage("is not on this computer, and no vector of it is in the cache")
        content = images.read(self.path)
        if self.known is not None and images.digest(content) != self.known.digest:
            raise BadImage("has changed since the list was made (its SHA-256 differs)")
        return content


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Class names, sorted, and every image, by class, folder and name.

    `has_given_sets` is true if a folder of their own or a list says which the validation or test images are.
    `significant_bits` is how many bits are used in 16-bit images that do not record it; None if that is not
    known.
    """

    labels: tuple[str, ...]
    images: tuple[LabelledImage, ...]
    has_given_sets: bool = False
    significant_bits: int | None = None


def scan(settings: DataSettings, outputs: Iterable[Path] = ()) -> Dataset:
    """Return the images below `settings.image_dir`, or those in the list `settings.image_list`.

    Each first-level folder is a class. If the first-level folders are the sets of a split, such as train and
    test, then each folder in them is a class. Images may be at any depth in it. Names that begin with a dot
    and leftovers of the system are left out, and so are `outputs`, the files and folders that the run itself
    writes, and caches marked by a CACHEDIR.TAG. A list names images itself, and its order does not matter.
    Small classes and likely mistakes are warned about. Raises BadRequest if there is nothing that could be
    trained on, or if it is unclear what the sets are.
    """
    if settings.image_list is None:
        dataset = _in_folders(settings.source, FolderWalk(outputs), settings)
    else:
        dataset = _listed(settings)
    check_grouping(dataset, settings)
    return _checked(dataset)


def scan_folders(image_dir: Folder, walk: Walk, settings: SplitSettings) -> Dataset:
    """Return the images that a walk finds below `image_dir`, by the rules of `scan`. Raises BadRequest."""
    return _checked(_in_folders(image_dir, walk, settings))


def _checked(dataset: Dataset) -> Dataset:
    warn_about_similar_names(dataset.labels)
    check(dataset)
    return dataset


def _in_folders(image_dir: Folder, walk: Walk, settings: SplitSettings) -> Dataset:
    found = _class_folders(image_dir, walk, settings)
    labels = tuple(folder.path.name for folder in found.classes[Split.TRAINING])
    items: list[LabelledImage] = []
    for label in range(len(labels)):
        for split, folders in found.classes.items():
            items += _labelled(folders[label], label, split, found.to_cut)
    return Dataset(
        labels,
        tuple(items),
        has_given_sets=len(found.classes) > 1,
        significant_bits=settings.significant_bits,
    )


@list_reading.without_collecting()
def _listed(settings: DataSettings) -> Dataset:
    listing = list_reading.read(settings.source)
    list_reading.check_files(listing)
    counts = list_reading.counted(listing.splits)
    splits = list_reading.set_rule(settings.source, counts, settings).splits(listing.files, listing.splits)
    rows = list_reading.in_order_of_folders(listing)
    fields = ((listing.files[row], listing.classes[row], splits[row], listing.known[row]) for row in rows)
    return Dataset(
        listing.labels,
        tuple(_made(fields)),
        has_given_sets=any(counts.get(split) for split in (Split.VALIDATION, Split.TESTING)),
        significant_bits=settings.significant_bits or list_reading.decided_bits(listing),
    )


def check_grouping(dataset: Dataset, settings: DataSettings) -> None:
    """Raise BadRequest if near-duplicates are to be moved between sets that are given."""
    if dataset.has_given_sets and settings.group_near_duplicates:
        raise BadRequest(
            "{group_near_duplicates} would move images between sets, but '{source}' says which set each is "
            "in. Turn it off, or give the images without sets.",
            source=settings.source,
        )


def check(dataset: Dataset, lost: Mapping[str, str] = MappingProxyType({})) -> None:
    """Warn about classes with few images or an empty set; raise BadRequest if one cannot be trained.

    `lost` says what there is instead in each class of which no file is a usable image.
    """
    check_class_sizes(image_counts(dataset), lost=lost, has_given_sets=dataset.has_given_sets)


def image_counts(dataset: Dataset) -> dict[str, dict[Split, int]]:
    """Return the number of images of each class, in the order of the labels, in each set."""
    counts = {label: dict.fromkeys(Split, 0) for label in dataset.labels}
    for label, items in itertools.groupby(dataset.images, key=operator.attrgetter("label")):
        splits = [item.split for item in items]
        counts[dataset.labels[label]] = {split: splits.count(split) for split in Split}
    return counts


class _ClassFolders(NamedTuple):
    """The class folders of each set, the same classes in the same order, and what else is held out.

    The percentages `to_cut` are those of the training set. It has all images if no folder is a set.
    """

    classes: dict[Split, list[FolderFiles]]
    to_cut: HeldOut


def _class_folders(image_dir: Folder, walk: Walk, settings: SplitSettings) -> _ClassFolders:
    folders = walk.class_folders(image_dir)
    in_sets = {
        folder.name: classes
        for folder in folders
        if set_folders.is_set_name(folder.name) and (classes := classes_among(walk.folders_in(folder), walk))
    }
    classes = classes_among((folder for folder in folders if folder.name not in in_sets), walk)
    names: dict[str, list[str]] = {folder.path.name: [] for folder in classes}
    names |= {name: [folder.path.name for folder in folders] for name, folders in in_sets.items()}
    sets = set_folders.sets_among(image_dir, names)
    to_cut = set_folders.left_to_cut(image_dir, sets, settings)
    if not sets:
        classes += classes_among((image_dir / name for name in in_sets), walk)  # which are classes too
        _check_classes(image_dir, classes)
        return _ClassFolders({Split.TRAINING: sorted(classes, key=_name)}, to_cut)
    log.info("%s", set_folders.described(image_dir, sets, to_cut))
    for name in sets.values():
        walk.warn_about_stray_files(image_dir / name)
    check_class_count(image_dir / sets[Split.TRAINING], names[sets[Split.TRAINING]])
    return _ClassFolders({split: in_sets[name] for split, name in sets.items()}, to_cut)


def _check_classes(image_dir: Folder, classes: Sequence[FolderFiles]) -> None:
    """Warn about class folders that are the sets of a split or have them inside, or raise BadRequest."""
    check_class_count(image_dir, [_name(folder) for folder in classes])
    nested = [folder for folder in classes if folder.sub_folders]
    set_folders.check_names_of_classes(image_dir, map(_name, nested))
    for folder in nested[:1]:  # one warning for all
        set_folders.warn_about_sets_in_class(folder.path, folder.sub_folders)


def _name(folder: FolderFiles) -> str:
    return folder.path.name


def _labelled(folder: FolderFiles, label: int, split: Split, to_cut: HeldOut) -> Iterator[LabelledImage]:
    """Return the images of a class folder in the set `split`, with what is held out from the training set."""
    splits: Iterable[Split] = itertools.repeat(split)
    if split is Split.TRAINING:
        splits = split_names(
            folder.names, validation_percentage=to_cut.validation, testing_percentage=to_cut.testing
        )
    return _made(zip(folder.files, itertools.repeat(label), splits, itertools.repeat(None), strict=False))


def _made(fields: Iterable[tuple[str, int, Split, Known | None]]) -> Iterator[LabelledImage]:
    # What LabelledImage(...) comes down to, in half the time.
    return map(tuple.__new__, itertools.repeat(LabelledImage), fields)
