"""Fits the detector of images that are unlike any class, and tells how well it does."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from retraining.arrays import Vectors
from retraining.features.image_vectors import ImageVectors
from retraining.inference.novelty import FALSE_ALARMS, NoveltyDetector, directions

LEAST_IMAGES = 40  # With fewer, a share of FALSE_ALARMS is one image or none.

_CENTRES = 3  # of a class, at most: it may be seen from the front and from the side
_IMAGES_PER_CENTRE = 20
_MOST_CENTRES = 300  # of all classes, unless there are more classes: exported files have to hold them
_IMAGES_OF_A_CLASS = 300  # More of them do not move its centres.
_ROUNDS = 10

_IMAGES_AT_ONCE = 1024

_QUANTILES = 201
# Between quantiles at least, so that rounding errors do not tell images that are all the same apart.
_LEAST_DIFFERENCE = 1e-6


@dataclasses.dataclass(frozen=True)
class LeftOutClass:
    """A class taken for something unknown: the share in [0, 1] of its images that are called unknown then."""

    label: int
    caught: float


@dataclasses.dataclass(frozen=True)
class NoveltyCheck:
    """How well images of no class would be told apart.

    `test_novelty` float32 [n] in [0, 1] is that of the test images, or of a sample of many, which
    the detector has not seen; those above 1 - FALSE_ALARMS are false alarms. `left_out` has each class that
    was taken for something unknown: harder to tell than most things that are no class at all.
    """

    test_novelty: NDArray[np.float32]
    left_out: tuple[LeftOutClass, ...]

    @property
    def false_alarms(self) -> float:
        """The share in [0, 1] of the test images that are called unknown; NaN if there are none."""
        above = self.test_novelty > 1 - FALSE_ALARMS
        return float(above.mean()) if len(above) else float("nan")


def fit(
    known: ImageVectors, folds: NDArray[np.int64], classes: int, *, asked: NDArray[np.int64] | None = None
) -> NoveltyDetector | None:
    """Return the detector of the classes of images, whose folds, int64 [n], are those of cross-validation.

    The distances that its quantiles tell are from centres that the image itself is not part of; they are
    those of the images in the rows `asked`, int64 [k], by default all. None if fewer than LEAST_IMAGES can be
    judged so.
    """
    names = np.unique(folds)
    with threadpool_limits(1):  # many small products: threads would only wait for one another
        centres, is_seen = _all_centres(known, folds, names, classes)
    stacked = centres.reshape(len(names) + 1, -1, known.feature_size)
    is_asked = np.full(len(known), asked is None)
    is_asked[slice(0) if asked is None else asked] = True
    distances = [
        _distances(
            known,
            np.flatnonzero(is_asked & (folds == fold) & is_seen[number][known.labels]),
            stacked[number],
        )
        for number, fold in enumerate(names.tolist())
    ]
    found = np.concatenate([np.zeros(0, np.float32), *distances])
    return NoveltyDetector(stacked[-1], _quantiles(found)) if len(found) >= LEAST_IMAGES else None


def _all_centres(
    known: ImageVectors, folds: NDArray[np.int64], names: NDArray[np.int64], classes: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return centres float32 [len(names) + 1, classes, k, feature_size], and for which there are images.

    Those of a fold's name are of the images outside that fold, and the last ones of all images.
    """
    each = _centres_per_class(len(known), classes)
    centres = np.zeros((len(names) + 1, classes, each, known.feature_size), np.float32)
    is_seen = np.zeros((len(names) + 1, classes), bool)
    for label in np.unique(known.labels):
        rows = _sample(np.flatnonzero(known.labels == label))
        vectors = directions(known.take(rows))
        for number, fold in enumerate((*names.tolist(), None)):
            used = vectors[folds[rows] != fold] if fold is not None else vectors
            if len(used):
                is_seen[number, label] = True
                centres[number, label] = _centres(used, each)
    return centres, is_seen


