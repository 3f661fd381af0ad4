"""Feature vectors on disk: immutable TFRecord shards that survive kills, damage and crowds.

One folder a module and fingerprint; one record a vector: the key (32 bytes), then the vector as
little-endian float32. TFRecord puts a checksum on every record. A shard is written beside its place
and renamed; the version of this form and its number of records are in its name, and it is never
changed again. What another version has written is left alone.
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
from retraining.data.folder_walk import CACHE_TAG
from retraining.errors import BadRequest, WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.storage.atomic_files import reason, replacing, write_bytes

KEY_BYTES = 32  # of a SHA-256
SHARD_SIZE = 256  # vectors; what a kill costs at most

_FLOAT = np.dtype("<f4")
_SHARD_NAME = re.compile(r"v1-[0-9a-f]{32}-(\d{5})\.tfrecord")

# What the specification of CACHEDIR.TAG asks for, and for whom it is there.
_TAG = (
    b"Signature: 8a477f597d28d172789f06886806bc55\n"
    b"# Feature vectors of images, which retrain.py computes again if this folder is removed.\n"
)

log = logging.getLogger(__name__)


class DamagedShard(Exception):
    """A shard whose bytes are not what was written."""


class BottleneckCache:
    """The vectors of one module, by key. Runs may share a folder: none changes another's shards."""

    def __init__(self, bottleneck_dir: Path, extractor: FeatureExtractor) -> None:
        """Read what earlier runs left; damaged shards are warned of and set aside."""
        # 64 bits of the fingerprint keep modules apart as well as 256 and leave the path legible.
        self.folder = bottleneck_dir / f"{extractor.name}-{extractor.fingerprint[:16]}"
        self._feature_size = extractor.feature_size
        self._places: dict[bytes, _Place] = {}
        self._unwritten: dict[bytes, Vectors] = {}
        for path in self._shards():
            self._load(path)

    def get(self, key: bytes) -> Vectors | None:
        """Return float32 [feature_size] for a key, or None. Threads may call it at once."""
        unwritten = self._unwritten.get(key)
        place = self._places.get(key)
        if unwritten is not None or place is None:
            return unwritten
        try:
            vectors = _vectors(place.shard, self._feature_size)
        except (OSError, ValueError):  # gone or cut since it was read: another run set it aside
            return None
        vector: Vectors = vectors[place.record]
        return vector

    def add(self, key: bytes, vector: Vectors) -> None:
        """Keep float32 [feature_size] under a key of KEY_BYTES; a full shard is written at once."""
        # A copy: a row of a batch would keep the whole batch in memory.
        self._unwritten[key] = vector.copy()
        if len(self._unwritten) == SHARD_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write what is not yet on disk. Raises WorkFailed."""
        if self._unwritten:
            path = write_shard(self.folder, self._unwritten)
            self._note(path, self._unwritten)
            self._unwritten = {}

    def _note(self, shard: Path, keys: Iterable[bytes]) -> None:
        self._places.update({key: _Place(shard, record) for record, key in enumerate(keys)})

    def _shards(self) -> Iterator[Path]:
        try:
            if self.folder.is_dir():
                yield from sorted(path for path in self.folder.iterdir() if _SHARD_NAME.fullmatch(path.name))
        except OSError as error:
            raise BadRequest(
                "{bottleneck_dir}: '{folder}' cannot be read: {reason}.",
                folder=self.folder,
                reason=error.strerror,
            ) from error

    def _load(self, path: Path) -> None:
        try:
            self._note(path, read_keys(path, self._feature_size))
        except tf.errors.NotFoundError:
            pass  # another run has just set it aside
        except DamagedShard as error:
            log.warning("bottleneck shard %s is damaged (%s); its vectors are computed again.", path, error)
            _set_aside(path)
        except tf.errors.OpError as error:
            log.warning(
                "bottleneck shard %s cannot be read (%s); its vectors are computed again.",
                path,
                reason(error),
            )


class _Place(NamedTuple):
    """Where a vector lies: so much is kept in memory of each, and no more."""

    shard: Path
    record: int


def write_shard(folder: Path, vectors: Mapping[bytes, Vectors]) -> Path:
    """Write vectors, float32 [feature_size] by their keys, as a new shard in a module's folder.

    Return the path of the shard. Raises WorkFailed.
    """
    path = folder / f"v1-{uuid.uuid4().hex}-{len(vectors):05d}.tfrecord"
    if not (folder / CACHE_TAG).exists():
        write_bytes(folder / CACHE_TAG, _TAG)
    try:
        with replacing(path) as beside, tf.io.TFRecordWriter(str(beside)) as writer:
            for key, vector in vectors.items():
                writer.write(key + vector.astype(_FLOAT).tobytes())
    except tf.errors.OpError as error:
        raise WorkFailed(
            "feature vectors cannot be written to '{folder}': {reason}. Those of earlier shards are kept; "
            "free "
            "some space, or set {bottleneck_dir} to another place, and run again.",
            folder=folder,
            reason=reason(error),
        ) from error
    return path


def read_keys(path: Path, feature_size: int) -> list[bytes]:
    """Return the keys in a shard, all of whose bytes are checked. Raises DamagedShard."""
    keys = []
    record_size = KEY_BYTES + feature_size * _FLOAT.itemsize
    try:
        for record in tf.compat.v1.io.tf_record_iterator(str(path)):
            if len(record) != record_size:
                raise DamagedShard("a record of another length")
            keys.append(record[:KEY_BYTES])
    except (tf.errors.DataLossError, tf.errors.OutOfRangeError) as error:
        raise DamagedShard(str(error).split("{{node")[0].strip() or "checksum") from error
    match = _SHARD_NAME.fullmatch(path.name)
    if match is None or len(keys) != int(match[1]):
        raise DamagedShard(f"{len(keys)} records where its name promises another number")
    return keys


@functools.lru_cache(maxsize=16)  # images are asked for in about the order in which they were written
def _vectors(path: Path, feature_size: int) -> Vectors:
    """Return float32 [n, feature_size], the vectors of a shard that has been checked."""
    # The form of TFRecord: length (8 bytes) and its checksum (4), the record, its checksum (4).
    record = np.dtype(
        [("head", "V12"), ("key", f"V{KEY_BYTES}"), ("vector", _FLOAT, feature_size), ("checksum", "V4")]
    )
    vectors: Vectors = np.fromfile(path, record)["vector"].astype(np.float32)
    return vectors


def _set_aside(path: Path) -> None:
    """Rename, not delete: the file is not this run's."""
    # Refused where the cache may only be read, or another run was first: the warning has been given.
    with contextlib.suppress(OSError):
        path.rename(path.with_suffix(".damaged"))
