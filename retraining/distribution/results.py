"""The lists at the end of a run: the images whose vectors are there, and the files that cannot be used.

Workers write a part of each for each piece of the list of images; the driver joins them, in that order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from retraining.data import image_list
from retraining.distribution import counters, places
from retraining.distribution.elements import Failure, Found
from retraining.distribution.steps import Step
from retraining.features.problem_files import SKIPPED_FILE

IMAGES, FAILURES = "images", "failures"

IMAGE_LIST = "image_list.jsonl"
LISTS = (IMAGE_LIST, SKIPPED_FILE)


def by_piece(element: tuple[Any, ...]) -> tuple[int, tuple[Any, ...]]:
    """Return a Found by the piece of the list that it is in."""
    return Found(*element).piece, element


class WriteParts(Step):
    """Writes the parts of both lists for a piece of the list of images: lines of JSON, in its order."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def work(self, element: tuple[int, dict[str, Iterable[Any]]]) -> Iterator[Failure]:
        """Write what became of a piece; nothing comes after it."""
        piece, group = element
        failed = {line: (file, reason) for line, file, reason in sorted(group[FAILURES], reverse=True)}
        usable = []
        for found in sorted(map(Found._make, group[IMAGES]), key=lambda found: found.line):
            if found.reason:
                failed[found.line] = (found.file, found.reason)
            elif found.line not in failed:
                usable.append(image_list.to_json(found.listed()))
        self._write(IMAGES, piece, usable)
        self._write(FAILURES, piece, [json.dumps(failed[line]) for line in sorted(failed)])
        counters.count(failures=len(failed))
        yield from ()

    def _write(self, kind: str, piece: int, lines: list[str]) -> None:
        if lines:
            content = "".join(f"{line}\n" for line in lines)
            places.write(places.join(self._folder, _part(kind, piece)), content.encode())


def _part(kind: str, piece: int) -> str:
    return f"{kind}-{piece:08}.jsonl"


def parts(kind: str, folder: str) -> Iterator[bytes]:
    """Yield the parts of a list, in the order of the list of images."""
    for name in sorted(places.list_names(folder)):
        if name.startswith(f"{kind}-"):
            yield places.read_file(places.join(folder, name))


def failures(folder: str) -> Iterator[tuple[str, str]]:
    """Yield the files that cannot be used, each with the reason."""
    for part in parts(FAILURES, folder):
        for line in part.decode().splitlines():
            file, reason = json.loads(line)
            yield file, reason
