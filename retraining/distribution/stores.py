"""Files in stores (gs://, s3://, hdfs://), by Apache Beam's file systems, with this program's errors.

What fails for a moment is tried again by Beam and by the clients of the stores, several times with growing
pauses, so not here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import IO, TYPE_CHECKING, Any

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from retraining.errors import BadImage, BadRequest, UserError, WorkFailed
from retraining.storage import atomic_files

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_DENIED, _GONE = 403, 404  # what a store means that does answer
_AS_IT_IS = CompressionTypes.UNCOMPRESSED  # not unpacked on the way because of its suffix

_FILE_SYSTEMS: Any = FileSystems  # whose types are not all there

# By scheme, those that no file uses now.
_clients: dict[str, list[Any]] = {"s3": [], "gs": []}


def scheme(path: str) -> str | None:
    """Return the scheme of an address, such as gs, or None for a path of this computer."""
    found: str | None = _FILE_SYSTEMS.get_scheme(path)
    return found


@contextlib.contextmanager
def opened(path: str, block: int) -> Iterator[IO[bytes]]:
    """Yield a file that is read from any place in it on, in blocks of at least so many bytes.

    Raises BadImage if there is none, and WorkFailed if it must not be read or the store gives no answer.
    """
    with contextlib.ExitStack() as stack:
        with _explained(path):
            file = stack.enter_context(_opened(path, block))
        yield io.BufferedReader(_StoreFile(path, file), block)


def exists(path: str) -> bool:
    """Return whether there is a file at an address. Raises WorkFailed."""
    with _explained(path):
        return bool(_system(path).exists(path))


def names_below(folder: str) -> Iterator[str]:
    """Yield the names of all files in a folder of a store and below, as paths from it on, one by one.

    Names that end with a slash stand for a folder. Raises WorkFailed.
    """
    start = f"{folder.rstrip('/')}/"
    system = _system(folder)
    try:
        # Not Beam's `match`, which makes a list of all, and takes a bracket in a name for a pattern.
        for path in _below(system, start) if system.has_dirs() else _listed(system, start):
            yield path.removeprefix(start)
    except Exception as error:  # each store has a family of its own
        if not _is_gone(folder):
            raise _unreadable(folder, atomic_files.reason(error)) from error


def put(path: str, content: IO[bytes]) -> None:
    """Write a file of a store, completely or not at all. Raises WorkFailed."""
    system = _system(path)
    try:
        if not system.has_dirs():
            _send(system, path, content)  # seen by others once it is complete
            return
        beside = f"{path}.{uuid.uuid4().hex}"
        _send(system, beside, content)
        _replace(system, path, beside)
    except Exception as error:  # each store has a family of its own
        reason = atomic_files.reason(error)
        raise WorkFailed("'{path}' cannot be written: {reason}.", path=path, reason=reason) from error


def _replace(system: Any, path: str, beside: str) -> None:
    """Put the file `beside` in the place of another, where renaming does not replace one."""
    if system.exists(path):
        # A shard written once more, by work that was tried again or by another run: it stays, since nobody
        # could read it for a moment.
        if system.checksum(path) == system.checksum(beside):
            system.delete([beside])
            return
        system.delete([path])
    system.rename([beside], [path])


def rename(path: str, new: str) -> None:
    """Give a file another address. Raises what the store's client does."""
    _system(path).rename([path], [new])


def remove_folder(folder: str) -> None:
    """Remove a folder and all files in it. Raises what the store's client does."""
    system = _system(folder)
    if system.has_dirs():
        system.delete([folder])
        return
    paths = [f"{folder.rstrip('/')}/{name}" for name in names_below(folder)]
    if not paths or (kind := scheme(folder)) not in _clients:
        system.delete(paths)
        return
    with _client(folder, kind) as client:
        for path in paths:
            client.delete(path)  # not by the file system, which takes a bracket in a name for a pattern


def _listed(system: Any, start: str) -> Iterator[str]:
    return (found.path for found in system._list(start))


def _below(system: Any, folder: str) -> Iterator[str]:
    """Yield the paths of all files in a folder and below, where each folder is listed by itself."""
    for found in system._list(folder):
        # Nothing tells folders from empty files, but these cannot be listed.
        if found.size_in_bytes:
            yield found.path
            continue
        try:
            yield from _below(system, found.path)
        except BeamIOError:
            yield found.path


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
def _opened(path: str, block: int) -> Iterator[IO[bytes]]:
    kind = scheme(path)
    if kind not in _clients:
        with _system(path).open(path, compression_type=_AS_IT_IS) as file:
            yield file
        return
    with _client(path, kind) as client, client.open(path, "rb", read_buffer_size=block) as file:
        yield file


@contextlib.contextmanager
def _client(path: str, kind: str) -> Iterator[Any]:
    """Yield a client of a store that nobody else uses meanwhile.

    Beam makes a new one for each file that it opens: a tenth of a second of a processor, and a connection.
    """
    system = _system(path)
    # The options of the pipeline, which hold the keys and the address of the store.
    options = system._options if kind == "s3" else system._pipeline_options
    client = _kept_client(kind, options) or _new_client(kind, options)
    try:
        yield client
    finally:
        _clients[kind].append((options, client))


def _kept_client(kind: str, options: Any) -> Any:
    with contextlib.suppress(IndexError):  # none is left, or another thread was faster
        while True:
            made_with, client = _clients[kind].pop()
            if made_with is options:
                return client
    return None


def _new_client(kind: str, options: Any) -> Any:
    if kind == "s3":
        from apache_beam.io.aws import s3io

        make: Any = s3io.S3IO
        return make(options=options)
    from apache_beam.io.gcp import gcsio

    return gcsio.GcsIO(pipeline_options=options)


def _send(system: Any, path: str, content: IO[bytes]) -> None:
    with contextlib.ExitStack() as stack:
        if (kind := scheme(path)) in _clients:
            file = stack.enter_context(_client(path, kind)).open(path, "wb")
        else:
            file = system.create(path, compression_type=_AS_IT_IS)
        shutil.copyfileobj(content, file, 1 << 20)
        file.close()  # not after an error: what is there by then would become the file


def _system(path: str) -> Any:
    """Return Beam's file system for a path. Raises BadRequest if it is not installed or not set up."""
    try:
        if path.startswith("s3:") and importlib.util.find_spec("boto3") is None:
            raise ValueError("boto3 is not installed")
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
        code = getattr(error, "code", None)
        if isinstance(error, FileNotFoundError) or (code is None and _is_gone(path)):
            code = _GONE
        if code == _GONE:
            raise BadImage("cannot be read ({reason})", reason="not found") from error
        if code == _DENIED:  # a right that ran out meanwhile would make bad images of all that follow
            raise WorkFailed(
                "'{path}' cannot be read: access denied. Its store says so of missing files too if their "
                "folder must not be listed. Give the account of this run the right to list and to read, and "
                "run again.",
                path=path,
            ) from error
        raise _unreadable(path, atomic_files.reason(error)) from error


def _is_gone(path: str) -> bool:
    """Return whether a file system with folders, whose errors tell little, says that a path is not there."""
    try:
        system = _system(path)
        return system.has_dirs() and not system.exists(path)
    except Exception:  # it says nothing
        return False


def _unreadable(path: str, reason: str) -> WorkFailed:
    return WorkFailed("'{path}' cannot be read: {reason}.", path=path, reason=reason)
