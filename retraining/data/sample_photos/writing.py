"""Photos as files: one folder for each kind of flower."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from retraining.data.sample_photos.flowers import KINDS
from retraining.data.sample_photos.photo import draw
from retraining.progress import progress
from retraining.storage import atomic_files

_PNG_EVERY = 10  # the other photos are JPEGs


def write(folder: Path, *, per_class: int, seed: int) -> None:
    """Write `per_class` photos of each kind below `folder`, in one sub-folder for each kind.

    Files of the same name are replaced, other files are left alone. The same `seed` draws the same bytes.
    Raises WorkFailed.
    """
    numbers = [(kind, index) for kind in range(len(KINDS)) for index in range(1, per_class + 1)]
    for kind, index in progress(numbers, total=len(numbers), task="Drawing", unit="photo"):
        # A generator for each photo: a larger per_class must not change the earlier photos.
        rng = np.random.default_rng([seed, kind, index])
        suffix = ".png" if index % _PNG_EVERY == 0 else ".jpg"
        path = folder / KINDS[kind] / f"{KINDS[kind]}_{index:04d}{suffix}"
        atomic_files.write_bytes(path, _encoded(draw(KINDS[kind], rng), suffix, rng))


def _encoded(photo: Image.Image, suffix: str, rng: np.random.Generator) -> bytes:
    content = io.BytesIO()
    if suffix == ".png":
        photo.save(content, "PNG", compress_level=1)  # grain hardly compresses, whatever the effort
    else:
        photo.save(content, "JPEG", quality=int(rng.integers(45, 96)))
    return content.getvalue()