def check(
    detector: NoveltyDetector, known: ImageVectors, testing: ImageVectors, classes: int
) -> NoveltyCheck:
    """Return how well a detector does on test images, and on all images of a class that is left out.

    `known` are the images that it was fitted to, or some of them.
    """
    owners = np.arange(classes).repeat(len(detector.centres) // classes)
    caught, counts = np.zeros(classes), np.zeros(classes, np.int64)
    for images in (known, testing) if classes > 1 else ():
        for rows, vectors in images.blocks():
            labels = images.labels[rows]
            left_out = detector.distances(vectors, labels[:, np.newaxis] == owners)
            caught += np.bincount(labels, detector.shares(left_out) > 1 - FALSE_ALARMS, classes)
            counts += np.bincount(labels, minlength=classes)
    novelty = [detector.novelty(vectors) for _, vectors in testing.blocks()]
    return NoveltyCheck(
        np.concatenate([np.zeros(0, np.float32), *novelty]),
        tuple(
            LeftOutClass(label, float(caught[label] / counts[label]))
            for label in np.flatnonzero(counts).tolist()
        ),
    )


def _centres_per_class(images: int, classes: int) -> int:
    fitting = min(images // (_IMAGES_PER_CENTRE * classes), _MOST_CENTRES // classes)
    return max(1, min(_CENTRES, fitting))


def _sample(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return _IMAGES_OF_A_CLASS rows, evenly spread, or all if there are not more."""
    if len(rows) <= _IMAGES_OF_A_CLASS:
        return rows
    return rows[np.linspace(0, len(rows) - 1, _IMAGES_OF_A_CLASS).astype(np.int64)]


def _centres(vectors: Vectors, count: int) -> NDArray[np.float32]:
    """Return float32 [count, feature_size], about the directions that vectors of length 1 gather around.

    k-means on the sphere, which starts with equal parts along the axis of the largest variance: the same
    vectors give the same centres. Dhillon and Modha, "Concept Decompositions for Large Sparse Text Data Using
    Clustering", Machine Learning 42, 2001. Each is then moved halfway to the mean: what is nothing like the
    class may be near a few of its images. Parts that run empty have the first centre. Rounded to half
    precision.
    """
    nearest = _equal_parts(vectors, count)
    for _ in range(_ROUNDS if count > 1 else 1):
        found = directions(np.array([vectors[nearest == part].sum(axis=0) for part in np.unique(nearest)]))
        nearest = (vectors @ found.T).argmax(axis=1)
    found = directions(found + directions(vectors.sum(axis=0, keepdims=True)))
    rounded = np.concatenate([found, found[:1].repeat(count - len(found), axis=0)]).astype(np.float16)
    return np.asarray(rounded, np.float32)


def _equal_parts(vectors: Vectors, count: int) -> NDArray[np.int64]:
    """Return int64 [n], from 0 to count - 1: the part of each vector along the axis of largest variance."""
    parts = np.zeros(len(vectors), np.int64)
    if count > 1:
        order = np.argsort(vectors @ _axis(vectors), kind="stable")
        parts[order] = np.arange(len(vectors)) * count // len(vectors)
    return parts


def _axis(vectors: Vectors) -> NDArray[np.float32]:
    """Return about the axis float32 [feature_size] along which vectors vary most."""
    centred = vectors - vectors.mean(axis=0)
    axis: Vectors = centred[[np.square(centred).sum(axis=1).argmax()]]
    for _ in range(_ROUNDS):
        axis = directions(axis @ centred.T @ centred)
    return axis.reshape(-1)


def _distances(
    known: ImageVectors, rows: NDArray[np.int64], centres: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return float32 [len(rows)], the distance of images from centres."""
    detector = NoveltyDetector(centres, np.zeros(0, np.float32))
    found = np.empty(len(rows), np.float32)
    for start in range(0, len(rows), _IMAGES_AT_ONCE):
        block = slice(start, start + _IMAGES_AT_ONCE)
        found[block] = detector.distances(known.take(rows[block]))
    return found


def _quantiles(distances: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return float32 [_QUANTILES], ascending, of distances of images of the classes.

    The k-th of n is the quantile k / (n + 1): a new image is beyond it with the chance that it states,
    however few there are. Hyndman and Fan, "Sample Quantiles in Statistical Packages", The American
    Statistician 50, 1996, definition 6. Beyond the last one, the share goes on rising for as far again as
    that is from the median.
    """
    ascending = np.sort(distances)
    beyond = 2 * ascending[-1] - np.median(ascending)
    at = np.interp(
        np.linspace(0, 1, _QUANTILES),
        np.linspace(0, 1, len(ascending) + 2),
        np.concatenate([[0], ascending, [beyond]]),
    )
    quantiles: NDArray[np.float32] = (at + _LEAST_DIFFERENCE * np.arange(_QUANTILES)).astype(np.float32)
    return quantiles
