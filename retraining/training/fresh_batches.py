"""Distorted views drawn anew at every training step, as the older script drew them, in batches."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from retraining.cli import console
from retraining.data import augmentation, images, prefetching
from retraining.data.images import Pixels
from retraining.errors import BadImage
from retraining.features.bottlenecks import BottleneckSet
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor, Vectors
from retraining.settings.flags import ALL
from retraining.settings.options import DistortionOptions, TrainingOptions
from retraining.training.softmax_layer import Batch, Sampler

log = logging.getLogger(__name__)


class _Draw(NamedTuple):
    """A view to draw: of the image in a row of the training set, for a place in a step's batch."""

    row: int
    step: int
    place: int


class FreshViews:
    """Draws views of training images, in threads ahead of the network that turns them into vectors."""

    def __init__(
        self,
        training: BottleneckSet,
        extractor: FeatureExtractor,
        *,
        options: DistortionOptions,
        settings: TrainingOptions,
    ) -> None:
        self._training = training
        self._extractor = extractor
        self._options = options
        self._steps = settings.how_many_training_steps
        self._count = settings.train_batch_size
        self._seed = settings.seed
        self._least = augmentation.least_size(extractor.image_size, options)
        self._gone: set[int] = set()

    def batches(self) -> Iterator[Batch]:
        """Yield the batch of each training step, under a progress bar."""
        count = len(self._training) if self._count == ALL else self._count
        # Two readers of one sequence, of which the second is never further behind than `ahead` looks.
        drawn, waiting = itertools.tee(self._draws())
        vectors = self._vectors(drawn)

        def of_steps() -> Iterator[Batch]:
            for _ in range(self._steps):
                rows = [draw.row for draw in itertools.islice(waiting, count)]
                batch = np.stack(list(itertools.islice(vectors, count)))
                yield Batch(batch, self._training.labels[rows])

        return console.progress(of_steps(), total=self._steps, task="Training", unit="step")

    def _draws(self) -> Iterator[_Draw]:
        sampler = Sampler(self._training, np.random.default_rng([self._seed, 2]))
        for step in range(self._steps):
            for place, row in enumerate(sampler.draw(self._count).tolist()):
                yield _Draw(row, step, place)

    def _vectors(self, draws: Iterator[_Draw]) -> Iterator[Vectors]:
        prepared = prefetching.ahead(draws, self._prepare, lookahead=2 * BATCH_SIZE)
        while batch := list(itertools.islice(prepared, BATCH_SIZE)):
            usable = [pixels for _, pixels in batch if pixels is not None]
            extracted = iter(self._extractor.extract(np.stack(usable)) if usable else ())
            for row, pixels in batch:
                vector = None if pixels is None else next(extracted)
                yield self._usable(row, vector)

    def _prepare(self, draw: _Draw) -> tuple[int, Pixels | None]:
        try:
            image = images.upright(images.read(self._training.paths[draw.row]), self._least)
        except BadImage:
            return draw.row, None
        # Seeded by its place, a view does not depend on threads nor on what was drawn before.
        rng = np.random.default_rng([self._seed, draw.step, draw.place])
        return draw.row, augmentation.draw(image, self._extractor.image_size, self._options, rng)

    def _usable(self, row: int, vector: Vectors | None) -> Vectors:
        """Return the view's vector, or that of the undistorted image if there is none of numbers."""
        if vector is not None and np.isfinite(vector).all():
            return vector
        if row not in self._gone:
            self._gone.add(row)
            log.warning(
                "no view can be drawn of %s any more; it is trained on undistorted.",
                self._training.paths[row],
            )
        undistorted: Vectors = self._training.vectors[row]
        return undistorted
