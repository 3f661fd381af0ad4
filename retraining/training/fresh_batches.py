"""Batches of new random views for every training step, as TensorFlow's retrain.py drew them."""

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
from retraining.features.bottleneck_sets import Bottlenecks, BottleneckSet
from retraining.features.extractor import FeatureExtractor
from retraining.progress import progress
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.kinds import ALL
from retraining.settings.training import TrainingSettings
from retraining.training.sampler import Sampler

log = logging.getLogger(__name__)


class _Draw(NamedTuple):
    """A view to draw: the row of its image in the training set, and its place in the batch of a step."""

    row: int
    step: int
    place: int


def fresh_batches(
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
    *,
    augmentation: AugmentationSettings,
    training: TrainingSettings,
) -> Iterator[Batch] | None:
    """Return the batches of a training on new views of its images at every step, under a progress bar.

    Returns None if the settings do not ask for new views: the training then uses the vectors.
    """
    if not augmentation.are_fresh():
        return None
    return FreshBatches(
        bottlenecks.training,
        extractor,
        augmentation=augmentation,
        training=training,
        significant_bits=bottlenecks.dataset.significant_bits,
    ).batches()


class FreshBatches:
    """Views of training images as feature vectors; the views are drawn by threads ahead of the extractor."""

    def __init__(
        self,
        images: BottleneckSet,
        extractor: FeatureExtractor,
        *,
        augmentation: AugmentationSettings,
        training: TrainingSettings,
        significant_bits: int | None = None,
    ) -> None:
        self._images = images
        self._extractor = extractor
        self._augmentation = augmentation
        self._steps = training.how_many_training_steps
        self._count = training.train_batch_size
        self._seed = training.seed
        self._significant_bits = significant_bits
        self._least = least_size(extractor.image_size, augmentation)
        self._gone: set[int] = set()

    def batches(self) -> Iterator[Batch]:
        """Yield the batch of each training step, under a progress bar."""
        count = len(self._images) if self._count == ALL else self._count
        # Two readers of one sequence; the second is never further behind than the lookahead of the first.
        drawn, waiting = itertools.tee(self._draws())
        vectors = self._vectors(drawn)

        def step_batches() -> Iterator[Batch]:
            for _ in range(self._steps):
                rows = [draw.row for draw in itertools.islice(waiting, count)]
                batch = np.stack(list(itertools.islice(vectors, count)))
                yield Batch(batch, self._images.labels[rows])

        return progress(step_batches(), total=self._steps, task="Training", unit="step")

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
            content = image_files.read(self._images.paths[draw.row])
            image = image_files.upright(content, self._least, self._significant_bits)
        except BadImage:
            return draw.row, None
        # Seeded by its place, so that a view does not depend on the threads or on earlier draws.
        rng = np.random.default_rng([self._seed, draw.step, draw.place])
        return draw.row, draw_view(image, self._extractor.image_size, self._augmentation, rng)

    def _usable(self, row: int, vector: Vectors | None) -> Vectors:
        """Return the vector of a view, or that of the whole image if the view has no finite vector."""
        if vector is not None and np.isfinite(vector).all():
            return vector
        if row not in self._gone:
            self._gone.add(row)
            log.warning(
                "views of %s can no longer be drawn; the whole image is used instead.",
                self._images.files[row],
            )
        undistorted: Vectors = self._images.vectors[row]
        return undistorted
