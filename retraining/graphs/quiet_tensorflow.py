"""TensorFlow without its log messages: the only place where it is imported, when it is first used.

Importing it takes seconds, and a run that finds its feature vectors in the cache needs none of it before it
exports. So `tf` stands for the package, and imports it as soon as anything in it is asked for.

Users should see our lines only. TensorFlow 2.21 prints a dozen lines about processors and GPUs while its
libraries load, before it reads TF_CPP_MIN_LOG_LEVEL. So standard error is captured during the import, and
shown if the import fails. Its converter for other engines, and theirs, print too.
"""

from __future__ import annotations

import functools
import operator
import os
import sys
import threading
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeAlias

from retraining.native_output import native_output_captured

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

_importing = threading.Lock()  # the capture of standard error is for one thread at a time


class _OnFirstUse:
    """TensorFlow, or what has the dotted name `inside` it."""

    def __init__(self, inside: str = "") -> None:
        self._inside = inside

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # asked by Python's own tools, which should not wait for TensorFlow
            raise AttributeError(name)
        return getattr(self._found(), name)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        return self._found()(*arguments, **keywords)

    def _found(self) -> Any:
        with _importing:
            package = _import()
        return operator.attrgetter(self._inside)(package) if self._inside else package


@functools.cache
def _import() -> ModuleType:
    with native_output_captured(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import tensorflow
    # "Instructions for updating" are for developers, not for users.
    tensorflow.get_logger().setLevel("ERROR")
    return tensorflow  # type: ignore[no-any-return]


def load() -> None:
    """Import TensorFlow now, for a process that is sure to need it."""
    with _importing:
        _import()


def is_loaded() -> bool:
    """Return whether TensorFlow has been imported already."""
    return "tensorflow" in sys.modules


def convert_variables_to_constants_v2(function: Any) -> Any:
    """Return a ConcreteFunction with constants in place of its variables."""
    load()
    # It has no public name, but is the only documented way to freeze a function.
    from tensorflow.python.framework import convert_to_constants

    return convert_to_constants.convert_variables_to_constants_v2(function)


if TYPE_CHECKING:
    import tensorflow as tf

    GraphDef: TypeAlias = tf.compat.v1.GraphDef
    NodeDef: TypeAlias = tf.compat.v1.NodeDef
else:
    tf = _OnFirstUse()
    GraphDef = _OnFirstUse("compat.v1.GraphDef")
    NodeDef = _OnFirstUse("compat.v1.NodeDef")

__all__ = ["GraphDef", "NodeDef", "convert_variables_to_constants_v2", "tf"]
