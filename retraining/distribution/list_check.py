"""A list that was given is checked before any work: its lines, as retrain.py will read them at the end."""

from __future__ import annotations

import array
import collections
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from retraining.data import list_reading
from retraining.data.image_list import BadLine, ListedImage
from retraining.data.list_reading import BadLines
from retraining.data.split import Split
from retraining.distribution import pieces
from retraining.distribution.pieces import Piece
from retraining.progress import count_progress


def check(found: Sequence[Piece]) -> Counter[Split | None]:
    """Return how many lines of a list put their image into each set, None for no set.

    Takes 8 bytes of memory for each image, and more for each file that is listed more than once. Raises
    BadRequest if there are bad lines or contradictions, with the numbers of the first ones, no images, or
    images of one label only.
    """
    file = found[0].file
    counts: Counter[Split | None] = collections.Counter()
    labels: set[str] = set()
    hashes = array.array("q")
    bad = BadLines()
    for _, image in _images(found, bad):
        counts[image.split] += 1
        labels.add(image.label)
        hashes.append(hash(image.file))
    bad.check(file)
    pieces.check_count(counts.total(), file)
    if repeated := _repeated(hashes):
        _check_repeated(found, repeated)
    list_reading.check_labels(file, sorted(labels))
    return counts


def _images(found: Sequence[Piece], bad: BadLines) -> Iterator[tuple[int, ListedImage]]:
    """Yield the images of all pieces, each with the number of its line; add bad lines to `bad`."""
    with count_progress(sum(piece.lines for piece in found), task="List", unit="line") as bar:
        for piece in found:
            for number, line in pieces.lines(piece):
                try:
                    image = piece.format.image(line, number)
                except BadLine as error:
                    bad.add(error)
                else:
                    if image is not None:
                        yield number, image
            bar.update(piece.lines)


def _repeated(hashes: array.array[int]) -> set[int]:
    """Return the numbers that are there more than once; sorts them."""
    values = np.frombuffer(hashes, np.int64)
    values.sort()
    return set(values[1:][values[1:] == values[:-1]].tolist())


def _check_repeated(found: Sequence[Piece], hashes: set[int]) -> None:
    """Raise BadRequest if a file whose name has one of these hashes is listed with two labels or sets."""
    bad = BadLines()
    first: dict[str, tuple[int, ListedImage]] = {}
    for line, image in _images(found, bad):
        if hash(image.file) not in hashes:
            continue
        earlier_line, earlier = first.setdefault(image.file, (line, image))
        if (image.label, image.split) != (earlier.label, earlier.split):
            what = "label" if image.label != earlier.label else "set"
            bad.add(list_reading.contradiction(line, image.file, what, earlier=earlier_line))
    bad.check(found[0].file)
