"""Archives of photos, made in memory."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping


def tar(files: Mapping[str, bytes], form: int = tarfile.PAX_FORMAT, *more: tarfile.TarInfo) -> bytes:
    """Return a TAR archive of files by name, and of members without content."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=form) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in more:
            archive.addfile(member)
    return stream.getvalue()


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    """Return a member that is a link, a device or a folder."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, "/etc/passwd"
    return member


class _Stream(io.BytesIO):
    """A stream in which a program cannot go back, so that checksums come after the members."""

    def seekable(self) -> bool:
        return False


def zipped(
    files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED, *, streamed: bool = False
) -> bytes:
    """Return a ZIP archive of files by name."""
    stream = _Stream() if streamed else io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()
