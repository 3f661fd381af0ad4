"""Lists the images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from retraining.data import dataset
from retraining.data.image_list import ListedImage, to_json
from retraining.distribution import places
from retraining.settings.data import DataSettings


def write(data: object, folder: str, outputs: Sequence[Path]) -> str:
    if getattr(data, "image_list"):
        return str(getattr(data, "image_list"))
    settings = DataSettings(Path(getattr(data, "image_dir")).absolute())
    found = dataset.scan(settings, outputs)
    path = places.join(folder, "listed.jsonl")
    lines = [
        to_json(ListedImage(image.file, found.labels[image.label], image.split)) + "\n" for image in found.images
    ]
    places.write(path, "".join(lines).encode())
    return path
