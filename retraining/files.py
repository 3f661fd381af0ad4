"""Output files: written beside their place and renamed, so that none is ever half there."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from retraining.errors import WorkFailed


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new temporary path beside `path`; on success it takes the place of `path`.

    Parent folders are created. On an error the temporary file goes and `path` stays as it was. A
    link planted at `path` is replaced, not followed. Raises WorkFailed when the disk refuses.
    """
    beside = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: in a shared folder such as /tmp nobody can put a link under this name first.
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise WorkFailed(f"{path}: cannot be written: {error.strerror}.") from error
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise WorkFailed(f"{path}: cannot be written: {error.strerror or error}.") from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, whole or not at all. Raises WorkFailed."""
    with replacing(path) as beside:
        beside.write_bytes(content)
