"""Images dealt into folds for cross-validation: each class evenly, copies of an image into the same one."""

from __future__ import annotations

import collections
import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from retraining.data.dataset import LabelledImage
from retraining.features.near_duplicates import Groups

FOLDS = 5


def deal(
    images: Sequence[LabelledImage], digests: Sequence[bytes], near: Groups, *, folds: int = FOLDS
) -> NDArray[np.int64]:
    """Return int64 [n], the fold of each image, from 0 to folds - 1.

    `digests` are the SHA-256 of the files, and `near` groups of files that show nearly the same. A group is
    in one fold, since an image would otherwise be judged by a layer that has all but seen it. The same
    images are dealt in the same way, however they are named and ordered.
    """
    group_of = {file: number for number, group in enumerate(near) for file in group}
    members: dict[bytes | int, list[int]] = collections.defaultdict(list)
    for number, (image, digest) in enumerate(zip(images, digests, strict=True)):
        members[group_of.get(image.file, digest)].append(number)
    ranked = sorted(members.values(), key=lambda group: min(_rank(digests[number]) for number in group))
    found = np.empty(len(images), np.int64)
    dealt: collections.Counter[int] = collections.Counter()
    for group in ranked:
        label = images[group[0]].label
        found[group] = dealt[label] % folds
        dealt[label] += 1
    return found


def _rank(digest: bytes) -> bytes:
    """Return an order that has nothing to do with that of the split or of the files."""
    return hashlib.sha256(digest).digest()
