"""Files on this computer and in stores: gs://, s3:// and hdfs:// of `stores`. All paths are text.

Not `Path`, which makes gs:/bucket of gs://bucket.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from retraining.data import images
from retraining.distribution import stores
from retraining.errors import BadImage, WorkFailed
from retraining.storage import atomic_files

BLOCK = 1 << 16  # bytes; what is read from a store at least


def is_local(path: str) -> bool:
    """Return whether a path is one of this computer, without a scheme such as gs://."""
    return stores.scheme(path) is None


def join(folder: str, *names: str) -> str:
    """Return the path of a name in a folder, or in folders below it."""
    return str(Path(folder, *names)) if is_local(folder) else "/".join((folder.rstrip("/"), *names))


def parent(path: str) -> str:
    """Return the folder that a file is in."""
    return str(Path(path).parent) if is_local(path) else path.rpartition("/")[0]


def read(path: str) -> bytes:
    """Return the bytes of an image's file.

    Raises BadImage with the reason if there is no such file or this computer cannot read it, and WorkFailed
    if its store refuses or gives no answer: then no image is at fault, and none may be skipped for it.
    """
    if is_local(path):
        return images.read(Path(path))
    with opened(path) as file:
        size = file.seek(0, os.SEEK_END)
        images.check_size(size)
        file.seek(0)
        return file.read(size)


def read_range(path: str, start: int, size: int) -> bytes:
    """Return `size` bytes from `start` on, fewer at the end of the file. Raises as `read` does."""
    images.check_size(size)
    with opened(path) as file:
        file.seek(start)
        return file.read(size)


def read_file(path: str) -> bytes:
    """Return the bytes of a file that is no image, such as a list of them. Raises WorkFailed."""
    try:
        with opened(path) as file:
            return file.read()
    except BadImage as error:
        raise WorkFailed("'{path}' {reason}.", path=path, reason=error) from error


@contextlib.contextmanager
def opened(path: str, block: int = BLOCK) -> Iterator[IO[bytes]]:
    """Yield a file that is read from any place in it on, in blocks of at least so many bytes from a store.

    Raises as `read` does.
    """
    if is_local(path):
        with images.opened(Path(path)) as local:
            yield local
    else:
        with stores.opened(path, block) as file:
            yield file


def exists(path: str) -> bool:
    """Return whether there is a file, or on this computer a folder, at a path. Raises WorkFailed."""
    return Path(path).exists() if is_local(path) else stores.exists(path)


def list_names(folder: str) -> list[str]:
    """Return the names of the files directly in a folder, none if it is not there. Raises WorkFailed."""
    if not is_local(folder):
        return [name for name in names_below(folder) if "/" not in name]
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise WorkFailed(
            "'{path}' cannot be read: {reason}.", path=folder, reason=atomic_files.reason(error)
        ) from error


def names_below(folder: str) -> Iterator[str]:
    """Yield the names of all files in a folder of a store and below; see `stores`. Raises WorkFailed."""
    return stores.names_below(folder)


def write(path: str, content: bytes) -> None:
    """Write a file, completely or not at all, in place of one that is there. Raises WorkFailed."""
    if is_local(path):
        atomic_files.write_bytes(Path(path), content)
    else:
        stores.put(path, io.BytesIO(content))


@contextlib.contextmanager
def writing(path: str) -> Iterator[IO[bytes]]:
    """Yield a file to write; once all is written, it is put in place of one that is there.

    What goes to a store is in a file without a name on this computer first. Raises WorkFailed.
    """
    if is_local(path):
        with atomic_files.replacing(Path(path)) as beside, beside.open("wb") as file:
            yield file
        return
    with tempfile.TemporaryFile() as waiting:
        yield waiting
        waiting.seek(0)
        stores.put(path, waiting)


def rename(path: str, new: str) -> None:
    """Give a file another name. Raises WorkFailed."""
    try:
        if is_local(path):
            Path(path).replace(new)
        else:
            stores.rename(path, new)
    except Exception as error:
        raise WorkFailed(
            "'{path}' cannot be renamed to '{new}': {reason}.",
            path=path,
            new=new,
            reason=atomic_files.reason(error),
        ) from error


def remove_folder(folder: str) -> None:
    """Remove a folder that this run has made, and all files in it. Raises WorkFailed."""
    try:
        if is_local(folder):
            shutil.rmtree(folder)
        else:
            stores.remove_folder(folder)
    except Exception as error:
        raise WorkFailed(
            "'{folder}' cannot be removed: {reason}.", folder=folder, reason=atomic_files.reason(error)
        ) from error
