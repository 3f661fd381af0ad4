"""The cache of feature vectors on disk: TFRecord files ("shards") that are never changed once written.

It survives kills, damaged files and several runs at once. Each module and fingerprint has a folder. A
record is one vector: its key (32 bytes), then the vector as little-endian float32; TFRecord adds a checksum
to every record. A shard is written under a temporary name and then renamed; its name holds the version of
this format and the number of records. Files of other versions are left alone.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from retraining.arrays import Vectors
from retraining.errors import BadRequest, WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.storage import cache_tag, records
from retraining.storage.atomic_files import reason, replacing
from retraining.storage.records import DamagedRecord

KEY_BYTES = 32  # of a SHA-256
SHARD_SIZE = 256  # vectors; at most this many are lost when a run is killed

_FLOAT = np.dtype("<f4")
_SHARD_NAME = re.compile(r"v1-[0-9a-f]{32}-(\d{5})\.tfrecord")

_NOTE = "Feature vectors of images, which retrain.py computes again if this folder is removed."

log = logging.getLogger(__name__)


class DamagedShard(Exception):
    """A shard whose bytes differ from what was written."""


class BottleneckCache:
    """The vectors of one module, by key. Several runs may share it: none changes another's shards."""

    def __init__(self, bottleneck_dir: Path, extractor: FeatureExtractor) -> None:
        """Read the shards of earlier runs. Damaged ones are renamed, with a warning."""
        # 64 bits of the fingerprint are enough to tell modules apart, and keep the path readable.
        self.folder = bottleneck_dir / f"{extractor.name}-{extractor.fingerprint[:16]}"
        self._feature_size = extractor.feature_size
        self._places: dict[bytes, _Place] = {}
        self._unwritten: dict[bytes, Vectors] = {}
        for path in self._shards():
            self._load(path)

    def get(self, key: bytes) -> Vectors | None:
        """Return float32 [feature_size] for a key, or None. Safe to call from several threads."""
        unwritten = self._unwritten.get(key)
        place = self._places.get(key)
        if unwritten is not None or place is None:
            return unwritten
        try:
            vectors = _vectors(place.shard, self._feature_size)
        except (OSError, ValueError):  # gone or truncated since: another run renamed it
            return None
        vector: Vectors = vectors[place.record]
        return vector

    def add(self, key: bytes, vector: Vectors) -> None:
        """Keep float32 [feature_size] under a key of KEY_BYTES; a full shard is written immediately."""
        # A copy, because a row of a batch would keep the whole batch in memory.
        self._unwritten[key] = vector.copy()
        if len(self._unwritten) == SHARD_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write the vectors that are not on disk yet. Raises WorkFailed."""
        if self._unwritten:
            path = write_shard(self.folder, self._unwritten)
            self._remember(path, self._unwritten)
            self._unwritten = {}

    def _remember(self, shard: Path, keys: Iterable[bytes]) -> None:
        self._places.update({key: _Place(shard, record) for record, key in enumerate(keys)})

    def _shards(self) -> Iterator[Path]:
        try:
            if self.folder.is_dir():
                yield from sorted(path for path in self.folder.iterdir() if _SHARD_NAME.fullmatch(path.name))
        except OSError as error:
            raise BadRequest(
                "'{folder}' in {bottleneck_dir} cannot be read: {reason}.",
                folder=self.folder,
                reason=error.strerror,
            ) from error

    def _load(self, path: Path) -> None:
        try:
            self._remember(path, read_keys(path, self._feature_size))
        except FileNotFoundError:
            pass  # another run has just renamed it
        except DamagedShard as error:
            log.warning(
                "bottleneck shard %s is damaged (%s); its vectors will be computed again.", path, error
            )
            _rename_damaged(path)
        except OSError as error:
            log.warning(
                "bottleneck shard %s cannot be read (%s); its vectors will be computed again.",
                path,
                reason(error),
            )


class _Place(NamedTuple):
    """Where a vector is: all that is kept in memory of each."""

    shard: Path
    record: int


def write_shard(folder: Path, vectors: Mapping[bytes, Vectors]) -> Path:
    """Write float32 [feature_size] vectors, by key, to a new shard in a module's folder.

    Returns the path of the shard. Raises WorkFailed.
    """
    path = folder / f"v1-{uuid.uuid4().hex}-{len(vectors):05d}.tfrecord"
    cache_tag.mark(folder, _NOTE)
    with replacing(path) as beside:
        try:
            with beside.open("wb") as shard:
                for key, vector in vectors.items():
                    shard.write(records.encode(key + vector.astype(_FLOAT).tobytes()))
        except OSError as error:
            raise WorkFailed(
                "feature vectors cannot be written to '{folder}': {reason}. Those written earlier are kept. "
                "Free some space, or set {bottleneck_dir} to another folder, and run again.",
                folder=folder,
                reason=reason(error),
            ) from error
    return path


def read_keys(path: Path, feature_size: int) -> list[bytes]:
    """Return the keys in a shard, after checking all of its bytes. Raises DamagedShard, and OSError."""
    keys = []
    record_size = KEY_BYTES + feature_size * _FLOAT.itemsize
    try:
        for record in records.read(path):
            if len(record) != record_size:
                raise DamagedShard("a record has the wrong length")
            keys.append(record[:KEY_BYTES])
    except DamagedRecord as error:
        raise DamagedShard(str(error)) from error
    match = _SHARD_NAME.fullmatch(path.name)
    if match is None or len(keys) != int(match[1]):
        raise DamagedShard(f"it has {len(keys)} records, but its name says otherwise")
    return keys


@functools.lru_cache(maxsize=16)  # vectors are read in about the order in which they were written
def _vectors(path: Path, feature_size: int) -> Vectors:
    """Return float32 [n, feature_size]: the vectors of a shard whose bytes have been checked."""
    record = np.dtype(
        [
            ("head", f"V{records.HEAD_BYTES}"),
            ("key", f"V{KEY_BYTES}"),
            ("vector", _FLOAT, feature_size),
            ("tail", f"V{records.TAIL_BYTES}"),
        ]
    )
    vectors: Vectors = np.fromfile(path, record)["vector"].astype(np.float32)
    return vectors


def _rename_damaged(path: Path) -> None:
    """Rename a damaged shard. It is not deleted, since it may belong to another run."""
    # Fails if the cache is read-only or another run was faster; the warning has been given already.
    with contextlib.suppress(OSError):
        path.rename(path.with_suffix(".damaged"))
