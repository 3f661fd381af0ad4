"""The cache of feature vectors on disk: shards (`shards`) that are never changed once written.

It survives kills, damaged files and several runs at once. Each module and fingerprint has a folder. A shard
is written under a temporary name and then renamed. Files of other versions of the format are left alone.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Vectors
from retraining.data import prefetching
from retraining.errors import BadRequest, WorkFailed
from retraining.features import shards
from retraining.features.extractor import FeatureExtractor
from retraining.features.shard_index import Records, ShardIndex
from retraining.features.shards import DamagedShard, Shard
from retraining.progress import progress
from retraining.storage import cache_tag
from retraining.storage.atomic_files import reason, replacing

NOTE = "Feature vectors of images, which retrain.py computes again if this folder is removed."

_LOOKAHEAD = 8  # shards

# What reading a record raises if its shard was renamed by another run, or cut short, since it was checked.
_SHARD_HAS_CHANGED = (OSError, ValueError, IndexError)

log = logging.getLogger(__name__)


class BottleneckCache:
    """The vectors of one module, by key. Several runs may share it: none changes another's shards."""

    def __init__(self, bottleneck_dir: Path, extractor: FeatureExtractor) -> None:
        """Read the shards of earlier runs. Damaged ones are renamed, with a warning."""
        self.folder = bottleneck_dir / folder_name(extractor)
        self._feature_size = extractor.feature_size
        self._unwritten: dict[bytes, Vectors] = {}
        self._index = ShardIndex(self._found())

    def get(self, key: bytes) -> Vectors | None:
        """Return float32 [feature_size] for a key, or None. Safe to call from several threads."""
        unwritten = self._unwritten.get(key)
        if unwritten is not None:
            return unwritten
        place = self._index.place(key)
        if place is None:
            return None
        try:
            vector: Vectors = _vectors(place.shard, self._feature_size)[place.record]
        except _SHARD_HAS_CHANGED:
            return None
        return vector

    def fill(self, vectors: Vectors, keys: Sequence[bytes]) -> NDArray[np.bool_]:
        """Fill in the vectors of those keys that were there at the beginning, each shard read once.

        `vectors` is float32 [n, feature_size], one row for each of the n keys. Returns bool [n]: which rows
        were filled.
        """
        filled = np.zeros(len(keys), bool)
        found = list(self._index.records(keys))
        copy = functools.partial(self._copy, vectors)
        copied = prefetching.ahead(found, copy, lookahead=_LOOKAHEAD)
        for asked in progress(copied, total=len(found), task="Cached bottlenecks", unit="file"):
            filled[asked] = True
        return filled

    def add(self, key: bytes, vector: Vectors) -> None:
        """Keep float32 [feature_size] under a key of KEY_BYTES; a full shard is written immediately."""
        # A copy, because a row of a batch would keep the whole batch in memory.
        self._unwritten[key] = vector.copy()
        if len(self._unwritten) == shards.SHARD_SIZE:
            self.flush()

    def flush(self) -> None:
        """Write the vectors that are not on disk yet. Raises WorkFailed."""
        if self._unwritten:
            path = write_shard(self.folder, self._unwritten)
            self._index.add(path, list(self._unwritten))
            self._unwritten = {}

    def _copy(self, vectors: Vectors, records: Records) -> NDArray[np.int64]:
        """Copy records to the rows of their keys. Returns the rows, none if the shard is gone."""
        try:
            vectors[records.asked] = _read(records.shard, self._feature_size)[records.numbers]
        except _SHARD_HAS_CHANGED:
            return records.asked[:0]
        return records.asked

    def _found(self) -> Iterator[tuple[Path, list[bytes]]]:
        """Yield the shards whose bytes are what was written, each with its keys."""
        # Threads, so that one shard is read from the disk while another one is checked.
        paths = self._paths()
        loaded = prefetching.ahead(paths, self._keys, lookahead=_LOOKAHEAD)
        yield from zip(paths, loaded, strict=True)

    def _paths(self) -> list[Path]:
        try:
            if not self.folder.is_dir():
                return []
            return sorted(path for path in self.folder.iterdir() if shards.is_name(path.name))
        except OSError as error:
            raise BadRequest(
                "'{folder}' in {bottleneck_dir} cannot be read: {reason}.",
                folder=self.folder,
                reason=error.strerror,
            ) from error

    def _keys(self, path: Path) -> list[bytes]:
        """Return the keys in a shard; none if it cannot be used, of which there is a warning."""
        try:
            return shards.keys(Shard(path.name, path.read_bytes()), self._feature_size)
        except FileNotFoundError:
            pass  # another run has just renamed it
        except DamagedShard as error:
            log.warning(
                "bottleneck shard %s is damaged (%s); its vectors will be computed again.", path, error
            )
            _set_aside(path)
        except OSError as error:
            log.warning(
                "bottleneck shard %s cannot be read (%s); its vectors will be computed again.",
                path,
                reason(error),
            )
        return []


def folder_name(extractor: FeatureExtractor) -> str:
    """Return the name of a module's folder in the cache."""
    # 64 bits of the fingerprint are enough to tell modules apart, and keep the path readable.
    return f"{extractor.name}-{extractor.fingerprint[:16]}"


def write_shard(folder: Path, vectors: Mapping[bytes, Vectors]) -> Path:
    """Write float32 [feature_size] vectors, by key, to a new shard in a module's folder.

    Returns the path of the shard. A file of its name with other bytes, which could not be read before, is set
    aside. Raises WorkFailed.
    """
    shard = shards.encode(vectors)
    path = folder / shard.name
    cache_tag.mark(folder, NOTE)
    if not _has(path, shard.content):
        _set_aside(path)
    with replacing(path) as beside:
        try:
            beside.write_bytes(shard.content)
        except OSError as error:
            raise not_written(folder, reason(error)) from error
    return path


def not_written(folder: Path | str, reason: str) -> WorkFailed:
    """Return the error of a module's folder, local or in a store, to which no shard can be written."""
    return WorkFailed(
        "feature vectors cannot be written to '{folder}': {reason}. Those written earlier are kept. "
        "Free some space, or set {bottleneck_dir} to another folder, and run again.",
        folder=folder,
        reason=reason,
    )


@functools.lru_cache(maxsize=16)  # vectors are read in about the order in which they were written
def _vectors(path: Path, feature_size: int) -> Vectors:
    """Return float32 [n, feature_size], the vectors of a shard whose bytes have been checked."""
    return _read(path, feature_size).astype(np.float32)


def _read(path: Path, feature_size: int) -> Vectors:
    """Return the same among the other bytes of the file, where they are not in a row of their own."""
    vectors: Vectors = np.fromfile(path, shards.layout(feature_size))["vector"]
    return vectors


def _has(path: Path, content: bytes) -> bool:
    """Return whether there is a file with this content."""
    try:
        return path.read_bytes() == content
    except OSError:
        return False


def _set_aside(path: Path) -> None:
    """Rename a shard that cannot be used, if it is there. It is kept, since it may belong to another run."""
    # Fails if the cache is read-only or another run was faster; the warning has been given already.
    with contextlib.suppress(OSError):
        places = (path.with_name(name) for name in shards.names_aside(path.name))
        path.rename(next(place for place in places if not os.path.lexists(place)))
