"""A file system of Apache Beam that is a dictionary: mem:// in place of a store such as gs:// or s3://."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from apache_beam.io.filesystem import CompressionTypes, FileMetadata, FileSystem


class MemoryFiles(FileSystem):
    """Files by address; it has no folders, as stores have none, and reads what an address begins with."""

    files: ClassVar[dict[str, bytes]] = {}
    opened: ClassVar[list[str]] = []
    failing: ClassVar[dict[str, Exception]] = {}

    @classmethod
    def scheme(cls) -> str:
        return "mem"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join((basepath.rstrip("/"), *paths))

    def split(self, path: str) -> tuple[str, str]:
        folder, _, name = path.rpartition("/")
        return folder, name

    def mkdirs(self, _path: str) -> None:
        raise AssertionError("a store has no folders")

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        self._fail(dir_or_prefix)
        for path, content in self.files.items():
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(content))

    def create(
        self,
        path: str,
        _mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> io.BytesIO:
        assert compression_type == CompressionTypes.UNCOMPRESSED
        self._fail(path)
        return _Written(self.files, path)

    def open(
        self,
        path: str,
        _mime_type: str = "application/octet-stream",
        compression_type: str = CompressionTypes.AUTO,
    ) -> Any:
        assert compression_type == CompressionTypes.UNCOMPRESSED
        self._fail(path)
        self.opened.append(path)
        if path not in self.files:
            raise FileNotFoundError(2, f"Not found: {path}")
        return Reading(self.files[path])

    def copy(self, _sources: Sequence[str], _destinations: Sequence[str]) -> None:
        raise AssertionError("not used")

    def rename(self, sources: Sequence[str], destinations: Sequence[str]) -> None:
        for old, new in zip(sources, destinations, strict=True):
            self._fail(old)
            self.files[new] = self.files.pop(old)

    def exists(self, path: str) -> bool:
        self._fail(path)
        return path in self.files

    def size(self, path: str) -> int:
        return len(self.files[path])

    def last_updated(self, _path: str) -> float:
        return 0.0

    def checksum(self, path: str) -> str:
        return hashlib.sha256(self.files[path]).hexdigest()

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, self.size(path))

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            self._fail(path)
            del self.files[path]

    def _fail(self, path: str) -> None:
        if path in self.failing:
            raise self.failing[path]


class Reading(io.BytesIO):
    """A file that is read, which counts the bytes."""

    read_bytes = 0

    def readinto(self, buffer: Any) -> int:
        count = super().readinto(buffer)
        Reading.read_bytes += count
        return count


class _Written(io.BytesIO):
    """A file that is there once it is closed."""

    def __init__(self, files: dict[str, bytes], path: str) -> None:
        super().__init__()
        self._files = files
        self._path = path

    def close(self) -> None:
        if not self.closed:
            self._files[self._path] = self.getvalue()
        super().close()
