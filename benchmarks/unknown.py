"""Unknown images: how well ways to tell them from images of the classes do, on images that nothing has seen.

Each way is fitted to 80 % of the images of a folder, and its threshold, for 5 % false alarms, to their
cross-validated distances; the other 20 % tell how many false alarms there really are. Unknown are the images
of other folders, and those of each class in turn, which is then left out: the hardest and most honest test,
since all else about such images is the same.
"""

from __future__ import annotations

import dataclasses
import logging
import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from benchmarks import image_folder, other_images
from benchmarks.arguments import UnknownSettings
from benchmarks.figures import print_table
from retraining.arrays import Labels, Vectors
from retraining.assessment import layers, novelty_fit
from retraining.assessment.folds import FOLDS
from retraining.data.split import Split
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.image_vectors import ImageVectors
from retraining.inference.novelty import FALSE_ALARMS, directions
from retraining.settings.module import ModuleSettings
from retraining.settings.training import TrainingSettings
from retraining.training.softmax_layer import SoftmaxLayer

LEAST_PHOTOS = 50
OURS = "**centres of each class**"

_TESTED = 5  # one in so many images
_NEIGHBOURS = 5
_MOST_LEFT_OUT = 5

log = logging.getLogger(__name__)

Distance = Callable[[Vectors], NDArray[np.float32]]
"""How unlike the classes vectors are: the more, the likelier are they unknown."""

Way = Callable[[Vectors, Labels, SoftmaxLayer], Distance]
"""From vectors, their labels and a layer that was trained on them to a distance."""


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A distance, and the one above which an image is called unknown."""

    distance: Distance
    threshold: float


@dataclasses.dataclass(frozen=True)
class Told:
    """How well unknown images were told: the area under the ROC curve, and two shares in [0, 1]."""

    area: float
    caught: float
    false_alarms: float


def run(settings: UnknownSettings) -> None:
    """Measure and print the table."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        folder = Path(scratch)
        others = {
            **{other.name: other for other in settings.others},
            "digits": other_images.digits(folder / "digits"),
            "parts of two photos": other_images.tiles(folder / "tiles"),
        }
        columns = ("network", "way", "false alarms", "a class left out", *others)
        print_table(columns, _rows(settings, others, folder / "cache"))


def _rows(settings: UnknownSettings, others: Mapping[str, Path], cache: Path) -> Iterator[Sequence[str]]:
    for handle in settings.tfhub_modules:
        extractor = load_extractor(ModuleSettings(handle))
        photos = _vectors(settings.folder, extractor, cache)
        unknown = {name: _vectors(folder, extractor, cache).parts[0] for name, folder in others.items()}
        told: dict[str, dict[str, list[Told]]] = {}
        for seed in range(settings.splits):
            log.info("%s: split %d of %d", extractor.name, seed + 1, settings.splits)
            for way, what, result in _told(photos, unknown, seed):
                told.setdefault(way, {}).setdefault(what, []).append(result)
        for way, by_images in told.items():
            alarms = [each.false_alarms for results in by_images.values() for each in results]
            yield extractor.name, way, f"{statistics.fmean(alarms):.1%}", *map(_cell, by_images.values())


def _cell(results: Sequence[Told]) -> str:
    area, caught = (
        statistics.fmean(each) for each in zip(*((r.area, r.caught) for r in results), strict=True)
    )
    return f"{area:.3f}, {caught:.0%} caught"


def _vectors(folder: Path, extractor: FeatureExtractor, cache: Path) -> ImageVectors:
    """Return all images of a folder, in one part."""
    photos = image_folder.usable(folder, at_least=LEAST_PHOTOS)
    found = bottlenecks.compute(photos, extractor, BottleneckCache(cache, extractor))
    images = ImageVectors.of_sets(found, Split.TRAINING, Split.VALIDATION, Split.TESTING)
    return ImageVectors(images.numbers, images.labels, (np.concatenate(images.parts),))


def _told(photos: ImageVectors, unknown: Mapping[str, Vectors], seed: int) -> Iterator[tuple[str, str, Told]]:
    """Yield results by the way and the images: a class left out before all others."""
    everything, labels = photos.parts[0], photos.labels
    present = np.unique(labels)
    for label in present[np.linspace(0, len(present) - 1, min(len(present), _MOST_LEFT_OUT)).astype(int)]:
        _, renumbered = np.unique(labels[labels != label], return_inverse=True)
        others = {"a class left out": everything[labels == label]}
        yield from compared(everything[labels != label], renumbered, others, seed)
    yield from compared(everything, labels, unknown, seed)


