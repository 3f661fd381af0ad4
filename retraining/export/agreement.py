"""Whether an exported file, read back, gives what the classifier in memory gives."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from retraining.arrays import ImageSize, Pixels, Probabilities
from retraining.data import images
from retraining.errors import BadImage, WorkFailed
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.features.extractor import BATCH_SIZE
from retraining.graphs.frozen_graph import Forward
from retraining.settings.module import FLOAT32
from retraining.training.model import TrainedModel

CHECKED_IMAGES = 100

# Largest difference in a probability. Rounding in float32 comes to 1e-6; a graph with another layer, or
# other pixels, differs by far more.
AGREEMENT = 1e-3


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Images whose files still hold what their vectors were computed from: rows of a set, and pixels."""

    rows: list[int]
    pixels: Pixels


def check(run: Forward, model: TrainedModel, path: Path) -> int:
    """Return on how many images `run`, read back from a file that is to be `path`, agrees with a model.

    They are images of the test set, or if it is empty of another. Raises WorkFailed if one differs.
    """
    chosen = model.bottlenecks.first_held_out()
    agreed = 0
    for batch in _batches(chosen, model.extractor.image_size):
        expected = _expected(model, chosen, batch)
        difference = np.abs(run(batch.pixels) - expected).max(axis=1)
        if not (difference <= AGREEMENT).all():  # written so that NaN also fails
            worst = chosen.paths[batch.rows[int(difference.argmax())]]
            raise _disagreement(float(difference.max()), worst, path)
        agreed += len(batch.rows)
    return agreed


def _disagreement(difference: float, worst: Path, path: Path) -> WorkFailed:
    return WorkFailed(
        "the exported graph disagrees with the classifier by {difference:.3g} on {worst}; '{path}' was not "
        "written. Remove the folder of {bottleneck_dir} and run again; if it happens again, it is a bug: "
        "please report it.",
        difference=difference,
        worst=worst,
        path=path,
    )


def _expected(model: TrainedModel, chosen: BottleneckSet, batch: _Batch) -> Probabilities:
    if model.extractor.precision == FLOAT32:
        return model.layer.probabilities(chosen.vectors[batch.rows])
    # Exported files compute in float32: vectors of another precision do not tell what they should give.
    exact = dataclasses.replace(model.extractor, precision=FLOAT32)
    return model.layer.probabilities(exact.extract(batch.pixels))


def _batches(chosen: BottleneckSet, size: ImageSize) -> Iterator[_Batch]:
    count = min(len(chosen), CHECKED_IMAGES)
    for start in range(0, count, BATCH_SIZE):
        rows, pixels = [], []
        for row in range(start, min(start + BATCH_SIZE, count)):
            decoded = _unchanged(chosen, row, size)
            if decoded is not None:
                rows.append(row)
                pixels.append(decoded)
        if rows:
            yield _Batch(rows, np.stack(pixels))


def _unchanged(chosen: BottleneckSet, row: int, size: ImageSize) -> Pixels | None:
    """Return the pixels of an image, or None if its file is no longer the one its vector is of."""
    try:
        content = images.read(chosen.paths[row])
        return images.decode(content, size) if images.digest(content) == chosen.keys[row] else None
    except BadImage:
        return None
