"""Files inside a SavedModel's folder: its labels, and how the classifier wants its images."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retraining.arrays import ImageSize
from retraining.errors import BadRequest
from retraining.storage import labels_file

FOLDER = "assets"  # where the format has them
LABELS = "labels.txt"  # as labels_file encodes them
CLASSIFIER = "classifier.json"

_NUMBERS = {"height": int, "width": int, "input_mean": float, "input_std": float}


@dataclasses.dataclass(frozen=True)
class Assets:
    """What a SavedModel records of its classifier; all of it is as for ImageClassifier."""

    labels: tuple[str, ...]
    size: ImageSize
    mean: float = 0
    std: float = 255
    significant_bits: int | None = None

    def files(self) -> Mapping[str, bytes]:
        """Return the files that go into FOLDER, by name."""
        described = {
            "height": self.size.height,
            "width": self.size.width,
            "input_mean": self.mean,
            "input_std": self.std,
            "significant_bits": self.significant_bits,
        }
        text = json.dumps(described, indent=2)
        return {LABELS: labels_file.encode(self.labels), CLASSIFIER: f"{text}\n".encode()}


def are_in(folder: Path) -> bool:
    """Return whether a folder has the files that tell what its classifier wants."""
    return all((folder / FOLDER / name).is_file() for name in (LABELS, CLASSIFIER))


def read(folder: Path) -> Assets:
    """Return what a SavedModel's folder records. Raises BadRequest if it is damaged."""
    path = folder / FOLDER / CLASSIFIER
    try:
        described: dict[str, Any] = json.loads(path.read_bytes())
        height, width, mean, std = (kind(described[name]) for name, kind in _NUMBERS.items())
        bits = described["significant_bits"]
        bits = None if bits is None else int(bits)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadRequest(
            "'{path}' cannot be read: {reason}. Export the SavedModel again.", path=path, reason=error
        ) from error
    return Assets(labels_file.read(folder / FOLDER / LABELS), ImageSize(height, width), mean, std, bits)
