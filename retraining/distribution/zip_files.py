"""ZIP archives: a directory at the end tells where each member is, and each has a header of its own too.

Source: PKWARE's APPNOTE.TXT 6.3.10.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

from retraining.data import images
from retraining.distribution import places
from retraining.distribution.archive_members import Member, Position, check_name, damaged, plain_name
from retraining.errors import BadImage

_BLOCK = 1 << 20  # of the directory

_HEADER = struct.Struct(
    "<4s2xHH4xI8xHH"
)  # signature, flags, method, checksum, lengths of the name and extras
_SIGNATURE = b"PK\3\4"
_USUAL_EXTRAS = 200  # bytes after the name; more are rare, and read in another go
_ENCRYPTED, _HAS_DESCRIPTOR, _IS_UTF8 = 1, 8, 0x800  # flags
_DESCRIPTOR = b"PK\7\x08"  # which may be left out before a checksum that follows the member

_DAMAGES = (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError, struct.error, zlib.error)


def members(archive: str) -> Iterator[Member]:
    """Yield the members of an archive, in the order of its directory. Raises BadImage if it is damaged."""
    with places.opened(archive, _BLOCK) as file:
        try:
            with zipfile.ZipFile(file) as directory:
                yield from map(_member, (info for info in directory.infolist() if not info.is_dir()))
        except _DAMAGES as error:
            raise damaged(error) from error


def read(archive: str, position: Position, name: str) -> bytes:
    """Return the bytes of the member `name`, which is at a position. Raises BadImage."""
    ahead = _HEADER.size + len(name.encode("utf-8", "surrogateescape")) + _USUAL_EXTRAS
    content = places.read_range(archive, position.start, ahead + position.size)
    try:
        header = _header(content)
        if len(content) < header.size + position.size + len(_DESCRIPTOR) + 4:
            ahead = header.size + len(_DESCRIPTOR) + 4
            content = places.read_range(archive, position.start, ahead + position.size)
        check_name(header.name, name)
        return _unpacked(header, content[header.size :], position.size)
    except _DAMAGES as error:
        raise damaged(error) from error


def _member(info: zipfile.ZipInfo) -> Member:
    name = plain_name(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)  # 0 from programs that know of no links
    if name is None or kind not in (0, stat.S_IFREG):
        return Member(info.filename, None)
    return Member(name, Position(info.header_offset, info.compress_size))


class _Header(NamedTuple):
    size: int
    name: str
    flags: int
    method: int
    checksum: int


def _header(content: bytes) -> _Header:
    signature, flags, method, checksum, name_size, extras = _HEADER.unpack_from(content)
    if signature != _SIGNATURE:
        raise zipfile.BadZipFile("no header")
    name = content[_HEADER.size : _HEADER.size + name_size]
    decoded = name.decode("utf-8" if flags & _IS_UTF8 else "cp437")
    return _Header(_HEADER.size + name_size + extras, decoded, flags, method, checksum)


def _unpacked(header: _Header, content: bytes, size: int) -> bytes:
    """Return the member whose `size` packed bytes `content` begins with."""
    if header.flags & _ENCRYPTED:
        raise BadImage("is encrypted in its archive")
    packed, checksum = content[:size], header.checksum
    if header.flags & _HAS_DESCRIPTOR:
        after = content[size:].removeprefix(_DESCRIPTOR)
        (checksum,) = struct.unpack_from("<I", after)
    unpacked = packed
    if header.method == zipfile.ZIP_DEFLATED:
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        unpacked = inflater.decompress(packed, images.MAX_FILE_BYTES + 1)
        images.check_size(len(unpacked))
    elif header.method != zipfile.ZIP_STORED:
        raise BadImage("is packed by a method of its archive that is not read; pack it by deflate")
    if zlib.crc32(unpacked) != checksum:
        raise zipfile.BadZipFile("its checksum is wrong")
    return unpacked
