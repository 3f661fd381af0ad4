"""Unpacks the .tar.gz of a module into a folder, and writes nothing outside that folder."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from retraining.errors import BadModule

SUFFIXES = (".tar.gz", ".tgz", ".tar")

MAX_BYTES = 8 << 30  # unpacked; the largest known module has 2 GB
MAX_FILES = 10_000


def is_archive(name: str) -> bool:
    """Return whether a file of this name has to be unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, *, name: str) -> None:
    """Write the files of a tar archive, compressed or not, below the new folder `folder`.

    `name` is what messages call the archive. Raises BadModule if it is damaged, if it unpacks to more than
    MAX_FILES files or MAX_BYTES, or if it holds anything but plain files and folders inside `folder`: a
    link, a device, an absolute path or one that leads out.
    """
    folder.mkdir()
    try:
        with tarfile.open(archive) as tar:
            _unpack(tar, folder, name)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise BadModule(
            "module archive {name} is damaged or not an archive ({reason}). A module is a .tar.gz that "
            "contains saved_model.pb. Download it again.",
            name=name,
            reason=error,
        ) from error


def _unpack(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    count = size = 0
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise BadModule(
                "module archive {name} is refused: '{member_name}' is a link or lies outside the archive's "
                "own folder. If you trust it, unpack it yourself and give the folder.",
                name=name,
                member_name=member.name,
            )
        count, size = count + 1, size + member.size
        if count > MAX_FILES or size > MAX_BYTES:
            raise BadModule(
                "module archive {name} is refused: it holds more than {max_files:,} files or {max_gib} GiB. "
                "If you trust it, unpack it yourself and give the folder.",
                name=name,
                max_files=MAX_FILES,
                max_gib=MAX_BYTES >> 30,
            )
        if member.isfile():
            _write(tar, member, folder / path)


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    content = tar.extractfile(member)
    if content is None:
        raise tarfile.ReadError(f"'{member.name}' has no content")
    with content, path.open("xb") as file:
        while chunk := content.read(1 << 20):
            file.write(chunk)
