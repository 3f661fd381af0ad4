"""The shards of a cache, wherever it is: which there are, the keys in them, and new ones."""

from __future__ import annotations

import contextlib
import dataclasses
import json
from collections.abc import Iterator, Mapping

from retraining.arrays import Vectors
from retraining.distribution import places
from retraining.errors import WorkFailed
from retraining.features import cache, shards
from retraining.features.shards import DamagedShard, Shard
from retraining.storage import cache_tag

_NOTE = "shard-"  # begins the name of a file with what is wrong with a shard


@dataclasses.dataclass(frozen=True)
class ShardFiles:
    """The shards of one module, in `folder`; what is wrong with some is written to `notes`, a folder too."""

    folder: str
    feature_size: int
    notes: str

    def names(self) -> list[str]:
        """Return the names of all shards."""
        return [name for name in places.list_names(self.folder) if shards.is_name(name)]

    def count(self) -> int:
        """Return how many vectors are in all shards, as their names tell."""
        return sum(map(shards.count, self.names()))

    def keys(self, name: str) -> list[bytes]:
        """Return the keys in a shard, none if it is damaged: it is renamed then.

        Raises WorkFailed if a store does not give it: the runner tries again, and nothing is computed twice
        because of a moment without an answer. A file of this computer that cannot be read stays so.
        """
        path = places.join(self.folder, name)
        try:
            return shards.keys(Shard(name, places.read_file(path)), self.feature_size)
        except DamagedShard as error:
            self._note(name, f"bottleneck shard {path} is damaged ({error})")
            # The cache may not be writable, or another worker was faster; the warning is given anyway.
            with contextlib.suppress(WorkFailed):
                aside = (places.join(self.folder, new) for new in shards.names_aside(name))
                places.rename(path, next(new for new in aside if not places.exists(new)))
        except WorkFailed as error:
            if not places.exists(path):
                return []  # another run has just renamed it
            if not places.is_local(path):
                raise
            self._note(name, str(error).rstrip("."))
        return []

    def write(self, vectors: Mapping[bytes, Vectors]) -> None:
        """Write float32 [feature_size] vectors by key as a shard. Raises WorkFailed."""
        shard = shards.encode(vectors)
        try:
            places.write(places.join(self.folder, shard.name), shard.content)
        except WorkFailed as error:
            raise cache.not_written(self.folder, str(error.message.values["reason"])) from error

    def warnings(self) -> Iterator[str]:
        """Yield what workers have noted of shards."""
        for name in places.list_names(self.notes):
            if name.startswith(_NOTE):
                yield json.loads(places.read_file(places.join(self.notes, name)))

    def mark(self) -> None:
        """Mark the folder as a cache. Raises WorkFailed."""
        path = places.join(self.folder, cache_tag.NAME)
        if not places.exists(path):
            places.write(path, cache_tag.content(cache.NOTE))

    def _note(self, name: str, text: str) -> None:
        places.write(places.join(self.notes, f"{_NOTE}{name}.json"), json.dumps(text).encode())
