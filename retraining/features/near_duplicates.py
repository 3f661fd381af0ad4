"""Finds images that show nearly the same: copies resized, cropped, mirrored or the like, and bursts.

Vectors propose, pixels decide: images whose feature vectors are near each other are candidates. Only those
are decoded and compared, each with a few others at most, so the work grows with the images, not their pairs.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors
from retraining.data import likeness, prefetching
from retraining.data.dataset import LabelledImage
from retraining.data.likeness import Thumbnails
from retraining.data.list_format import is_elsewhere
from retraining.errors import BadImage, Message
from retraining.features import image_vectors, neighbours
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.neighbours import Pairs
from retraining.progress import progress
from retraining.storage import large_arrays

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
_PAIRS_AT_ONCE = 4096

# Of more images than this, only some are looked up, unless all are asked for: to compare all, nearly every
# image has to be read again.
MOST_IMAGES = 50_000
LOOKED_UP = 2_000

Groups = tuple[tuple[str, ...], ...]
"""Groups of files: two or more in each, every file in at most one."""

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Search:
    """How images were looked up: `count` of `total` images that differ, each beside all others.

    `unread` is how many might have been like another, but are not on this computer, and not in `total`, or
    could not be read to compare them.
    """

    count: int
    total: int
    unread: int = 0

    @property
    def is_sample(self) -> bool:
        """Whether only some images were looked up."""
        return self.count < self.total


@dataclasses.dataclass(frozen=True)
class NearDuplicates:
    """Groups of files that show nearly the same, and how they were searched for; None if they were not."""

    groups: Groups = ()
    search: Search | None = None


def find(bottlenecks: Bottlenecks, folder: Path | None = None) -> NearDuplicates:
    """Return the groups of images that show nearly the same, with all of their identical copies.

    The same images always give the same groups, however they are ordered and named. Images that are not on
    this computer, and candidates that can no longer be read, are left out. Of more than MOST_IMAGES images,
    only LOOKED_UP are looked up among all: the first by their hashes. With a `folder` all are looked up in
    any case; arrays too large for memory are kept in files there. Raises WorkFailed if they do not fit.
    """
    copies = _Copies(bottlenecks)
    total = len(copies)
    if total < 2:
        search = Search(total, total, copies.absent)
        _tell(search, 0)
        return NearDuplicates((), search)
    looked_up = LOOKED_UP if total > MOST_IMAGES and folder is None else total
    if looked_up < total:
        proposed = _proposals_of_some(bottlenecks, copies)
    else:
        proposed = _proposals(bottlenecks, copies, folder)
    candidates, proposed = np.unique(proposed, return_inverse=True)
    proposed = proposed.reshape(-1, 2)
    wanted = [copies.first(number) for number in candidates.tolist()]
    thumbnails, is_usable = _thumbnails(wanted, bottlenecks.dataset.significant_bits, folder)
    proposed = proposed[is_usable[proposed].all(axis=1)]
    groups = [candidates[group] for group in grouped(_links(proposed, thumbnails), thumbnails)]
    search = Search(looked_up, total, copies.absent + int((~is_usable).sum()))
    _tell(search, sum(int((group < looked_up).sum()) for group in groups))
    files_of = (
        tuple(sorted(file for place in group.tolist() for file in copies.all(place))) for group in groups
    )
    return NearDuplicates(tuple(files_of), search)


def _tell(search: Search, found: int) -> None:
    """Log how images were looked up, if not all were; `found` of them have near-duplicates."""
    if search.is_sample:
        log.info(
            Message(
                "Near-duplicates: {count:,} of {total:,} images, chosen by the hash of their content, were "
                "looked up among all; {found:,} have some ({share:.1%}). Turn {group_near_duplicates} on to "
                "find all of them, for which nearly every image is read again.",
                count=search.count,
                total=search.total,
                found=found,
                share=found / search.count,
            ),
        )
    if search.unread:
        log.info(
            "Near-duplicates: %s images that may be some cannot be read here, and were not compared.",
            f"{search.unread:,}",
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
        links.append(pairs[_likeness(thumbnails, pairs) >= _LEAST_LIKENESS])
        for one, other in links[-1].tolist():
            parents[_root(parents, one)] = _root(parents, other)
    return np.concatenate(links)


def _likeness(thumbnails: Thumbnails, pairs: Pairs) -> NDArray[np.float32]:
    """Return float32 [n], how alike the images of each pair look."""
    found = np.empty(len(pairs), np.float32)
    for start in range(0, len(pairs), _PAIRS_AT_ONCE):
        some = slice(start, start + _PAIRS_AT_ONCE)
        found[some] = likeness.likeness(thumbnails[pairs[some, 0]], thumbnails[pairs[some, 1]])
    return found


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


class _Copies:
    """The files of a dataset by their content, in the order of its hash: the same whatever their names.

    A content of which no file is on this computer has no place in it; `absent` is the number of these.
    """

    def __init__(self, bottlenecks: Bottlenecks) -> None:
        self._images = bottlenecks.dataset.images
        is_here = np.array([_is_here(image) for image in self._images], bool)
        digests = np.array(bottlenecks.digests, "S32")
        self._order = np.argsort(digests, kind="stable")
        digests = digests[self._order]
        self._starts = np.append(np.flatnonzero(np.append(True, digests[1:] != digests[:-1])), len(digests))
        for place in np.flatnonzero(np.diff(self._starts) > 1).tolist():
            same = slice(self._starts[place], self._starts[place + 1])
            self._order[same] = sorted(
                self._order[same].tolist(),
                key=lambda number: (not is_here[number], self._images[number].file),
            )
        has_file = is_here[self._order[self._starts[:-1]]]
        self._contents = np.flatnonzero(has_file)
        self.absent = int((~has_file).sum())

    def __len__(self) -> int:
        return len(self._contents)

    @property
    def places(self) -> NDArray[np.int64]:
        """The place in this order of each image of the dataset, int64 [n], or -1 for one without."""
        found = np.full(len(self._images), -1)
        found[self._order[self._starts[self._contents]]] = np.arange(len(self))
        return found

    def first(self, place: int) -> LabelledImage:
        """Return one of the images with a content, which is on this computer."""
        return self._images[int(self._order[self._starts[self._contents[place]]])]

    def all(self, place: int) -> list[str]:
        """Return all files with a content."""
        content = self._contents[place]
        same = self._order[self._starts[content] : self._starts[content + 1]]
        return [self._images[number].file for number in same.tolist()]


def _is_here(image: LabelledImage) -> bool:
    """Return whether an image can be on this computer: all others than known ones have just been read."""
    return image.known is None or (not is_elsewhere(image.file) and os.path.exists(image.file))  # noqa: PTH110 - faster


def _proposals(bottlenecks: Bottlenecks, copies: _Copies, folder: Path | None) -> Pairs:
    """Return pairs of places of images that may look alike."""
    directions = neighbours.sketches(lambda: image_vectors.blocks(bottlenecks), copies.places, folder)
    least = _LEAST_COSINE if len(copies.places) > _FEW_IMAGES else -2.0  # any
    return neighbours.nearest_earlier(directions, count=_NEIGHBOURS, least=least)


def _proposals_of_some(bottlenecks: Bottlenecks, copies: _Copies) -> Pairs:
    """Return pairs of places of images that may look alike: those of the first ones with any others."""
    places = copies.places
    sketch = neighbours.Sketcher(image_vectors.blocks(bottlenecks), len(places))
    wanted = np.empty((LOOKED_UP, sketch.width), np.float32)
    for found, vectors in _placed(bottlenecks, places):
        (here,) = np.nonzero(found < LOOKED_UP)
        wanted[found[here]] = sketch(vectors[here])
    # Each finds itself, too.
    found, products = neighbours.nearest(
        wanted, _placed(bottlenecks, places), sketch, count=_NEIGHBOURS + 1, least=_LEAST_COSINE
    )
    is_pair = np.isfinite(products) & (found != np.arange(LOOKED_UP)[:, np.newaxis])
    rows, columns = np.nonzero(is_pair)
    return np.stack([rows, found[rows, columns]], axis=1)


def _placed(
    bottlenecks: Bottlenecks, places: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int64], Vectors]]:
    """Yield the places of images, without copies, and their vectors, a block at a time."""
    for numbers, vectors in image_vectors.blocks(bottlenecks):
        kept = places[numbers] >= 0
        yield places[numbers[kept]], vectors[kept]


def _thumbnails(
    wanted: list[LabelledImage], significant_bits: int | None, folder: Path | None
) -> tuple[Thumbnails, NDArray[np.bool_]]:
    """Return the small copies of images, and which of them could be read."""
    shape = len(wanted), likeness.SIDE, likeness.SIDE, 3
    if folder is None:
        found = np.empty(shape, np.uint8)
    else:
        numbers = likeness.SIDE**2 * 3
        flat = large_arrays.allocate(len(wanted), numbers, folder, dtype=np.uint8, content="small copies")
        found = flat.reshape(shape)
    is_usable = np.zeros(len(wanted), bool)
    read = functools.partial(_thumbnail, significant_bits=significant_bits)
    decoded = prefetching.ahead(wanted, read, lookahead=_LOOKAHEAD)
    for number, small in enumerate(progress(decoded, total=len(wanted), task="Comparing", unit="image")):
        if small is not None:
            found[number], is_usable[number] = small, True
    return found, is_usable


def _thumbnail(image: LabelledImage, significant_bits: int | None) -> NDArray[np.uint8] | None:
    try:
        return likeness.thumbnail(image.read(), significant_bits)
    except BadImage:
        return None  # it has vanished or changed since its vector was computed
