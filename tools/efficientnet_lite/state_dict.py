"""Reads a PyTorch state dict from a `.pth` file, without PyTorch.

The form is the one that PyTorch wrote up to version 1.5 (torch/serialization.py, _legacy_save): five pickles
(magic number, protocol, byte order, the dictionary, the keys of the storages), then each storage as a count
and its raw numbers.
"""

from __future__ import annotations

import dataclasses
import math
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from retraining.errors import BadRequest
from tools.efficientnet_lite import pickled_values
from tools.efficientnet_lite.pickled_values import UnknownContent

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001

Array: TypeAlias = NDArray[Any]

_KINDS = {"torch FloatStorage": np.dtype("<f4"), "torch LongStorage": np.dtype("<i8")}
_COUNT = struct.Struct("<q")


def read(path: Path) -> dict[str, Array]:
    """Return the arrays of the state dict in a file, by name: float32, or int64 for counters.

    Raises BadRequest if the file cannot be read or is of another form.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except (OSError, UnknownContent) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise BadRequest(
            "'{path}' cannot be read as weights in PyTorch's older form: {reason}.", path=path, reason=reason
        ) from error


@dataclasses.dataclass
class _Storage:
    """Numbers in which tensors lie; they follow the pickles in the file."""

    kind: np.dtype[Any]
    count: int
    numbers: Array


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage; offset and strides count numbers."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def array(self) -> Array:
        """Return a copy of the view. Raises UnknownContent if it goes beyond the storage."""
        steps = ((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or math.prod(self.shape) == 0:
            raise UnknownContent("a tensor is empty or goes backwards")
        if self.offset + sum(steps) >= self.storage.count:
            raise UnknownContent("a tensor is larger than its storage")
        size = self.storage.kind.itemsize
        view = np.lib.stride_tricks.as_strided(
            self.storage.numbers[self.offset :], self.shape, [stride * size for stride in self.strides]
        )
        return view.copy()


class _Storages:
    """The storages that a state dict refers to, by key."""

    def __init__(self) -> None:
        self._by_key: dict[str, _Storage] = {}

    def referred_to(self, reference: Any) -> _Storage:
        """Return the storage of a reference, which the pickle may hold several times."""
        word, kind, key, _device, count, view = reference
        if word != "storage" or view is not None:
            raise UnknownContent(f"the pickle refers to {reference!r}")
        return self._by_key.setdefault(key, _Storage(kind, count, np.empty(0, kind)))

    def fill(self, key: str, file: BinaryIO) -> None:
        """Read the numbers of a storage. Raises UnknownContent if their count is wrong."""
        storage = self._by_key[key]
        size = storage.count * storage.kind.itemsize
        if file.read(_COUNT.size) != _COUNT.pack(storage.count):
            raise UnknownContent(f"storage {key} does not hold {storage.count} numbers")
        content = file.read(size)
        if len(content) != size:
            raise UnknownContent("it ends early")
        storage.numbers = np.frombuffer(content, storage.kind)


def _read(file: BinaryIO) -> dict[str, Array]:
    if pickled_values.read(file) != MAGIC or pickled_values.read(file) != PROTOCOL:
        raise UnknownContent("it does not begin as such a file does")
    if not pickled_values.read(file)["little_endian"]:
        raise UnknownContent("it was written on a big-endian machine")
    storages = _Storages()
    names = {"collections OrderedDict": OrderedDict, "torch._utils _rebuild_tensor_v2": _tensor, **_KINDS}
    tensors: dict[str, _Tensor] = pickled_values.read(file, names, storages.referred_to)
    for key in pickled_values.read(file):
        storages.fill(key, file)
    if file.read(1):
        raise UnknownContent("it goes on after its last storage")
    return {name: tensor.array() for name, tensor in tensors.items()}


def _tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object
) -> _Tensor:
    """Stand in for torch._utils._rebuild_tensor_v2; what follows the strides matters for training only."""
    return _Tensor(storage, offset, shape, strides)
