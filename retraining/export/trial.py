"""The images that exported files are tried on, and what the classifier itself answers to them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from retraining.arrays import ImageSize, Labels, Pixels, Probabilities
from retraining.data import images
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.errors import BadImage
from retraining.inference.image_classifier import ImageClassifier

# Training images on which the quantizer measures the numbers between layers.
SAMPLES = 100

# Made-up images, where there are no others.
_DRAWN = 16


@dataclasses.dataclass(frozen=True)
class Trial:
    """Images that the classifier was not trained on, and its answers.

    `images` are the paths of n images, or pixels; `labels` are int64 [n], or None if nobody knows them;
    `scores` are float32 [n, classes].
    """

    images: Sequence[Path | Pixels]
    labels: Labels | None
    scores: Probabilities

    @classmethod
    def of_dataset(cls, dataset: Dataset, classifier: ImageClassifier) -> Trial:
        """Return the test images, or those of another set if there are none, without unusable files.

        They are made up if no file can be read, as where a list has images that are elsewhere.
        """
        known = _held_out(dataset)
        answers = list(classifier.classify([image.path for image in known]))
        usable = [pair for pair in zip(known, answers, strict=True) if not pair[1].reason]
        if not usable:
            return cls.drawn(classifier)
        return cls(
            [image.path for image, _ in usable],
            np.array([image.label for image, _ in usable], np.int64),
            classifier.in_label_order(answer.predictions for _, answer in usable),
        )

    @classmethod
    def drawn(cls, classifier: ImageClassifier) -> Trial:
        """Return made-up images."""
        made = drawn(classifier.size)
        return cls(made, None, classifier.scores(made))

    def __len__(self) -> int:
        return len(self.images)


def drawn(size: ImageSize) -> list[Pixels]:
    """Return made-up images: patches of colour, from large ones to small."""
    random = np.random.default_rng(0)
    return [_patches(random, size, 2 + number) for number in range(_DRAWN)]


def samples(dataset: Dataset, size: ImageSize, seed: int) -> Iterator[Pixels]:
    """Yield up to SAMPLES training images, drawn by `seed`, as float32 [height, width, 3] in [0, 1].

    Files that cannot be read are passed over.
    """
    known = [image for image in dataset.images if image.split is Split.TRAINING]
    left = SAMPLES
    for row in np.random.default_rng(seed).permutation(len(known)):
        if not left:
            return
        try:
            content = known[row].read()
            yield images.decode(content, size, dataset.significant_bits)
        except BadImage:
            continue
        left -= 1


def _held_out(dataset: Dataset) -> list[LabelledImage]:
    sets = ([image for image in dataset.images if image.split is split] for split in reversed(Split))
    return next(found for found in sets if found)


def _patches(random: np.random.Generator, size: ImageSize, count: int) -> Pixels:
    """Return an image of count x count patches, each of one colour."""
    colours = random.random((count, count, 3), np.float32)
    rows = np.arange(size.height) * count // size.height
    columns = np.arange(size.width) * count // size.width
    return colours[rows][:, columns]
