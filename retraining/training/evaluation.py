"""How well a trained layer does on the test images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.features.bottleneck_sets import Bottlenecks
from retraining.settings.training import TrainingSettings
from retraining.training.confidence import Interval, effective_count, wilson_interval
from retraining.training.sampler import Sampler
from retraining.training.softmax_layer import SoftmaxLayer, row_blocks


@dataclasses.dataclass(frozen=True)
class Misclassified:
    """A misclassified test image, by its file, with its own label and the predicted one."""

    file: str
    label: str
    predicted: str

    @property
    def path(self) -> Path:
        """The file's path."""
        return Path(self.file)


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Accuracy in [0, 1] over `count` test images, and the images that were misclassified.

    `interval` is the 95 % confidence interval of the accuracy. `confusion` is int64 [classes, classes]: row
    i, column j counts the images of class i that were predicted to be class j, in the order of the labels.
    An image that was drawn several times counts as often.
    """

    accuracy: float
    interval: Interval
    count: int
    misclassified: tuple[Misclassified, ...]
    confusion: NDArray[np.int64] = dataclasses.field(repr=False, compare=False)

    @property
    def balanced_accuracy(self) -> float:
        """The mean recall of the classes that have test images, in [0, 1]: small classes count as much.

        Brodersen et al., "The Balanced Accuracy and Its Posterior Distribution", ICPR 2010.
        """
        tested = self.confusion.sum(axis=1)
        return float((self.confusion.diagonal()[tested > 0] / tested[tested > 0]).mean())


def evaluate(layer: SoftmaxLayer, bottlenecks: Bottlenecks, settings: TrainingSettings) -> Evaluation | None:
    """Return the evaluation on `settings.test_batch_size` test images, or None if there are none."""
    testing, labels = bottlenecks.testing, bottlenecks.dataset.labels
    if len(testing) == 0:
        return None
    # A seed of its own: the test must not depend on how many draws the training made.
    rows = Sampler(testing, np.random.default_rng([settings.seed, 1])).draw(settings.test_batch_size)
    blocks = (rows[block] for block in row_blocks(len(rows)))
    predicted = np.concatenate(
        [layer.log_probabilities(testing.vectors[block]).argmax(axis=1) for block in blocks]
    )
    wrong = predicted != testing.labels[rows]
    misclassified = tuple(
        Misclassified(testing.files[row], labels[testing.labels[row]], labels[guess])
        for row, guess in zip(rows[wrong], predicted[wrong], strict=True)
    )
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (testing.labels[rows], predicted), 1)
    accuracy = 1 - len(misclassified) / len(rows)
    return Evaluation(
        accuracy=accuracy,
        interval=wilson_interval(accuracy, effective_count(rows)),
        count=len(rows),
        misclassified=misclassified,
        confusion=confusion,
    )
