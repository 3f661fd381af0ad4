"""A list of images cut into pieces."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from retraining.data.image_list import Known, ListedImage
from retraining.data.split import Split


class Piece(NamedTuple):
    number: int
    file: str
    start: int
    end: int
    first_line: int
    lines: int


def cut(file: str, piece_lines: int = 1000) -> list[Piece]:
    found, start, first = [], 0, 1
    content = Path(file).read_bytes().splitlines(keepends=True)
    for number in range(0, len(content), piece_lines):
        part = content[number : number + piece_lines]
        size = sum(map(len, part))
        found.append(Piece(len(found), file, start, start + size, first, len(part)))
        start, first = start + size, first + len(part)
    return found


def images_in(piece: Piece) -> Iterator[tuple[int, ListedImage]]:
    with open(piece.file, "rb") as file:
        file.seek(piece.start)
        content = file.read(piece.end - piece.start)
    for number, line in enumerate(content.splitlines()):
        fields = json.loads(line)
        known = None
        if "sha256" in fields:
            known = Known(bytes.fromhex(fields["sha256"]), fields.get("bits", 16))
        split = Split(fields["set"]) if "set" in fields else None
        yield piece.first_line + number, ListedImage(fields["path"], fields["label"], split, known)
