"""Output files: written under a temporary name and then renamed, so that none is ever incomplete."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

from retraining.errors import WorkFailed


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a new temporary path in the same folder; on success it is renamed to `path`.

    Parent folders are created. On an error the temporary file is removed and `path` stays as it was. A link
    at `path` is replaced, not followed. Raises WorkFailed if the file system reports an error.
    """
    beside = path.parent / f".{path.name}.{uuid.uuid4().hex}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL: in a shared folder such as /tmp, another user may have put a link under this name.
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    except OSError as error:
        raise _not_written(path, error) from error
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise _not_written(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, completely or not at all. Raises WorkFailed."""
    with replacing(path) as beside:
        beside.write_bytes(content)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder next to `path`, which is removed at the end. Raises WorkFailed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _not_written(path, error) from error
    with scratch as folder:
        yield Path(folder)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a path for a new folder; on success it is renamed to `path`, which must be empty or not exist.

    Raises WorkFailed if the file system reports an error.
    """
    with scratch_folder(path) as scratch:
        try:
            yield scratch / "new"
            (scratch / "new").replace(path)
        except OSError as error:
            raise _not_written(path, error) from error


@contextlib.contextmanager
def replacing_files(folder: Path) -> Iterator[Path]:
    """Yield a path for a new folder; on success its files are moved to `folder`, and replace those there.

    Other files that `folder` has are left alone. Raises WorkFailed if the file system reports an error.
    """
    with scratch_folder(folder) as scratch:
        new = scratch / "new"
        try:
            yield new
            for path in sorted(path for path in new.rglob("*") if path.is_file()):
                place = folder / path.relative_to(new)
                place.parent.mkdir(parents=True, exist_ok=True)
                path.replace(place)
        except OSError as error:
            raise _not_written(folder, error) from error


def reason(error: Exception) -> str:
    """Return what went wrong, without paths and in one line, from an error of Python's or TensorFlow's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # TensorFlow's messages look like "/tmp/some.file; No space left on device [Op:SaveV2]".
    text = str(error) or type(error).__name__
    after_node = re.search(r"^Node: .*\n(.+)$", text, re.MULTILINE)  # follows a Python stack trace
    line = after_node[1] if after_node else text.splitlines()[0]
    return re.sub(r" \[Op:\w+\].*", "", line.rpartition("; ")[2])


def _not_written(path: Path, error: OSError) -> WorkFailed:
    return WorkFailed("'{path}' cannot be written: {reason}.", path=path, reason=reason(error))
