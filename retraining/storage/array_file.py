"""Arrays by name in one file, with a description in JSON.

The format is NumPy's .npz: nothing in the file is ever executed, and every part has a checksum.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retraining.storage.atomic_files import replacing

SUFFIX = ".npz"

_DESCRIPTION = "description.json"

Arrays = Mapping[str, NDArray[Any]]


class Contents(NamedTuple):
    """What is in a file: arrays by name, and the description."""

    arrays: Arrays
    description: dict[str, Any]


def write(path: Path, arrays: Arrays, description: Mapping[str, Any]) -> None:
    """Write arrays and a description, which must be valid JSON, all or nothing. Raises WorkFailed."""
    with replacing(path) as beside, zipfile.ZipFile(beside, "w") as archive:
        archive.writestr(_DESCRIPTION, json.dumps(description))
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def read(path: Path) -> Contents:
    """Return what `write` wrote. Raises ValueError, BadZipFile or OSError if the file is something else."""
    arrays = {}
    with zipfile.ZipFile(path) as archive:
        try:
            for member in archive.namelist():
                if member != _DESCRIPTION:
                    with archive.open(member) as content:
                        array = np.lib.format.read_array(content, allow_pickle=False)
                    arrays[member.removesuffix(".npy")] = array
            return Contents(arrays, json.loads(archive.read(_DESCRIPTION).decode()))
        except (KeyError, EOFError, RuntimeError, zipfile.BadZipFile) as error:
            raise ValueError(str(error)) from error
