"""The formats that a classifier can be exported to, and how to write and read each."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from pathlib import Path

from retraining.arrays import Forward
from retraining.errors import BadRequest
from retraining.export import saved_model
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import FrozenGraph, forward
from retraining.storage.atomic_files import replacing, replacing_folder


@dataclasses.dataclass(frozen=True)
class Format:
    """An export format.

    `write` writes a graph to a path. `read` returns what was written there as a function, run in the same
    way as users will run it. Paths in this format end with `suffix`, which is empty for a folder.
    """

    name: str
    suffix: str
    write: Callable[[FrozenGraph, Path], None]
    read: Callable[[Path, FrozenGraph], Forward]

    @property
    def is_folder(self) -> bool:
        """Whether the format is a folder of files."""
        return not self.suffix

    def replacing(self, path: Path) -> contextlib.AbstractContextManager[Path]:
        """Yield a temporary path to write to; on success, it replaces `path`."""
        return replacing_folder(path) if self.is_folder else replacing(path)


def _write_graph(graph: FrozenGraph, path: Path) -> None:
    path.write_bytes(graph_file.encode(graph))


def _read_graph(path: Path, graph: FrozenGraph) -> Forward:
    return forward(FrozenGraph(graph_file.read(path), graph.input_name, graph.output_name))


FROZEN_GRAPH = Format("pb", ".pb", _write_graph, _read_graph)
SAVED_MODEL = Format("saved_model", "", saved_model.write, saved_model.read)

FORMATS = {row.name: row for row in (FROZEN_GRAPH, SAVED_MODEL)}


def format_of(path: Path, name: str | None) -> Format:
    """Return the format called `name`, or by default the one with the suffix of `path`. Raises BadRequest."""
    if name is None:
        by_suffix = {row.suffix: row for row in reversed(FORMATS.values())}
        found = by_suffix.get(path.suffix)
    else:
        found = FORMATS.get(name)
    if found is None:
        raise BadRequest(
            "format must be one of {known}, received '{received}'.",
            known=", ".join(FORMATS),
            received=path.suffix if name is None else name,
        )
    return found
