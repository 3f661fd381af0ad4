"""A trained network in one file: its weights by name, and a description to build it by.

The file is NumPy's .npz: nothing in it is ever executed, and every part carries a checksum.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retraining.errors import BadRequest
from retraining.settings import architectures
from retraining.storage.atomic_files import replacing

SUFFIX = ".npz"

_DESCRIPTION = "description.json"

Arrays = Mapping[str, NDArray[Any]]


@dataclasses.dataclass(frozen=True)
class Description:
    """What a network is built by: a name of `architectures`, classes, pixels, and share of the filters."""

    name: str
    labels: tuple[str, ...]
    image_size: int
    width: float


@dataclasses.dataclass(frozen=True)
class StoredNetwork:
    """What is in a file: the description, the weights by their path in the network, and what else."""

    path: Path
    description: Description
    weights: Arrays = dataclasses.field(repr=False)
    further: dict[str, Any] = dataclasses.field(repr=False)


def write(
    network: Any,
    path: Path,
    description: Description,
    *,
    arrays: Arrays | None = None,
    further: Mapping[str, Any] | None = None,
) -> None:
    """Write a keras.Model that `networks.build` made, whole or not at all. Raises WorkFailed.

    `arrays` and `further`, of JSON, are kept beside its weights.
    """
    text = json.dumps(dataclasses.asdict(description) | dict(further or {}))
    weights = {weight.path: weight.numpy() for weight in network.weights}
    _write(path, weights | dict(arrays or {}), text)


def read(path: Path, *, name: str | None = None) -> StoredNetwork:
    """Return what `write` wrote. Raises BadRequest if it is none, or of another network than `name`."""
    try:
        weights, text = _read(path)
        values = json.loads(text)
        description = _description(values)
    except FileNotFoundError as error:
        raise BadRequest(
            "weights '{path}' do not exist.",
            path=path,
        ) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(
            "weights '{path}' are not a file that compare wrote, or are cut short ({error}). Give one of "
            "the {suffix} files that compare lists at the end.",
            path=path,
            error=error,
            suffix=SUFFIX,
        ) from error
    if name not in (None, description.name):
        raise BadRequest(
            "weights '{path}' are those of {found}, and the network asked for is {wanted}.",
            path=path,
            found=description.name,
            wanted=name,
        )
    return StoredNetwork(path, description, weights, values)


def fill(network: Any, stored: StoredNetwork) -> None:
    """Give a network its stored weights. Raises BadRequest if they are not of its shapes."""
    for variable in network.weights:
        value = stored.weights.get(variable.path)
        if value is None or value.shape != tuple(variable.shape):
            found = "none" if value is None else f"one of {list(value.shape)}"
            raise BadRequest(
                "weights '{path}' do not fit {network}: {variable} needs an array of {shape}, and the file "
                "has {found}. Train it again with compare.",
                path=stored.path,
                network=stored.description.name,
                variable=variable.path,
                shape=list(variable.shape),
                found=found,
            )
        variable.assign(value)


def _description(values: dict[str, Any]) -> Description:
    try:
        given = {field.name: values[field.name] for field in dataclasses.fields(Description)}
        description = Description(**{**given, "labels": tuple(map(str, given["labels"]))})
    except (KeyError, TypeError) as error:
        raise ValueError(f"its description lacks {error}") from error
    if description.name not in architectures.NAMES:
        raise ValueError(f"'{description.name}' is no network")
    if not isinstance(description.image_size, int) or not 0 < description.width <= 1:
        raise ValueError(f"it describes {description.image_size} pixels at width {description.width}")
    return description


def _write(path: Path, arrays: Arrays, text: str) -> None:
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        archive.writestr(_DESCRIPTION, text)
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def _read(path: Path) -> tuple[dict[str, NDArray[Any]], str]:
    """Return what `_write` wrote. Raises ValueError or OSError if it is none."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        try:
            for member in archive.namelist():
                if member != _DESCRIPTION:
                    with archive.open(member) as content:
                        array = np.lib.format.read_array(content, allow_pickle=False)
                    arrays[member.removesuffix(".npy")] = array
            return arrays, archive.read(_DESCRIPTION).decode()
        except (KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error
