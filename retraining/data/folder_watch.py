"""A folder that is watched for new images, such as the one that a camera writes to.

It is asked again and again what is in it, which works on network drives and memory cards too, where the
system reports no changes.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

from retraining.data.folder_walk import FolderWalk
from retraining.errors import BadRequest

INTERVAL = 1.0  # seconds

_State: TypeAlias = tuple[int, int]
"""The size of a file in bytes, and when it was last changed, in nanoseconds."""

log = logging.getLogger(__name__)


class FolderWatch:
    """Gives each file that appears in a folder, at any depth, or changes there: once, when it is complete.

    A file is complete if it has not changed between two looks. What is there at the beginning is left alone.
    """

    def __init__(self, folder: Path) -> None:
        """Raise BadRequest if the folder cannot be read."""
        self._folder = folder
        self._known = self._states()
        self._growing: dict[str, _State] = {}
        self._is_missing = False

    def leave_out(self, files: Iterable[Path]) -> None:
        """Leave out files as they are now, since they are looked at anyway."""
        self._known |= _states_of(map(str, files))

    def new_files(self) -> Iterator[list[Path]]:
        """Yield lists of new files, for ever."""
        while True:
            found = self.look()
            if found:
                yield found
            time.sleep(INTERVAL)

    def look(self) -> list[Path]:
        """Return the files that are new since the last look but one, and complete."""
        try:
            present = self._states()
        except BadRequest as error:  # a drive or card that may come back
            if not self._is_missing:
                log.warning(error.message)
            self._is_missing = True
            return []
        self._is_missing = False
        changed = {file: state for file, state in present.items() if self._known.get(file) != state}
        complete = {file: state for file, state in changed.items() if self._growing.get(file) == state}
        self._growing = changed
        # Without what is gone: another file may come under its name.
        self._known = {file: state for file, state in self._known.items() if file in present} | complete
        return [Path(file) for file in complete]

    def _states(self) -> dict[str, _State]:
        states = _states_of(FolderWalk().files_in(self._folder).files)
        return {file: state for file, state in states.items() if state[0] > 0}


def _states_of(files: Iterable[str]) -> dict[str, _State]:
    states = {}
    for file in files:
        try:
            status = Path(file).stat()
        except OSError:  # gone already, or a broken link
            continue
        states[file] = status.st_size, status.st_mtime_ns
    return states
