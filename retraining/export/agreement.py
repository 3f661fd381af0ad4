"""Checks that an exported file, read back, gives the same probabilities as the model in memory."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from retraining.arrays import Forward, ImageSize, Pixels, Probabilities, Vectors
from retraining.data import images
from retraining.errors import BadImage, WorkFailed
from retraining.export import trial
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.features.extractor import FeatureExtractor
from retraining.runtimes.batches import BATCH_SIZE
from retraining.training.model import CHECKED_IMAGES, TrainedModel

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

    They are a sample of the test set or, if that is empty, of another set. If none can be read, made-up ones
    must agree. Raises WorkFailed if one differs.
    """
    chosen = model.bottlenecks.first_held_out().sample(CHECKED_IMAGES)
    exact = model.extractor.in_tensorflow()
    agreed = 0
    for batch in _batches(chosen, model.extractor.image_size, model.significant_bits):
        probabilities = run(batch.pixels)
        difference = _difference(probabilities, model, chosen.vectors[batch.rows])
        if not _agrees(difference) and exact != model.extractor:
            # Exported files are computed by TensorFlow in float32. Another engine or precision may differ by
            # more than they do.
            difference = _difference(probabilities, model, exact.extract(batch.pixels))
        if not _agrees(difference):
            worst = chosen.files[batch.rows[int(difference.argmax())]]
            raise _disagreement(float(difference.max()), worst, path)
        agreed += len(batch.rows)
    if not agreed:
        _check_drawn(run, model, exact, path)
    return agreed


def _check_drawn(run: Forward, model: TrainedModel, exact: FeatureExtractor, path: Path) -> None:
    pixels = np.stack(trial.drawn(model.extractor.image_size))
    difference = _difference(run(pixels), model, exact.extract(pixels))
    if not _agrees(difference):
        raise _disagreement(float(difference.max()), "a made-up image", path)


def _difference(probabilities: Probabilities, model: TrainedModel, vectors: Vectors) -> Probabilities:
    """Return float32 [n]: for each image the largest difference from what the layer makes of its vector."""
    difference: Probabilities = np.abs(probabilities - model.layer.probabilities(vectors)).max(axis=1)
    return difference


def _agrees(difference: Probabilities) -> bool:
    return bool((difference <= TOLERANCE).all())  # written so that NaN does not


def _disagreement(difference: float, worst: object, path: Path) -> WorkFailed:
    return WorkFailed(
        "the exported graph disagrees with the classifier by {difference:.3g} for {worst}; '{path}' was not "
        "written. Remove the folder of {bottleneck_dir} and run again; if it happens again, it is a bug: "
        "please report it.",
        difference=difference,
        worst=worst,
        path=path,
    )


def _batches(chosen: BottleneckSet, size: ImageSize, significant_bits: int | None) -> Iterator[_Batch]:
    for start in range(0, len(chosen), BATCH_SIZE):
        rows, pixels = [], []
        for row in range(start, min(start + BATCH_SIZE, len(chosen))):
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
