"""The first steps: each image of the list is read, and it is decided how deep 16-bit images are."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from retraining.data import images, prefetching, sample_depth
from retraining.data.image_list import Known, ListedImage
from retraining.data.list_reading import SetRule
from retraining.data.split import Split
from retraining.distribution import counters, photographs, pieces
from retraining.distribution.elements import Found
from retraining.distribution.pieces import Piece
from retraining.distribution.steps import Step
from retraining.errors import BadImage

_LOOKAHEAD = 64  # images that are read while others wait for their turn


class _Read(NamedTuple):
    """An image after reading it: the size of its file, and how long that took."""

    found: Found
    size: int
    seconds: float


class ReadImages(Step):
    """From a piece of the list to a Found, as a tuple, for each image in it.

    A file that the list knows is not opened: its vectors may all be there.
    """

    def __init__(
        self, rule: SetRule | None, significant_bits: int | None, *, processors: int | None = None
    ) -> None:
        """Prepare it; `rule` says what set an image is in, if the list alone does not.

        `processors` is how many a worker process is to use, None for all.
        """
        self._rule = rule
        self._processors = processors
        self._significant_bits = significant_bits

    def work(self, piece: Piece) -> Iterator[tuple[Any, ...]]:
        """Yield the images of a piece."""
        prefetching.use_processors(self._processors)
        read = functools.partial(self._read, piece.number)
        listed = list(pieces.images_in(piece))
        threads = photographs.threads(image.file for _, image in listed)
        seconds, size, count = 0.0, 0, 0
        for image in prefetching.ahead(listed, read, lookahead=_LOOKAHEAD, threads=threads):
            seconds, size, count = seconds + image.seconds, size + image.size, count + 1
            if image.found.largest >= 0:
                counters.count_undecided(image.found.largest)
            yield tuple(image.found)
        counters.count(
            images=count,
            read=sum(image.known is None for _, image in listed),
            bytes=size,
            reading_ms=counters.milliseconds(seconds),
        )

    def _read(self, piece: int, numbered: tuple[int, ListedImage]) -> _Read:
        line, image = numbered
        found = Found(piece, line, image.file, image.label, self._split(image).value)
        if image.known is not None:
            return _Read(self._as_known(found, image.known), 0, 0.0)
        started = time.perf_counter()
        size = 0
        try:
            content = photographs.read(image.file)
            size = len(content)
            found = self._looked_at(found, content)
        except BadImage as error:
            found = found._replace(reason=str(error))
        return _Read(found, size, time.perf_counter() - started)

    def _split(self, image: ListedImage) -> Split:
        if self._rule is not None:
            (split,) = self._rule.splits([image.file], [image.split])
            return split
        return image.split or Split.TRAINING

    def _as_known(self, found: Found, known: Known) -> Found:
        found = found._replace(digest=known.digest, bits=known.bits, is_decided=known.decided)
        if not known.decided:
            return found
        if self._significant_bits is not None:
            return found._replace(bits=self._significant_bits)
        return found._replace(largest=(1 << known.bits) - 1)

    def _looked_at(self, found: Found, content: bytes) -> Found:
        depth = images.depth(content)
        found = found._replace(digest=images.digest(content), is_decided=depth.recorded is None)
        if depth.recorded is None and self._significant_bits is None:
            return found._replace(largest=depth.largest)
        return found._replace(bits=depth.bits(self._significant_bits))


def largest(element: tuple[Any, ...]) -> int:
    """Return the `largest` value of a Found."""
    return Found(*element).largest


def decided(element: tuple[Any, ...], most: int) -> tuple[Any, ...]:
    """Return a Found whose bits are decided; `most` is the `largest` of all images."""
    found = Found(*element)
    return tuple(found._replace(bits=sample_depth.enough_for(most)) if found.largest >= 0 else found)


def largest_of(values: Iterable[int]) -> int:
    """Return the largest of some values, or -1."""
    return max(values, default=-1)
