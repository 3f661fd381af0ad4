"""Images dealt into folds for cross-validation: each class evenly, copies of an image into the same one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.data.dataset import LabelledImage
from retraining.features.near_duplicates import Groups

FOLDS = 5

Group = bytes
"""What images have in common that show nearly the same: the least SHA-256 of their files."""


def groups(images: Sequence[LabelledImage], digests: Sequence[bytes], near: Groups) -> list[Group]:
    """Return the group of each image: its own digest unless it is among those of `near`.

    `digests` are the SHA-256 of the files, and `near` groups of files that show nearly the same. Nothing
    depends on names or on the order.
    """
    number_of = {file: number for number, group in enumerate(near) for file in group}
    least: dict[int, bytes] = {}
    for image, digest in zip(images, digests, strict=True):
        if (number := number_of.get(image.file)) is not None:
            least[number] = min(digest, least.get(number, digest))
    return [
        digest if (number := number_of.get(image.file)) is None else least[number]
        for image, digest in zip(images, digests, strict=True)
    ]


def deal(labels: Sequence[int], grouped: Sequence[Group], *, folds: int = FOLDS) -> NDArray[np.int64]:
    """Return int64 [n], the fold of each image, from 0 to folds - 1.

    Images of one group are in one fold, since an image would otherwise be judged by a layer that has all but
    seen it. The same images are dealt in the same way, however they are named and ordered.
    """
    ranks = np.array([_rank(group) for group in grouped], "S32")
    _, group_of, sizes = np.unique(ranks, return_inverse=True, return_counts=True)
    label_of = np.full(len(sizes), np.iinfo(np.int64).max)
    np.minimum.at(label_of, group_of, np.asarray(labels, np.int64))
    dealt = np.empty(len(sizes), np.int64)
    in_order = np.argsort(label_of, kind="stable")
    starts = np.flatnonzero(np.diff(label_of[in_order], prepend=-1))
    for of_class in np.split(in_order, starts[1:]):
        dealt[of_class] = _dealt(sizes[of_class], folds)
    return dealt[group_of]


def _dealt(sizes: NDArray[np.int64], folds: int) -> NDArray[np.int64]:
    """Return int64 [n], the folds of groups of these sizes in turn: each goes to the smallest fold so far."""
    if (sizes == 1).all():
        return np.arange(len(sizes)) % folds
    counts = [0] * folds
    found = []
    for size in sizes.tolist():
        fold = counts.index(min(counts))
        counts[fold] += size
        found.append(fold)
    return np.array(found, np.int64)


def _rank(group: Group) -> bytes:
    """Return an order that has nothing to do with that of the split or of the files."""
    return hashlib.sha256(group).digest()
