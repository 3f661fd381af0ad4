"""What an engine is: a way to convert a frozen graph once, and a way to run what that gave."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from retraining.graphs.frozen_graph import FrozenGraph
from retraining.runtimes.batches import Extract
from retraining.runtimes.requirements import REQUIREMENTS, Requirement


@dataclasses.dataclass(frozen=True)
class Engine:
    """An engine other than TensorFlow, which needs no conversion.

    `convert` returns the bytes of a file in the engine's format; it, or `load`, raises any exception for a
    graph that the engine cannot compute. `load` returns a function that gives an image the same vector
    whatever other images come with it.
    """

    name: str
    suffix: str
    convert: Callable[[FrozenGraph], bytes]
    load: Callable[[bytes], Extract]

    @property
    def requirement(self) -> Requirement:
        """What has to be installed for it."""
        return REQUIREMENTS[self.name]

    @property
    def title(self) -> str:
        """Its name as its makers write it."""
        return self.requirement.title
