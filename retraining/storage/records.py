"""Records in TensorFlow's file format TFRecord, written and read without TensorFlow.

Each record is its length (8 bytes, little-endian), a checksum of the length (4), its bytes, and a checksum of
those (4): https://www.tensorflow.org/tutorials/load_data/tfrecord#tfrecords_format_details.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import google_crc32c

_HEAD = struct.Struct("<QI")
_LENGTH = struct.Struct("<Q")
_CHECKSUM = struct.Struct("<I")

HEAD_BYTES, TAIL_BYTES = _HEAD.size, _CHECKSUM.size  # of a record in its file, before and after its bytes


class DamagedRecord(Exception):
    """A record whose bytes differ from what was written, or that ends too early."""


def encode(record: bytes) -> bytes:
    """Return a record as the bytes that a file has for it."""
    length = _LENGTH.pack(len(record))
    checksums = [_CHECKSUM.pack(_checksum(content)) for content in (length, record)]
    return b"".join((length, checksums[0], record, checksums[1]))


def read(path: Path) -> Iterator[bytes]:
    """Yield the records of a file, in order. Raises OSError, and DamagedRecord at the first damaged one."""
    return decode(path.read_bytes())


def decode(content: bytes) -> Iterator[bytes]:
    """Yield the records in the bytes of a file, in order. Raises DamagedRecord at the first damaged one."""
    start, head, length = 0, b"", 0
    while start < len(content):
        first = start + HEAD_BYTES
        if content[start:first] != head:  # records of one length have the same head
            head = content[start:first]
            length = _length(head, start)
        last = first + length
        if last + TAIL_BYTES > len(content):
            raise DamagedRecord(f"truncated record at {start}")
        record = content[first:last]
        if _CHECKSUM.unpack_from(content, last) != (_checksum(record),):
            raise DamagedRecord(f"corrupted record at {start}")
        yield record
        start = last + TAIL_BYTES


def _length(head: bytes, start: int) -> int:
    """Return the length of the record that begins at `start` with this head. Raises DamagedRecord."""
    if len(head) < HEAD_BYTES:
        raise DamagedRecord(f"truncated record at {start}")
    length, checksum = _HEAD.unpack(head)
    if checksum != _checksum(head[: _LENGTH.size]):
        raise DamagedRecord(f"corrupted record at {start}")
    return int(length)


def _checksum(content: bytes) -> int:
    """Return the CRC-32C, masked: the checksum of bytes that hold checksums would otherwise be a constant."""
    checksum: int = google_crc32c.value(content)
    return ((checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF
