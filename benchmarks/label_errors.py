"""Wrong labels: how many flipped ones are found, and how many right ones are listed.

K labels of a folder's images are changed, each to another class drawn at random. The average precision and
the shares found among the first K and 2K entries are those of all images ranked by suspicion; the list is
what the report shows. Where cleanlab is installed, what it makes of the same probabilities stands beside it.
"""

from __future__ import annotations

import dataclasses
import importlib
import importlib.util
import logging
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import image_folder
from benchmarks.arguments import LabelErrorsSettings
from benchmarks.figures import print_table, seconds
from retraining.assessment import cross_validation, suspects
from retraining.assessment.scored import Scored
from retraining.data.split import Split
from retraining.features import bottlenecks, image_vectors, near_duplicates
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import load_extractor
from retraining.features.near_duplicates import Groups
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings

COLUMNS = (
    "module",
    "found by",
    "average precision",
    "found in first K",
    "in first 2K",
    "listed",
    "precision of the list",
    "recall",
    "listed, labels as they are",
    "time",
)

LEAST_PHOTOS = 20
TIMED_PHOTOS = 1000

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Found:
    """All images, the most suspect first, and those of them that are listed, as rows of what was judged."""

    ranked: NDArray[np.int64]
    listed: NDArray[np.int64]


Find = Callable[[Scored], Found]


def run(settings: LabelErrorsSettings) -> None:
    """Measure and print the table."""
    photos = image_folder.usable(settings.folder, at_least=LEAST_PHOTOS)
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        rows = []
        for handle in settings.handles:
            extractor = load_extractor(ModuleSettings(handle))
            cache = BottleneckCache(Path(scratch), extractor)
            vectors = bottlenecks.compute(photos, extractor, cache)
            rows.append(_rows(extractor.name, vectors, settings))
        print_table(COLUMNS, (row for of_module in rows for row in of_module))


def _rows(name: str, vectors: Bottlenecks, settings: LabelErrorsSettings) -> Iterator[tuple[str, ...]]:
    near = near_duplicates.find(vectors).groups
    log.info("%s: labels as they are", name)
    clean = _judged(vectors, near)
    time = seconds(lambda: _judged(_more(vectors, TIMED_PHOTOS), near))
    flipped = [_flipped(vectors, settings.flipped_percentage, seed) for seed in range(settings.seeds)]
    judged = []
    for number, (images, _) in enumerate(flipped, start=1):
        log.info("%s: flipped labels, seed %d of %d", name, number, len(flipped))
        judged.append(_judged(images, near))
    for what, find in finders():
        figures = [
            _figures(find(scored), np.isin(scored.numbers, wrong))
            for scored, (_, wrong) in zip(judged, flipped, strict=True)
        ]
        means = np.mean(figures, axis=0)
        right = f"{len(find(clean).listed)} of {len(clean)}"
        yield name, what, *_cells(means), right, f"{time:.2f} s" if find is _ours else ""


def _cells(means: Sequence[float]) -> tuple[str, ...]:
    precision, *found, listed, precise, recall = means
    return (
        f"{precision:.2f}",
        *(f"{share:.0%}" for share in found),
        f"{listed:.0f}",
        f"{precise:.0%}",
        f"{recall:.0%}",
    )


def _judged(vectors: Bottlenecks, near: Groups) -> Scored:
    judges = cross_validation.cross_validate(vectors, TrainingSettings(), near).judges
    return judges.first(len(judges))


def finders() -> Iterator[tuple[str, Find]]:
    """Yield the ways to find wrong labels by probabilities, each with its name."""
    yield "the report", _ours
    if importlib.util.find_spec("cleanlab") is None:
        log.info("cleanlab is not installed, so nothing stands beside the report's figures")
        return
    for rule in ("prune_by_noise_rate", "confident_learning", "low_self_confidence"):
        yield f"cleanlab, {rule}", lambda judged, rule=rule: _cleanlab(judged, rule)  # type: ignore[misc]


def _ours(judged: Scored) -> Found:
    found = suspects.doubts(judged)
    return Found(found.ranked, found.ranked[: found.count])


def _cleanlab(judged: Scored, rule: str) -> Found:
    rank: Any = importlib.import_module("cleanlab.rank")
    filters: Any = importlib.import_module("cleanlab.filter")
    probabilities = np.exp(judged.log_probabilities.astype(np.float64))
    quality = rank.get_label_quality_scores(judged.labels, probabilities)
    listed = filters.find_label_issues(
        judged.labels, probabilities, filter_by=rule, return_indices_ranked_by="self_confidence", n_jobs=1
    )
    return Found(np.argsort(quality, kind="stable"), np.asarray(listed, np.int64))


def _figures(found: Found, is_wrong: NDArray[np.bool_]) -> tuple[float, ...]:
    """Return the average precision, the shares found in the first K and 2K, and the list's figures."""
    hits, count = is_wrong[found.ranked], int(is_wrong.sum())
    precisions = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    listed = is_wrong[found.listed]
    return (
        float(precisions[hits].mean()),
        hits[:count].sum() / count,
        hits[: 2 * count].sum() / count,
        len(listed),
        listed.sum() / max(1, len(listed)),
        listed.sum() / count,
    )


def _flipped(vectors: Bottlenecks, percentage: float, seed: int) -> tuple[Bottlenecks, NDArray[np.int64]]:
    """Return the images with a share of wrong labels, and the places of those in the dataset."""
    rng = np.random.default_rng(seed)
    dataset, classes = vectors.dataset, len(vectors.dataset.labels)
    count = max(1, round(percentage / 100 * len(dataset.images)))
    wrong = rng.choice(len(dataset.images), count, replace=False)
    images = list(dataset.images)
    for number, shift in zip(wrong.tolist(), rng.integers(1, classes, size=count).tolist(), strict=True):
        images[number] = images[number]._replace(label=(images[number].label + shift) % classes)
    changed = dataclasses.replace(dataset, images=tuple(images))
    return dataclasses.replace(vectors, dataset=changed), wrong


def _more(vectors: Bottlenecks, count: int) -> Bottlenecks:
    """Return `count` images, by repeating those there are with noise in their vectors."""
    rng = np.random.default_rng(0)
    old = vectors.dataset.images
    places = np.arange(count) % len(old)
    images = tuple(old[place]._replace(file=f"{number}") for number, place in enumerate(places))
    digests = tuple(rng.bytes(32) for _ in range(count))
    found = np.concatenate([block for _, block in image_vectors.blocks(vectors)])
    of_image = np.concatenate([numbers for numbers, _ in image_vectors.blocks(vectors)])
    found = found[np.argsort(of_image)][places]
    found += 0.1 * found.std() * rng.standard_normal(found.shape, np.float32)

    def of_set(split: Split) -> BottleneckSet:
        (numbers,) = np.nonzero([image.split is split for image in images])
        labels = np.array([images[number].label for number in numbers], np.int64)
        files = tuple(images[number].file for number in numbers)
        return BottleneckSet(found[numbers], labels, files, tuple(digests[number] for number in numbers))

    return Bottlenecks(
        training=of_set(Split.TRAINING),
        validation=of_set(Split.VALIDATION),
        testing=of_set(Split.TESTING),
        dataset=dataclasses.replace(vectors.dataset, images=images),
        digests=digests,
        skipped=(),
    )