def compared(
    vectors: Vectors, labels: Labels, unknown: Mapping[str, Vectors], seed: int
) -> Iterator[tuple[str, str, Told]]:
    """Yield how well each way tells unknown vectors, by name, from those of classes dealt by a seed."""
    order = np.random.default_rng(seed).permutation(len(labels))
    testing, rows = np.split(order, [len(order) // _TESTED])
    known = ImageVectors(rows, labels[rows], (vectors[rows],))
    for way, fitted in _fitted(known, seed):
        usual = fitted.distance(vectors[testing])
        for what, others in unknown.items():
            found = fitted.distance(others)
            is_unknown = np.repeat([False, True], [len(usual), len(found)])
            area = roc_auc_score(is_unknown, np.concatenate([usual, found]))
            caught, alarms = ((each > fitted.threshold).mean() for each in (found, usual))
            yield way, what, Told(float(area), float(caught), float(alarms))


def _fitted(known: ImageVectors, seed: int) -> Iterator[tuple[str, Fitted]]:
    """Yield each way, fitted to images; the program's own as the program does it."""
    folds = _folds(known.labels)
    classes = int(known.labels.max()) + 1
    detector = novelty_fit.fit(known, folds, classes)
    if detector is not None:
        shares = np.linspace(0, 1, len(detector.quantiles))
        threshold = float(np.interp(1 - FALSE_ALARMS, shares, detector.quantiles))
        yield OURS, Fitted(detector.distances, threshold)
    is_used = np.column_stack([folds[:, np.newaxis] != np.arange(FOLDS), np.ones(len(folds), bool)])
    settings = TrainingSettings()
    trained = layers.train(
        known,
        is_used,
        classes,
        steps=settings.how_many_training_steps,
        learning_rate=settings.learning_rate,
        seed=seed,
    )
    vectors = known.parts[0]
    for name, way in WAYS.items():
        held_out = np.empty(len(folds), np.float32)
        for fold in range(FOLDS):
            used = is_used[:, fold]
            held_out[~used] = way(vectors[used], known.labels[used], trained[fold])(vectors[~used])
        threshold = float(np.quantile(held_out, 1 - FALSE_ALARMS, method="weibull"))
        yield name, Fitted(way(vectors, known.labels, trained[-1]), threshold)


def _folds(labels: Labels) -> NDArray[np.int64]:
    """Return int64 [n], the folds that the images of each class are dealt to in turn."""
    found = np.empty(len(labels), np.int64)
    for label in np.unique(labels):
        (rows,) = np.nonzero(labels == label)
        found[rows] = np.arange(len(rows)) % FOLDS
    return found


def _softmax(_vectors: Vectors, _labels: Labels, layer: SoftmaxLayer) -> Distance:
    return lambda vectors: -layer.probabilities(vectors).max(axis=1)


def _energy(_vectors: Vectors, _labels: Labels, layer: SoftmaxLayer) -> Distance:
    """Liu et al., "Energy-based Out-of-distribution Detection", NeurIPS 2020."""
    return lambda vectors: -np.logaddexp.reduce(vectors @ layer.weights + layer.biases, axis=1)


def _class_means(vectors: Vectors, labels: Labels, _layer: SoftmaxLayer) -> Distance:
    means = directions(_means(vectors, labels))
    return lambda vectors: 1 - (directions(vectors) @ means.T).max(axis=1)


def _centred_means(vectors: Vectors, labels: Labels, _layer: SoftmaxLayer) -> Distance:
    middle = vectors.mean(axis=0)
    means = directions(_means(vectors, labels) - middle)
    return lambda vectors: 1 - (directions(vectors - middle) @ means.T).max(axis=1)


def _neighbours(vectors: Vectors, _labels: Labels, _layer: SoftmaxLayer) -> Distance:
    """Sun et al., "Out-of-distribution Detection with Deep Nearest Neighbors", ICML 2022."""
    known = directions(vectors)
    return lambda vectors: 1 - np.sort(directions(vectors) @ known.T, axis=1)[:, -_NEIGHBOURS:].mean(axis=1)


def _means_and_energy(vectors: Vectors, labels: Labels, layer: SoftmaxLayer) -> Distance:
    parts = [way(vectors, labels, layer) for way in (_class_means, _energy)]
    scales = [1 / max(float(part(vectors).std()), 1e-9) for part in parts]
    return lambda vectors: np.sum(
        [scale * part(vectors) for scale, part in zip(scales, parts, strict=True)], axis=0
    )


def _means(vectors: Vectors, labels: Labels) -> Vectors:
    return np.array([vectors[labels == label].mean(axis=0) for label in np.unique(labels)])


WAYS: dict[str, Way] = {
    "largest score": _softmax,
    "energy of the logits": _energy,
    "class means": _class_means,
    "class means, centred": _centred_means,
    "class means and energy": _means_and_energy,
    f"{_NEIGHBOURS} nearest images": _neighbours,
}
