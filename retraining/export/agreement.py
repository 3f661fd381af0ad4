"""Checks that an exported file, read back, gives the same probabilities as the model in memory."""

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

# Largest difference in a probability. Rounding in float32 makes about 1e-6; a graph with another layer or
# other pixels differs by far more.
TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True)
class _Batch:
    """Images whose files have not changed since their vectors were computed: rows of a set, and pixels."""

    rows: list[int]
    pixels: Pixels


def check(run: Forward, model: TrainedModel, path: Path) -> int:
    """Return the number of images for which `run`, read back from the export to `path`, agrees with `model`.

    They are images of the test set or, if that is empty, of another set. Raises WorkFailed if one differs.
    """
    chosen = model.bottlenecks.first_held_out()
    agreed = 0
    for batch in _batches(chosen, model.extractor.image_size, model.significant_bits):
        expected = _expected(model, chosen, batch)
        difference = np.abs(run(batch.pixels) - expected).max(axis=1)
        if not (difference <= TOLERANCE).all():  # written so that NaN also fails
            worst = chosen.paths[batch.rows[int(difference.argmax())]]
            raise _disagreement(float(difference.max()), worst, path)
        agreed += len(batch.rows)
    return agreed


def _disagreement(difference: float, worst: Path, path: Path) -> WorkFailed:
    return WorkFailed(
        "the exported graph disagrees with the classifier by {difference:.3g} for {worst}; '{path}' was not "
        "written. Remove the folder of {bottleneck_dir} and run again; if it happens again, it is a bug: "
        "please report it.",
        difference=difference,
        worst=worst,
        path=path,
    )


def _expected(model: TrainedModel, chosen: BottleneckSet, batch: _Batch) -> Probabilities:
    if model.extractor.precision == FLOAT32:
        return model.layer.probabilities(chosen.vectors[batch.rows])
    # Exported files compute in float32, so vectors of another precision cannot be compared with them.
    exact = dataclasses.replace(model.extractor, precision=FLOAT32)
    return model.layer.probabilities(exact.extract(batch.pixels))


def _batches(chosen: BottleneckSet, size: ImageSize, significant_bits: int | None) -> Iterator[_Batch]:
    count = min(len(chosen), CHECKED_IMAGES)
    for start in range(0, count, BATCH_SIZE):
        rows, pixels = [], []
        for row in range(start, min(start + BATCH_SIZE, count)):
            decoded = _unchanged(chosen, row, size=size, significant_bits=significant_bits)
            if decoded is not None:
                rows.append(row)
                pixels.append(decoded)
        if rows:
            yield _Batch(rows, np.stack(pixels))


def _unchanged(
    chosen: BottleneckSet, row: int, *, size: ImageSize, significant_bits: int | None
) -> Pixels | None:
    """Return the pixels of an image, or None if its file has changed since its vector was computed."""
    try:
        content = images.read(chosen.paths[row])
        is_same = images.identity(content, significant_bits) == chosen.keys[row]
        return images.decode(content, size, significant_bits) if is_same else None
    except BadImage:
        return None
