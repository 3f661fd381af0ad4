"""Files with a GraphDef (.pb): read and written."""

from __future__ import annotations

from pathlib import Path

from google.protobuf.message import DecodeError

from retraining.errors import BadRequest
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef


def parse(content: bytes) -> GraphDef | None:
    """Return the GraphDef in the bytes of a file, or None if there is no complete one."""
    try:
        graph_def = GraphDef.FromString(content)
    except DecodeError:
        return None
    return graph_def if graph_def.node else None


def read(path: Path) -> GraphDef:
    """Return the GraphDef in a file. Raises BadRequest if there is no complete one."""
    try:
        graph_def = parse(path.read_bytes())
    except OSError as error:
        raise BadRequest(
            "graph '{path}' cannot be read: {reason}.", path=path, reason=error.strerror
        ) from error
    if graph_def is None:
        raise BadRequest(
            "'{path}' is not a frozen graph, or is cut short. Give the file that retrain.py wrote.", path=path
        )
    return graph_def


def encode(graph: FrozenGraph) -> bytes:
    """Return a graph as the bytes of a file; the same graph always gives the same bytes."""
    content: bytes = graph.graph_def.SerializeToString(deterministic=True)
    return content
