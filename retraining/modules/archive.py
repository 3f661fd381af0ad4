"""A .tar.gz of a module -> a folder, with nothing outside that folder."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path, PurePosixPath

from retraining.errors import BadModule

SUFFIXES = (".tar.gz", ".tgz", ".tar")

MAX_BYTES = 8 << 30  # unpacked; the largest known module has 2 GB
MAX_FILES = 10_000


def is_archive(name: str) -> bool:
    """Return whether a file of that name is to be unpacked."""
    return name.lower().endswith(SUFFIXES)


def unpack(archive: Path, folder: Path, *, name: str) -> None:
    """Write the files of a tar archive, compressed or not, below the new folder `folder`.

    Only plain files and folders inside it: a link, a device, an absolute path, one that leads out,
    or more than MAX_BYTES raise BadModule, as does damage. `name` is what messages call the archive.
    """
    folder.mkdir()
    try:
        with tarfile.open(archive) as tar:
            _unpack(tar, folder, name)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise BadModule(
            "module archive {name} is damaged or is not an archive ({error}). A module is a .tar.gz that "
            "holds saved_model.pb. Download it again.",
            name=name,
            error=error,
        ) from error


def _unpack(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    count = size = 0
    for member in tar:
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise BadModule(
                "module archive {name} is refused: '{member}' is a link or lies outside the archive's own "
                "folder. Unpack it by hand if you trust it, and give the folder.",
                name=name,
                member=member.name,
            )
        count, size = count + 1, size + member.size
        if count > MAX_FILES or size > MAX_BYTES:
            raise BadModule(
                "module archive {name} is refused: it holds more than {files:,} files or {size} GiB. Unpack "
                "it by hand if you trust it, and give the folder.",
                name=name,
                files=MAX_FILES,
                size=MAX_BYTES >> 30,
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
