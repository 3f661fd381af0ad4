"""Labels files: one label per line, in the order of the classes."""

from __future__ import annotations

import os
import re
from pathlib import Path

from retraining.errors import BadRequest


def default_path(model: Path) -> Path:
    """Return the default path for the labels of a model: next to it, as `NAME_labels.txt`."""
    return model.with_name(f"{model.stem}_labels.txt")


def encode(labels: tuple[str, ...]) -> bytes:
    """Return the bytes of a labels file; line ends in a label become \\n or \\r, and backslashes double."""
    escapes = str.maketrans({"\\": "\\\\", "\n": "\\n", "\r": "\\r"})
    return b"".join(os.fsencode(label.translate(escapes)) + b"\n" for label in labels)


def read(path: Path) -> tuple[str, ...]:
    """Return the labels in a file. Raises BadRequest."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadRequest(
            "labels '{path}' cannot be read: {reason}.", path=path, reason=error.strerror
        ) from error
    if not content.strip(b"\r\n"):
        raise BadRequest(
            "labels '{path}' is empty. Give the file that retrain.py wrote with the graph.", path=path
        )
    return decode(content)


def decode(content: bytes) -> tuple[str, ...]:
    """Return the labels in the bytes of a labels file."""
    lines = content.removesuffix(b"\n").split(b"\n")
    return tuple(_decoded(os.fsdecode(line.removesuffix(b"\r"))) for line in lines)


def _decoded(line: str) -> str:
    originals = {"\\\\": "\\", "\\n": "\n", "\\r": "\r"}
    return re.sub(r"\\[\\nr]", lambda match: originals[match[0]], line)
