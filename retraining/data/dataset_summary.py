"""What a report says of a dataset as a whole: how many images there are, and not which."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split

_SETS = tuple(Split)


@dataclasses.dataclass(frozen=True)
class DatasetSummary:
    """The classes of a dataset, and `counts` int64 [classes, sets] of their images, sets as in Split.

    `has_given_sets` and `significant_bits` are those of the dataset. `folder` is the one that all images are
    in, with a separator at its end, or nothing if there is none. Of a million images the list takes hundreds
    of megabytes, this does not.
    """

    labels: tuple[str, ...]
    counts: NDArray[np.int64] = dataclasses.field(compare=False)
    has_given_sets: bool
    significant_bits: int | None
    folder: str

    @classmethod
    def of(cls, dataset: Dataset) -> DatasetSummary:
        """Return the summary of a dataset."""
        shape = len(dataset.labels), len(_SETS)
        place = {split: number for number, split in enumerate(_SETS)}
        cells = np.fromiter(
            (image.label * len(_SETS) + place[image.split] for image in dataset.images),
            np.int64,
            len(dataset.images),
        )
        counts = np.bincount(cells, minlength=shape[0] * shape[1]).reshape(shape)
        folder = _common_folder(dataset.images)
        return cls(dataset.labels, counts, dataset.has_given_sets, dataset.significant_bits, folder)

    def __len__(self) -> int:
        return int(self.counts.sum())

    def in_set(self, split: Split) -> NDArray[np.int64]:
        """Return how many images of each class are in a set, int64 [classes]."""
        found: NDArray[np.int64] = self.counts[:, _SETS.index(split)]
        return found


def _common_folder(images: Sequence[LabelledImage]) -> str:
    """Return the folder that all images are in, with the separator at its end; nothing if there is none.

    They are compared as text, since a list may have paths of all kinds and addresses beside each other.
    """
    first = min((image.file for image in images), default="")
    last = max((image.file for image in images), default="")
    common = os.path.commonprefix([first, last])  # noqa: RUF071 - the name behind the folder is cut off below
    folder = common.removesuffix(os.path.basename(common))  # noqa: PTH119 - Path would break an address
    return "" if folder.endswith("://") else folder
