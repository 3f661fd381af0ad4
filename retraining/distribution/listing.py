"""The list of images that a folder or a list stands for, wherever it is, as the file that workers read."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

from retraining.data import dataset, image_list
from retraining.data.address import Address
from retraining.data.dataset import Dataset
from retraining.data.folder_walk import Folder, FolderWalk
from retraining.data.image_list import ListedImage
from retraining.distribution import places
from retraining.distribution.archive_walk import ArchiveWalk, WalkOfNames
from retraining.distribution.name_walk import NameWalk
from retraining.progress import count_progress
from retraining.settings.distribute import ListedDataSettings

_AT_ONCE = 10_000  # names between two steps of the progress bar, and lines written in one go


def write(data: ListedDataSettings, folder: str, outputs: Iterable[Path] = ()) -> str:
    """Return the path of the list of images that `data` names, in `folder` if it has to be written first.

    In a folder, ZIP and TAR archives are folders too. Each image gets the set that `dataset.scan` puts it in.
    `outputs` on this computer are left out as there. Raises BadRequest as it does, and WorkFailed.
    """
    if data.image_list:
        return places.absolute(data.image_list)
    path = places.join(folder, "listed.jsonl")
    found = scan(data, outputs)
    lines = (
        image_list.to_json(ListedImage(image.file, found.labels[image.label], image.split)) + "\n"
        for image in found.images
    )
    with places.writing(path) as file:
        while some := "".join(itertools.islice(lines, _AT_ONCE)):
            file.write(some.encode())
    return path


def scan(data: ListedDataSettings, outputs: Iterable[Path] = ()) -> Dataset:
    """Return the images in the folder that `data` names, and in archives there. Raises as `write` does."""
    with count_progress(task="Listing", unit=" files") as bar:
        if places.is_local(data.folder):
            folder: Folder = Path(places.absolute(data.folder))
            walk: WalkOfNames = FolderWalk(outputs)
        else:
            folder = Address(data.folder.rstrip("/"))
            walk = _walk_in_store(folder, bar.update)
        return dataset.scan_folders(folder, ArchiveWalk(walk, bar.update), data)


def _walk_in_store(folder: Address, count: Callable[[int], object]) -> NameWalk:
    walk = NameWalk()
    for number, name in enumerate(places.names_below(folder), start=1):
        walk.add(folder, name, f"{folder}/{name}")
        if number % _AT_ONCE == 0:
            count(_AT_ONCE)
    return walk
