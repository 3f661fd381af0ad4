"""What a model answers for its test images, and those of them that a report shows."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import Labels
from retraining.data.dataset import Dataset, LabelledImage
from retraining.features.image_vectors import ImageVectors
from retraining.training.softmax_layer import SoftmaxLayer

BEST = 3  # labels that are looked at for the right one

# Images that a report shows of a pair of classes, if all were right or wrong, and of all pairs together.
_MOST_RIGHT = 24
_MOST_WRONG = 60
_MOST_SHOWN = 6_000


@dataclasses.dataclass(frozen=True)
class Answers:
    """Test images, and the labels that score best: few numbers each, however many classes there are.

    `numbers` int64 [n] are the images' places in the dataset, and `labels` int64 [n] the classes that their
    folders say. `best` int64 [n, k] are the labels that score best, the best first, k at most BEST, and
    `log_probabilities` float32 [n, k] theirs; `own` float32 [n] is that of the image's own label, and
    `is_among_best` bool [n] whether that is one of them.
    """

    numbers: NDArray[np.int64]
    labels: Labels
    best: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    own: NDArray[np.float32]
    is_among_best: NDArray[np.bool_]

    @classmethod
    def of_layer(cls, layer: SoftmaxLayer, images: ImageVectors) -> Answers:
        """Return the answers of a layer."""
        found = cls._empty(images.numbers, images.labels, len(layer.biases))
        for rows, vectors in images.blocks():
            found._put(rows, layer.log_probabilities(vectors))
        return found

    @classmethod
    def of_scores(
        cls, numbers: NDArray[np.int64], labels: Labels, log_probabilities: NDArray[np.float32]
    ) -> Answers:
        """Return the answers for images with these scores, float32 [n, classes]."""
        found = cls._empty(numbers, labels, log_probabilities.shape[1])
        found._put(np.arange(len(labels)), log_probabilities)
        return found

    @classmethod
    def _empty(cls, numbers: NDArray[np.int64], labels: Labels, classes: int) -> Answers:
        shape = len(labels), min(BEST, classes)
        best, logs = np.zeros(shape, np.int64), np.zeros(shape, np.float32)
        return cls(numbers, labels, best, logs, np.zeros(shape[0], np.float32), np.zeros(shape[0], bool))

    def _put(self, rows: NDArray[np.int64], scores: NDArray[np.float32]) -> None:
        labels = self.labels[rows][:, np.newaxis]
        own = np.take_along_axis(scores, labels, 1)
        self.own[rows] = own[:, 0]
        # As in scikit-learn's top_k_accuracy_score: of equal scores, the last ones are best.
        is_before = (scores > own) | ((scores == own) & (np.arange(scores.shape[1]) > labels))
        self.is_among_best[rows] = is_before.sum(axis=1) < BEST
        left = scores.copy()
        for place in range(self.best.shape[1]):
            self.best[rows, place] = left.argmax(axis=1)
            chosen = self.best[rows, place, np.newaxis]
            self.log_probabilities[rows, place] = np.take_along_axis(scores, chosen, 1)[:, 0]
            np.put_along_axis(left, chosen, -np.inf, 1)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The labels that score best, int64 [n]."""
        best: NDArray[np.int64] = self.best[:, 0]
        return best

    @property
    def is_right(self) -> NDArray[np.bool_]:
        """Whether they are the images' own labels, bool [n]."""
        is_right: NDArray[np.bool_] = self.predicted == self.labels
        return is_right


@dataclasses.dataclass(frozen=True)
class Examples:
    """The first images of class `true` that were taken for class `predicted`, with those answers' scores.

    Scores are in [0, 1]. Of mistakes those come first that were the surest, of right answers the least sure.
    """

    true: int
    predicted: int
    images: tuple[LabelledImage, ...]
    scores: tuple[float, ...]

    @property
    def is_right(self) -> bool:
        """Whether the images were given the label of their class."""
        return self.true == self.predicted


def examples(answers: Answers, dataset: Dataset) -> tuple[Examples, ...]:
    """Return examples of all pairs of classes that images have, by class and answer.

    Where there are many pairs, mistakes are shown first, and then as many right answers as there is room for.
    """
    found = _rows(answers)
    room = _MOST_SHOWN
    shown = {}
    for is_right in (False, True):
        for (true, predicted), rows in found.items():
            if (true == predicted) is is_right:
                shown[true, predicted] = rows[:room]
                room -= len(shown[true, predicted])
    scores = np.exp(answers.log_probabilities[:, 0]) if len(answers) else np.zeros(0)
    return tuple(
        Examples(
            *pair,
            tuple(dataset.images[number] for number in answers.numbers[shown[pair]].tolist()),
            tuple(scores[shown[pair]].tolist()),
        )
        for pair in found
    )


def _rows(answers: Answers) -> dict[tuple[int, int], NDArray[np.int64]]:
    """Return the first rows of each pair of classes."""
    if not len(answers):
        return {}
    predicted, best = answers.predicted, answers.log_probabilities[:, 0]
    order = np.lexsort((np.where(answers.is_right, best, -best), predicted, answers.labels))
    pairs = np.stack((answers.labels[order], predicted[order]), axis=1)
    starts = np.flatnonzero(np.any(np.diff(pairs, axis=0, prepend=-1) != 0, axis=1))
    return {
        (true, guess): rows[: _MOST_RIGHT if true == guess else _MOST_WRONG]
        for rows, (true, guess) in zip(np.split(order, starts[1:]), pairs[starts].tolist(), strict=True)
    }
