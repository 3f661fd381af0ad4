"""Batches of random views that are drawn anew at every training step, as the older script drew them."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from retraining.arrays import Batch, Pixels, Vectors
from retraining.data import images as image_files
from retraining.data import prefetching
from retraining.data.augmentation import draw as draw_view
from retraining.data.augmentation import least_size
from retraining.errors import BadImage
from retraining.features.bottleneck_sets import BottleneckSet
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.progress import progress
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.kinds import ALL
from retraining.settings.training import TrainingSettings
from retraining.training.sampler import Sampler

log = logging.getLogger(__name__)


class _Draw(NamedTuple):
    """A view to draw: of the image in a row of the training set, for a place in a step's batch."""

    row: int
    step: int
    place: int


def fresh_batches(
    images: BottleneckSet,
    extractor: FeatureExtractor,
    *,
    augmentation: AugmentationSettings,
    training: TrainingSettings,
) -> Iterator[Batch] | None:
    """Return the batches of a training on views of `images` drawn anew at every step, under a progress bar.

    None if the settings do not ask for it: the training then draws from vectors that are there already.
    """
    if not augmentation.are_fresh():
        return None
    return FreshBatches(images, extractor, augmentation=augmentation, training=training).batches()


class FreshBatches:
    """Draws views of training images, in threads ahead of the network that turns them into vectors."""

    def __init__(
        self,
        images: BottleneckSet,
        extractor: FeatureExtractor,
        *,
        augmentation: AugmentationSettings,
        training: TrainingSettings,
    ) -> None:
        self._images = images
        self._extractor = extractor
        self._augmentation = augmentation
        self._steps = training.how_many_training_steps
        self._count = training.train_batch_size
        self._seed = training.seed
        self._least = least_size(extractor.image_size, augmentation)
        self._gone: set[int] = set()

    def batches(self) -> Iterator[Batch]:
        """Yield the batch of each training step, under a progress bar."""
        count = len(self._images) if self._count == ALL else self._count
        # Two readers of one sequence; the second is never further behind than the first looks ahead.
        drawn, waiting = itertools.tee(self._draws())
        vectors = self._vectors(drawn)

        def of_steps() -> Iterator[Batch]:
            for _ in range(self._steps):
                rows = [draw.row for draw in itertools.islice(waiting, count)]
                batch = np.stack(list(itertools.islice(vectors, count)))
                yield Batch(batch, self._images.labels[rows])

        return progress(of_steps(), total=self._steps, task="Training", unit="step")

    def _draws(self) -> Iterator[_Draw]:
        sampler = Sampler(self._images, np.random.default_rng([self._seed, 2]))
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
            image = image_files.upright(image_files.read(self._images.paths[draw.row]), self._least)
        except BadImage:
            return draw.row, None
        # Seeded by its place, a view does not depend on threads nor on what was drawn before.
        rng = np.random.default_rng([self._seed, draw.step, draw.place])
        return draw.row, draw_view(image, self._extractor.image_size, self._augmentation, rng)

    def _usable(self, row: int, vector: Vectors | None) -> Vectors:
        """Return the view's vector, or that of the image itself if the view has none that is finite."""
        if vector is not None and np.isfinite(vector).all():
            return vector
        if row not in self._gone:
            self._gone.add(row)
            log.warning(
                "views of %s can no longer be drawn; the image is used as it is.",
                self._images.paths[row],
            )
        undistorted: Vectors = self._images.vectors[row]
        return undistorted
