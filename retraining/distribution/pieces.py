"""A list of images in pieces, ranges of its bytes, so that many workers read it and each line keeps its number."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, NamedTuple

import numpy as np

from retraining.data import list_format
from retraining.data.image_list import ListedImage
from retraining.data.list_format import LineFormat
from retraining.distribution import places
from retraining.errors import BadImage, BadRequest
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

    Raises BadRequest if it is not a list.
    """
    try:
        with places.opened(file, _BLOCK) as content:
            format_ = _format(content, file)
            ends = _ends(content, format_, fewest)
    except BadImage as error:
        raise BadRequest("{image_list} '{file}' {reason}.", file=file, reason=error) from error
    step = max(1, -(-(len(ends.bytes)) // most))
    return list(_pieces(file, format_, ends.every(step)))


def images_in(piece: Piece) -> Iterator[tuple[int, ListedImage]]:
    """Yield the images of a piece, each with the number of its line in the list.

    Raises BadRequest, which names the line, at the first that cannot be used, and WorkFailed.
    """
    content = places.read_file(piece.file, piece.start, piece.end)
    for number, line in enumerate(content.splitlines(keepends=True), start=piece.first_line):
        image = piece.format.image(line, number)
        if image is not None:
            yield number, image


class _Ends(NamedTuple):
    """Where pieces may end: after so many bytes, which are so many lines."""

    bytes: list[int]
    lines: list[int]

    def every(self, step: int) -> _Ends:
        """Return each `step`-th of them, and the last."""
        last = (self.bytes[-1:], self.lines[-1:]) if len(self.bytes) % step else ([], [])
        return _Ends(self.bytes[step - 1 :: step] + last[0], self.lines[step - 1 :: step] + last[1])


def _format(content: IO[bytes], file: str) -> LineFormat:
    head = content.read(list_format.HEAD_BYTES)
    return list_format.recognized(head, list_name=file, folder=places.parent(file))


def _ends(content: IO[bytes], format_: LineFormat, lines: int) -> _Ends:
    """Return where each `lines` lines end, and the list itself, after a look at all of its bytes."""
    read, seen = format_.beginning
    content.seek(0, 2)
    ends = _Ends([], [])
    first_line, start = seen, read
    with byte_progress(content.tell() - start, task="List") as bar:
        content.seek(start)
        while block := content.read(_BLOCK):
            breaks = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
            wanted = breaks[lines - 1 - (seen - first_line) % lines :: lines]
            ends.bytes.extend((read + wanted + 1).tolist())
            read, seen = read + len(block), seen + len(breaks)
            bar.update(len(block))
    ends.lines.extend(range(first_line + lines, first_line + lines * (len(ends.bytes) + 1), lines))
    if read > (ends.bytes[-1] if ends.bytes else start):
        last_is_open = not block_ends
        ends.bytes.append(read)
        ends.lines.append(seen)
    return ends
