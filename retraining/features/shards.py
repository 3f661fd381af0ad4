"""The format of the cache's files: TFRecord files ("shards") of feature vectors, never changed once written.

A record is one vector: its key (32 bytes), then the vector as little-endian float32; TFRecord adds a checksum
to every record. A shard's name holds the version of this format, a hash of its bytes and the number of
records: the same vectors in the same order are the same file, whoever writes it.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from retraining.arrays import Vectors
from retraining.storage import records
from retraining.storage.records import DamagedRecord

KEY_BYTES = 32  # of a SHA-256
SHARD_SIZE = 256  # vectors; at most this many are lost when a run is killed

_FLOAT = np.dtype("<f4")
_SUFFIX = ".tfrecord"
_NAME = re.compile(rf"v1-[0-9a-f]{{32}}-(\d{{5}}){re.escape(_SUFFIX)}")


class DamagedShard(Exception):
    """A shard whose bytes differ from what was written."""


class Shard(NamedTuple):
    """A shard to be written: the name of its file, and the bytes in it."""

    name: str
    content: bytes


def encode(vectors: Mapping[bytes, Vectors]) -> Shard:
    """Return a shard of float32 [feature_size] vectors by their keys of KEY_BYTES."""
    content = b"".join(
        records.encode(key + vector.astype(_FLOAT).tobytes()) for key, vector in vectors.items()
    )
    return Shard(f"v1-{hashlib.sha256(content).hexdigest()[:32]}-{len(vectors):05d}{_SUFFIX}", content)


def is_name(name: str) -> bool:
    """Return whether a file of this name is a shard of this version of the format."""
    return _NAME.fullmatch(name) is not None


def names_aside(name: str) -> Iterator[str]:
    """Yield the names under which a damaged shard may be kept: one of the same name may be kept already."""
    stem = name.removesuffix(_SUFFIX)
    yield f"{stem}.damaged"
    for number in itertools.count(2):
        yield f"{stem}.damaged-{number}"


def count(name: str) -> int:
    """Return how many vectors are in the shard of this name."""
    match = _NAME.fullmatch(name)
    return int(match[1]) if match else 0


def keys(shard: Shard, feature_size: int) -> list[bytes]:
    """Return the keys in a shard that was read, after checking all of its bytes. Raises DamagedShard."""
    found = []
    record_size = KEY_BYTES + feature_size * _FLOAT.itemsize
    try:
        for record in records.decode(shard.content):
            if len(record) != record_size:
                raise DamagedShard("a record has the wrong length")
            found.append(record[:KEY_BYTES])
    except DamagedRecord as error:
        raise DamagedShard(str(error)) from error
    if len(found) != count(shard.name):
        raise DamagedShard(f"it has {len(found)} records, but its name says otherwise")
    return found


def layout(feature_size: int) -> np.dtype[np.void]:
    """Return the layout of a record in its file; the field "vector" is float32 [feature_size]."""
    return np.dtype(
        [
            ("head", f"V{records.HEAD_BYTES}"),
            ("key", f"V{KEY_BYTES}"),
            ("vector", _FLOAT, feature_size),
            ("tail", f"V{records.TAIL_BYTES}"),
        ]
    )
