"""Output files: written beside their place and renamed, so that none is ever half there."""

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
        raise _unwritten(path, error) from error
    try:
        yield beside
        beside.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes) -> None:
    """Replace `path` by `content`, whole or not at all. Raises WorkFailed."""
    with replacing(path) as beside:
        beside.write_bytes(content)


@contextlib.contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Yield a new hidden folder beside `path`, which goes in the end. Raises WorkFailed."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        scratch = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error
    with scratch as folder:
        yield Path(folder)


@contextlib.contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a path for a new folder that on success takes the place of `path`, which must be empty or not be.

    Raises WorkFailed when the disk refuses.
    """
    with scratch_folder(path) as scratch:
        try:
            yield scratch / "whole"
            (scratch / "whole").replace(path)
        except OSError as error:
            raise _unwritten(path, error) from error


def reason(error: Exception) -> str:
    """Return what went wrong, in a line without paths, of an error of Python's or TensorFlow's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    # TensorFlow's read "/tmp/some.file; No space left on device [Op:SaveV2]".
    text = str(error) or type(error).__name__
    of_op = re.search(r"^Node: .*\n(.+)$", text, re.MULTILINE)  # after a list of the Python that made the op
    first_line = of_op[1] if of_op else text.splitlines()[0]
    return re.sub(r" \[Op:\w+\].*", "", first_line.rpartition("; ")[2])


def _unwritten(path: Path, error: OSError) -> WorkFailed:
    return WorkFailed("'{path}' cannot be written: {reason}.", path=path, reason=reason(error))
