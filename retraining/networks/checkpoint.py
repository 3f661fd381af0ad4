"""A trained network in one file: its weights by name, and a description from which to build it."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retraining.errors import BadRequest
from retraining.settings import architectures
from retraining.storage import array_file
from retraining.storage.array_file import SUFFIX, Arrays


@dataclasses.dataclass(frozen=True)
class Description:
    """What is needed to build a network.

    `name` is one of `architectures.NAMES`, `image_size` its height and width in pixels, `width` the share of
    its filters that are kept, in (0, 1].
    """

    name: str
    labels: tuple[str, ...]
    image_size: int
    width: float


@dataclasses.dataclass(frozen=True)
class StoredNetwork:
    """The contents of a file.

    `arrays` holds the weights by their path in the network, and any other arrays that were saved with them;
    `metadata` all the JSON values, those of the description included.
    """

    path: Path
    description: Description
    arrays: Arrays = dataclasses.field(repr=False)
    metadata: dict[str, Any] = dataclasses.field(repr=False)


def write(
    network: Any,
    path: Path,
    description: Description,
    *,
    arrays: Arrays | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a keras.Model that `construction.build` made, all of it or nothing. Raises WorkFailed.

    `arrays` and `metadata`, which must be valid JSON, are saved with its weights.
    """
    weights = {weight.path: weight.numpy() for weight in network.weights}
    described = dataclasses.asdict(description) | dict(metadata or {})
    array_file.write(path, weights | dict(arrays or {}), described)


def read(path: Path, *, name: str | None = None) -> StoredNetwork:
    """Return what `write` wrote.

    Raises BadRequest if `write` did not write the file, or it holds another network than `name`.
    """
    try:
        arrays, metadata = array_file.read(path)
        description = _description(metadata)
    except FileNotFoundError as error:
        raise BadRequest("weights '{path}' do not exist.", path=path) from error
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(
            "weights '{path}' were not written by compare, or the file is incomplete ({error}). Give one of "
            "the {suffix} files that compare lists when it finishes.",
            path=path,
            error=error,
            suffix=SUFFIX,
        ) from error
    if name not in (None, description.name):
        raise BadRequest(
            "weights '{path}' belong to {found}, but the network asked for is {wanted}.",
            path=path,
            found=description.name,
            wanted=name,
        )
    return StoredNetwork(path, description, arrays, metadata)


def load_weights(network: Any, stored: StoredNetwork) -> None:
    """Give a keras.Model its stored weights. Raises BadRequest if one is missing or has another shape."""
    for variable in network.weights:
        value = stored.arrays.get(variable.path)
        if value is None or value.shape != tuple(variable.shape):
            found = "is missing" if value is None else f"has shape {list(value.shape)}"
            raise BadRequest(
                "weights '{path}' do not fit {network}: {variable} must have shape {shape}, but in the file "
                "it {found}. Train the network again with compare.",
                path=stored.path,
                network=stored.description.name,
                variable=variable.path,
                shape=list(variable.shape),
                found=found,
            )
        variable.assign(value)


def _description(metadata: dict[str, Any]) -> Description:
    """Return the description among the JSON values of a file. Raises ValueError if it is not usable."""
    try:
        given = {field.name: metadata[field.name] for field in dataclasses.fields(Description)}
        description = Description(**{**given, "labels": tuple(map(str, given["labels"]))})
    except (KeyError, TypeError) as error:
        raise ValueError(f"its description lacks {error}") from error
    if description.name not in architectures.NAMES:
        raise ValueError(f"'{description.name}' is not a known network")
    if not isinstance(description.image_size, int) or not 0 < description.width <= 1:
        raise ValueError(
            f"its description gives image size {description.image_size} and width {description.width}"
        )
    return description
