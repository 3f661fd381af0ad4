"""The photographs of a page: which of them are shown, and under which names."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from retraining.data.dataset import LabelledImage
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split
from retraining.report import thumbnails
from retraining.report.thumbnails import Picture

SET_NAMES = {Split.TRAINING: "training", Split.VALIDATION: "validation", Split.TESTING: "test"}


@dataclasses.dataclass(frozen=True)
class Photo:
    """A photograph as the page shows it; `name` is its path below the folder of all photographs.

    `number` is that of its picture in the page. It is None if there is no picture, and `missing` says why.
    """

    name: str
    label: str
    set_name: str
    number: int | None
    width: int = thumbnails.SIDE
    height: int = thumbnails.SIDE
    missing: str = ""


class Album:
    """The photographs of a dataset, with pictures of those that matter most."""

    def __init__(self, dataset: DatasetSummary, wanted: Iterable[LabelledImage]) -> None:
        """Make the pictures of the photographs `wanted`, the first of them first."""
        self.folder = dataset.folder
        self._labels = dataset.labels
        distinct = list({image.file: image for image in wanted}.values())
        self._made = thumbnails.make(distinct, dataset.significant_bits)
        self._numbers = {file: number for number, file in enumerate(self._made.pictures)}
        self.left_out = len(distinct) - len(self._made.pictures) - len(self._made.unreadable)

    @property
    def pictures(self) -> Sequence[Picture]:
        """The pictures, by their numbers."""
        return tuple(self._made.pictures.values())

    def photo(self, image: LabelledImage) -> Photo:
        """Return a photograph as the page shows it."""
        label, set_name = self._labels[image.label], SET_NAMES[image.split]
        name = image.file.removeprefix(self.folder)
        picture = self._made.pictures.get(image.file)
        if picture is not None:
            number = self._numbers[image.file]
            return Photo(name, label, set_name, number, picture.width, picture.height)
        reason = self._made.unreadable.get(image.file)
        missing = "left out" if reason is None else f"it {reason}"
        return Photo(name, label, set_name, None, missing=missing)

    def photos(self, images: Iterable[LabelledImage]) -> tuple[Photo, ...]:
        """Return photographs as the page shows them."""
        return tuple(map(self.photo, images))
