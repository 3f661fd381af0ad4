"""Finds images that show nearly the same: copies resized, cropped, mirrored or the like, and bursts.

Vectors propose, pixels decide: images whose feature vectors are near each other are candidates. Only those
are decoded and compared, each with a few others at most, so the work grows with the images, not their pairs.
"""

from __future__ import annotations

import collections
import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.data import images, likeness, prefetching
from retraining.data.likeness import Thumbnails
from retraining.errors import BadImage
from retraining.features import image_vectors, neighbours
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.neighbours import Pairs
from retraining.progress import progress

# Measured on photos of flowers by `python -m benchmarks near_duplicates`: the altered copies of a photo are
# its nearest neighbours, nearly all with cosines above 0.4. The mean of few vectors says too little for that.
_NEIGHBOURS = 6
_LEAST_COSINE = 0.4
_FEW_IMAGES = 64

# Altered copies reach 0.82 and more; the most alike of different photos 0.68.
_LEAST_LIKENESS = 0.75
# What every image of a group has in common with its first one: two copies that are cropped on opposite sides
# still reach 0.56. Without it, a chain of links, each a little further, could take in a whole class.
_LEAST_WITHIN_GROUP = 0.4

_LOOKAHEAD = 64

Groups = tuple[tuple[str, ...], ...]
"""Groups of files: two or more in each, every file in at most one."""


def find(bottlenecks: Bottlenecks) -> Groups:
    """Return the groups of images that show nearly the same, with all of their identical copies.

    The same images always give the same groups, however they are ordered and named. Candidates that can no
    longer be read are left out.
    """
    copies = _copies(bottlenecks)
    files = [same[0] for same in copies]
    if len(files) < 2:
        return ()
    number_of = {image.file: number for number, image in enumerate(bottlenecks.dataset.images)}
    numbers = np.array([number_of[file] for file in files])
    proposed = _proposals(bottlenecks, numbers)
    candidates, proposed = np.unique(proposed, return_inverse=True)
    proposed = proposed.reshape(-1, 2)
    significant_bits = bottlenecks.dataset.significant_bits
    thumbnails, is_usable = _thumbnails([files[number] for number in candidates], significant_bits)
    proposed = proposed[is_usable[proposed].all(axis=1)]
    groups = grouped(_links(proposed, thumbnails), thumbnails)
    return tuple(
        tuple(sorted(file for number in group for file in copies[candidates[number]])) for group in groups
    )


def _links(proposed: Pairs, thumbnails: Thumbnails) -> Pairs:
    """Return pairs that look alike out of those proposed, which are sorted by image, the nearest first.

    A pair that others connect already is not compared: of images that are all alike, such as the frames of a
    film, each is compared about once.
    """
    rank = np.arange(len(proposed)) - np.searchsorted(proposed[:, 0], proposed[:, 0])
    parents = list(range(len(thumbnails)))
    links = [proposed[:0]]
    for nearest in range(_NEIGHBOURS):
        pairs = proposed[rank == nearest]
        roots = np.array([_root(parents, number) for number in pairs.ravel().tolist()], np.int64).reshape(
            -1, 2
        )
        pairs = pairs[roots[:, 0] != roots[:, 1]]
        alike = likeness.likeness(thumbnails[pairs[:, 0]], thumbnails[pairs[:, 1]])
        links.append(pairs[alike >= _LEAST_LIKENESS])
        for one, other in links[-1].tolist():
            parents[_root(parents, one)] = _root(parents, other)
    return np.concatenate(links)


def _root(parents: list[int], number: int) -> int:
    """Return the image that stands for all those connected with this one; shortens the way to it."""
    while parents[number] != number:
        parents[number] = parents[parents[number]]
        number = parents[number]
    return number


def grouped(links: Pairs, thumbnails: Thumbnails) -> list[list[int]]:
    """Return groups of images that links connect, each image alike to the first of its group.

    `links` are pairs of images that look alike, as numbers of `thumbnails`.
    """
    linked: dict[int, list[int]] = collections.defaultdict(list)
    for one, other in links.tolist():
        linked[one].append(other)
        linked[other].append(one)
    groups, done = [], set[int]()
    for first in sorted(linked):
        if first in done:
            continue
        group = [first]
        done.add(first)
        reached = linked[first]  # alike to the first anyway
        while new := sorted({number for number in reached if number not in done}):
            group += new
            done.update(new)
            further = sorted({number for one in new for number in linked[one] if number not in done})
            reached = _alike_to(first, further, thumbnails)
        groups.append(group)
    return [group for group in groups if len(group) > 1]


def _alike_to(first: int, others: list[int], thumbnails: Thumbnails) -> list[int]:
    if not others:
        return []
    alike = likeness.likeness(thumbnails[[first] * len(others)], thumbnails[others])
    return [number for number, figure in zip(others, alike, strict=True) if figure >= _LEAST_WITHIN_GROUP]


def _copies(bottlenecks: Bottlenecks) -> list[list[str]]:
    """Return the files by their content, in the order of their hashes: the same whatever their names."""
    by_digest: dict[bytes, list[str]] = collections.defaultdict(list)
    for image, digest in zip(bottlenecks.dataset.images, bottlenecks.digests, strict=True):
        by_digest[digest].append(image.file)
    return [sorted(by_digest[digest]) for digest in sorted(by_digest)]


def _proposals(bottlenecks: Bottlenecks, numbers: NDArray[np.int64]) -> Pairs:
    """Return pairs of places in `numbers`, which are those of images in the dataset."""
    count = len(bottlenecks.dataset.images)
    directions = neighbours.sketches(lambda: image_vectors.blocks(bottlenecks), count)
    least = _LEAST_COSINE if count > _FEW_IMAGES else -2.0  # any
    return neighbours.nearest_earlier(directions[numbers], count=_NEIGHBOURS, least=least)


def _thumbnails(files: list[str], significant_bits: int | None) -> tuple[Thumbnails, NDArray[np.bool_]]:
    """Return the small copies of images, and which of them could be read."""
    found = np.zeros((len(files), likeness.SIDE, likeness.SIDE, 3), np.uint8)
    is_usable = np.zeros(len(files), bool)
    read = functools.partial(_thumbnail, significant_bits=significant_bits)
    decoded = prefetching.ahead(files, read, lookahead=_LOOKAHEAD)
    for number, small in enumerate(progress(decoded, total=len(files), task="Comparing", unit="image")):
        if small is not None:
            found[number], is_usable[number] = small, True
    return found, is_usable


def _thumbnail(file: str, significant_bits: int | None) -> NDArray[np.uint8] | None:
    try:
        return likeness.thumbnail(images.read(Path(file)), significant_bits)
    except BadImage:
        return None  # it has vanished or changed since its vector was computed
