"""A list of images in pieces, ranges of its bytes: many workers read it, and each line keeps its number."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from retraining.data import list_format
from retraining.data.image_list import ListedImage
from retraining.data.list_format import LineFormat
from retraining.distribution import places
from retraining.errors import BadImage, BadRequest, WorkFailed
from retraining.progress import byte_progress

FEWEST_LINES = 100  # of a piece
MOST_PIECES = 2000  # all pieces are sent to the runner with the pipeline, which may have megabytes

_BLOCK = 1 << 20  # bytes read at once


class Piece(NamedTuple):
    """Some lines of a list: the bytes from `start` up to `end`, and the number of the first, from 1."""

    number: int
    file: str
    format: LineFormat
    start: int
    end: int
    first_line: int
    lines: int


def cut(file: str, *, fewest: int = FEWEST_LINES, most: int = MOST_PIECES) -> list[Piece]:
    """Return the pieces of a list, at most `most`, of at least `fewest` lines each but for the last.

    Raises BadRequest if it is not a list, or an empty one.
    """
    try:
        with places.opened(file, _BLOCK) as content:
            head = content.read(list_format.HEAD_BYTES)
            format_ = list_format.recognized(head, list_name=file, folder=places.parent(file))
            found = _measured(content, format_.beginning.bytes, fewest)
    except BadImage as error:
        raise BadRequest("{image_list} '{file}' {reason}.", file=file, reason=error) from error
    check_count(found.lines, file)
    step = -(-found.lines // (fewest * most))
    ends = found.breaks[step - 1 :: step]
    if not ends or ends[-1] < found.end:
        ends.append(found.end)
    starts = [format_.beginning.bytes, *ends[:-1]]
    each, before = fewest * step, format_.beginning.lines
    return [
        Piece(
            number,
            file,
            format_,
            start,
            end,
            before + number * each + 1,
            min(each, found.lines - number * each),
        )
        for number, (start, end) in enumerate(zip(starts, ends, strict=True))
    ]


def images_in(piece: Piece) -> Iterator[tuple[int, ListedImage]]:
    """Yield the images of a piece, each with the number of its line in the list.

    Raises BadRequest, which names the line, at the first that cannot be used, and WorkFailed.
    """
    for number, line in lines(piece):
        image = piece.format.image(line, number)
        if image is not None:
            yield number, image


def check_count(images: int, file: str) -> None:
    """Raise BadRequest unless a list has images."""
    if not images:
        raise BadRequest("{image_list} '{file}' has no images.", file=file)


def lines(piece: Piece) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a piece, each with its number in the list. Raises WorkFailed."""
    try:
        content = places.read_range(piece.file, piece.start, piece.end - piece.start)
    except BadImage as error:
        raise WorkFailed("'{file}' {reason}.", file=piece.file, reason=error) from error
    return enumerate(content.split(b"\n"), start=piece.first_line)


class _Measured(NamedTuple):
    """Where each so-many-th line of a list ends, in bytes, where the list ends, and how many lines it has."""

    breaks: list[int]
    end: int
    lines: int


def _measured(content: IO[bytes], start: int, step: int) -> _Measured:
    """Return where each `step`-th line after byte `start` ends, after a look at all bytes of a list."""
    breaks: list[int] = []
    at, lines, is_open = start, 0, False
    total = content.seek(0, os.SEEK_END) - start
    content.seek(start)
    with byte_progress(total, task="List") as bar:
        while block := content.read(_BLOCK):
            found = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            wanted = found[step - 1 - lines % step :: step]
            breaks.extend((at + wanted + 1).tolist())
            at, lines, is_open = at + len(block), lines + len(found), block[-1:] != b"\n"
            bar.update(len(block))
    return _Measured(breaks, at, lines + is_open)
