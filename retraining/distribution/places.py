"""Files on this computer and in stores (gs://, s3://, hdfs://), by Apache Beam; all paths are text.

Not `Path`, which makes gs:/bucket of gs://bucket. What fails for a moment is tried again by Beam and by the
clients of the stores, several times with growing pauses, so not here.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from retraining.data import images
from retraining.errors import BadImage, BadRequest, UserError, WorkFailed
from retraining.storage import atomic_files

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 1 << 16  # bytes; what is read from a store at least

_REFUSED = (403, 404)  # by a store that does answer: forbidden, not found
_AS_IT_IS = CompressionTypes.UNCOMPRESSED  # not unpacked on the way because of its suffix

_FILE_SYSTEMS: Any = FileSystems  # whose types are not all there

# By scheme, those that no file uses now.
_clients: dict[str, list[Any]] = {"s3": [], "gs": []}


def is_local(path: str) -> bool:
    """Return whether a path is one of this computer, without a scheme such as gs://."""
    return _scheme(path) is None


def join(folder: str, *names: str) -> str:
    """Return the path of a name in a folder, or in folders below it."""
    return str(Path(folder, *names)) if is_local(folder) else "/".join((folder.rstrip("/"), *names))


def parent(path: str) -> str:
    """Return the folder that a file is in."""
    return str(Path(path).parent) if is_local(path) else path.rpartition("/")[0]


def read(path: str) -> bytes:
    """Return the bytes of an image's file.

    Raises BadImage with the reason if there is no such file or it must not be read, and WorkFailed if its
    store gives no answer: then no image is at fault, and none may be skipped for it.
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
        return
    with contextlib.ExitStack() as stack:
        with _explained(path):
            file = stack.enter_context(_opened_in_store(path, block))
        yield io.BufferedReader(_StoreFile(path, file), block)


def exists(path: str) -> bool:
    """Return whether there is a file, or on this computer a folder, at a path. Raises WorkFailed."""
    if is_local(path):
        return Path(path).exists()
    with _explained(path):
        return bool(_system(path).exists(path))


def list_names(folder: str) -> list[str]:
    """Return the names of the files directly in a folder, none if it is not there. Raises WorkFailed."""
    if not is_local(folder):
        return [name for name in names_below(folder) if "/" not in name]
    try:
        return [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise _unreadable(folder, atomic_files.reason(error)) from error


def names_below(folder: str) -> Iterator[str]:
    """Yield the names of all files in a folder of a store and below, as paths from it on, one by one.

    Names that end with a slash stand for a folder. Raises WorkFailed.
    """
    start = f"{folder.rstrip('/')}/"
    system = _system(folder)
    with _explained(folder):
        # Not Beam's `match`, which makes a list of all, and takes a bracket in a name for a pattern.
        for found in system._list(start):
            yield found.path.removeprefix(start)


def write(path: str, content: bytes) -> None:
    """Write a file, completely or not at all, in place of one that is there. Raises WorkFailed."""
    if is_local(path):
        atomic_files.write_bytes(Path(path), content)
    else:
        _put(path, io.BytesIO(content))


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
        _put(path, waiting)


def rename(path: str, new: str) -> None:
    """Give a file another name. Raises WorkFailed."""
    try:
        if is_local(path):
            Path(path).replace(new)
        else:
            _system(path).rename([path], [new])
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
        elif (system := _system(folder)).has_dirs():
            system.delete([folder])
        else:
            system.delete([join(folder, name) for name in names_below(folder)])
    except Exception as error:
        raise WorkFailed(
            "'{folder}' cannot be removed: {reason}.", folder=folder, reason=atomic_files.reason(error)
        ) from error


class _StoreFile(io.RawIOBase):
    """A file of a store whose errors are this program's."""

    def __init__(self, path: str, file: Any) -> None:
        self._path = path
        self._file = getattr(file, "raw", file)  # without a buffer that reads megabytes for each photo

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        with _explained(self._path):
            return int(self._file.readinto(buffer))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with _explained(self._path):
            return int(self._file.seek(offset, whence))


@contextlib.contextmanager
def _opened_in_store(path: str, block: int) -> Iterator[IO[bytes]]:
    scheme = _scheme(path)
    if scheme not in _clients:
        with _system(path).open(path, compression_type=_AS_IT_IS) as file:
            yield file
        return
    with _client(path, scheme) as client, client.open(path, "rb", read_buffer_size=block) as file:
        yield file


def _scheme(path: str) -> str | None:
    scheme: str | None = _FILE_SYSTEMS.get_scheme(path)
    return scheme


@contextlib.contextmanager
def _client(path: str, scheme: str) -> Iterator[Any]:
    """Yield a client of a store that nobody else uses meanwhile.

    Beam makes a new one for each file that it opens: a tenth of a second of a processor, and a connection.
    """
    system = _system(path)
    # The options of the pipeline, which hold the keys and the address of the store.
    options = system._options if scheme == "s3" else system._pipeline_options
    client = None
    while _clients[scheme] and client is None:
        made_with, kept = _clients[scheme].pop()
        client = kept if made_with is options else None
    client = client or _new_client(scheme, options)
    try:
        yield client
    finally:
        _clients[scheme].append((options, client))


def _new_client(scheme: str, options: Any) -> Any:
    if scheme == "s3":
        from apache_beam.io.aws import s3io

        make: Any = s3io.S3IO
        return make(options=options)
    from apache_beam.io.gcp import gcsio

    return gcsio.GcsIO(pipeline_options=options)


def _put(path: str, content: IO[bytes]) -> None:
    """Write a file of a store, completely or not at all. Raises WorkFailed."""
    system = _system(path)
    try:
        if not system.has_dirs():
            _send(system, path, content)  # seen by others once it is complete
            return
        beside = f"{path}.{uuid.uuid4().hex}"
        _send(system, beside, content)
        if system.exists(path):
            system.delete([path])  # which renaming does not replace there
        system.rename([beside], [path])
    except Exception as error:  # each store has a family of its own
        reason = atomic_files.reason(error)
        raise WorkFailed("'{path}' cannot be written: {reason}.", path=path, reason=reason) from error


def _send(system: Any, path: str, content: IO[bytes]) -> None:
    file = system.create(path, compression_type=_AS_IT_IS)
    shutil.copyfileobj(content, file, 1 << 20)
    file.close()  # not after an error: what is there by then would become the file


def _system(path: str) -> Any:
    """Return Beam's file system for a path. Raises BadRequest if it is not installed or not set up."""
    try:
        return _FILE_SYSTEMS.get_filesystem(path)
    except (ValueError, BeamIOError) as error:
        raise BadRequest(
            "'{path}' cannot be reached by Apache Beam ({reason}). The packages for s3://, gs://, hdfs:// "
            "and azfs:// come with pip install 'apache-beam[aws]', '[gcp]', '[hadoop]' and '[azure]'.",
            path=path,
            reason=atomic_files.reason(error),
        ) from error


@contextlib.contextmanager
def _explained(path: str) -> Iterator[None]:
    """Turn what goes wrong with a file in a store into BadImage or WorkFailed."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # each store has a family of its own
        is_refused = isinstance(error, FileNotFoundError | PermissionError)
        if is_refused or getattr(error, "code", None) in _REFUSED:
            raise BadImage("cannot be read ({reason})", reason=atomic_files.reason(error)) from error
        raise _unreadable(path, atomic_files.reason(error)) from error


def _unreadable(path: str, reason: str) -> WorkFailed:
    return WorkFailed("'{path}' cannot be read: {reason}.", path=path, reason=reason)
