"""A converted network kept on disk beside a JSON record, which has the checksum of the network's file."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from retraining.storage import cache_tag
from retraining.storage.atomic_files import write_bytes

_NOTE = "Converted networks, which are converted again if this folder is removed."

Record = TypeVar("Record")

log = logging.getLogger(__name__)


class KeptNetwork:
    """The files of a converted network in a folder, which may be used by several runs at once."""

    def __init__(self, folder: Path, stem: str, suffix: str) -> None:
        self.folder = folder
        self.path, self.record_path = folder / f"{stem}{suffix}", folder / f"{stem}.json"

    def record(self, make: Callable[..., Record]) -> Record | None:
        """Return what `make` makes of the record's fields, or None if there is no record or it is damaged.

        `make` raises ValueError or TypeError for fields that it did not write. Of a damaged record, a
        warning says that the network will be converted again.
        """
        try:
            return make(**json.loads(self.record_path.read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, TypeError):
            self._warn_of_damage(self.record_path)
            return None

    def content(self, sha256: str) -> bytes | None:
        """Return the network's file if its SHA-256, in hex, is that of the record; else warn: None."""
        try:
            content = self.path.read_bytes()
        except OSError:
            content = b""
        if checksum(content) == sha256:
            return content
        self._warn_of_damage(self.path)
        return None

    def write(self, record: Any, content: bytes = b"") -> None:
        """Keep a record, a dataclass, and the network's file if there is one. Raises WorkFailed."""
        cache_tag.mark(self.folder, _NOTE)
        if content:
            write_bytes(self.path, content)
        # Last, since it stands for the whole.
        write_bytes(self.record_path, json.dumps(dataclasses.asdict(record), indent=1).encode())

    def _warn_of_damage(self, path: Path) -> None:
        log.warning("'%s' is damaged; the network is converted again.", path)


def checksum(content: bytes) -> str:
    """Return the SHA-256 of a file's bytes in hex."""
    return hashlib.sha256(content).hexdigest()
