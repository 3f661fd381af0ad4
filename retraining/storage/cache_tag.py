"""The file that marks a folder as a cache, so that backups leave it out and no image is looked for in it.

Its name and its first line are those of https://bford.info/cachedir/.
"""

from __future__ import annotations

from pathlib import Path

from retraining.storage.atomic_files import write_bytes

NAME = "CACHEDIR.TAG"

_SIGNATURE = "Signature: 8a477f597d28d172789f06886806bc55"


def mark(folder: Path, note: str) -> None:
    """Mark a folder, unless it is marked already; `note` tells people what is in it. Raises WorkFailed."""
    path = folder / NAME
    if not path.exists():
        write_bytes(path, content(note))


def content(note: str) -> bytes:
    """Return what is in the file; `note` tells people what is in its folder."""
    return f"{_SIGNATURE}\n# {note}\n".encode()
