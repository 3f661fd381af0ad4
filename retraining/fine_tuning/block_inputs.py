"""What goes into the first trained block: computed by the blocks before it, which never change.

Each image has a number of random views, drawn once. An epoch trains on one view of each image, and later
epochs on the same views again, whose block inputs are kept if that is cheaper than to compute them again.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.arrays import ImageSize, Labels, Pixels
from retraining.data import augmentation, prefetching
from retraining.engines import tensorflow_engine
from retraining.fine_tuning import recipe
from retraining.fine_tuning.images import KeptImages
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.module import FLOAT32
from retraining.storage import large_arrays

SHARE_OF_DISK = 0.5  # of its free space, which kept block inputs may fill

_LOOKAHEAD = 64  # drawn views


class InputBatch(NamedTuple):
    """Block inputs float32 [n, ...], and the labels of their images, int64 [n]."""

    inputs: NDArray[np.float32]
    labels: Labels


class FirstBlocks:
    """The part of a network before the trained blocks."""

    def __init__(self, graph: FrozenGraph, size: ImageSize) -> None:
        """`graph` turns images of this size into block inputs."""
        self.size = size
        is_empty = graph.input_name == graph.output_name
        self._run = None if is_empty else tensorflow_engine.load(graph, FLOAT32)
        empty = np.zeros((1, size.height, size.width, 3), np.float32)
        self.shape: tuple[int, ...] = self(empty).shape[1:]

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Return the block inputs of images."""
        return pixels if self._run is None else self._run(pixels)

    def are_worth_keeping(self) -> bool:
        """Return whether block inputs are smaller than the images: otherwise reading them costs more."""
        return int(np.prod(self.shape)) < self.size.height * self.size.width * 3


def of_images(first: FirstBlocks, images: KeptImages, folder: Path) -> InputBatch:
    """Return the block inputs of whole images, in order."""
    inputs = _allocate(first, len(images), folder)
    for start in range(0, len(images), BATCH_SIZE):
        rows = slice(start, min(start + BATCH_SIZE, len(images)))
        inputs[rows] = first(images.pixels(rows))
    return InputBatch(inputs, images.labels)


class TrainingInputs:
    """The block inputs of the training images, epoch by epoch."""

    def __init__(
        self,
        first: FirstBlocks,
        images: KeptImages,
        *,
        views: AugmentationSettings,
        epochs: int,
        seed: int,
        folder: Path,
    ) -> None:
        self._first = first
        self._images = images
        self._views = views
        self._seed = seed
        # New views at every step if there are 0 of them.
        self._count = min(views.distorted_views or epochs, epochs)
        self._kept = None
        if first.are_worth_keeping() and self._count < epochs and self._has_room(folder):
            self._kept = _allocate(first, self._count * len(images), folder)
        self._is_kept = np.zeros(self._count * len(images), np.bool_)

    @property
    def steps(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self._images) // recipe.BATCH_SIZE)

    def batches(self, epoch: int) -> Iterator[InputBatch]:
        """Yield the batches of an epoch, which counts from 0: every image once, in random order.

        Batches of the same view have the same images, and only come in another order: what is computed for
        an image differs in its last digits with its place in a batch, and a run that resumes computes anew
        what an earlier one had kept.
        """
        view = epoch % self._count
        order = np.random.default_rng([self._seed, 3, view]).permutation(len(self._images))
        batches = np.array_split(order, self.steps)
        np.random.default_rng([self._seed, 5, epoch]).shuffle(batches)
        missing = [
            row for rows in batches for row in rows.tolist() if not self._is_kept[self._place(view, row)]
        ]
        drawn = prefetching.ahead(missing, lambda row: self._draw(view, row), lookahead=_LOOKAHEAD)
        for rows in batches:
            yield InputBatch(self._inputs(view, rows, drawn), self._images.labels[rows])

    def _inputs(self, view: int, rows: NDArray[np.int64], drawn: Iterator[Pixels]) -> NDArray[np.float32]:
        places = [self._place(view, row) for row in rows]
        missing = [number for number, place in enumerate(places) if not self._is_kept[place]]
        computed = self._first(np.stack([next(drawn) for _ in missing])) if missing else None
        if self._kept is None or computed is None:
            return computed if computed is not None else self._of(places)
        for number, inputs in zip(missing, computed, strict=True):
            self._kept[places[number]] = inputs
            self._is_kept[places[number]] = True
        return self._of(places)

    def _of(self, places: Sequence[int]) -> NDArray[np.float32]:
        assert self._kept is not None
        kept: NDArray[np.float32] = self._kept[places]
        return kept

    def _draw(self, view: int, row: int) -> Pixels:
        # Seeded by its place: a view depends neither on the threads nor on what was drawn before.
        rng = np.random.default_rng([self._seed, 4, view, row])
        image = Image.fromarray(self._images.content[row])
        return augmentation.draw(image, self._first.size, self._views, rng)

    def _place(self, view: int, row: int) -> int:
        return view * len(self._images) + row

    def _has_room(self, folder: Path) -> bool:
        size = self._count * len(self._images) * int(np.prod(self._first.shape)) * 4
        if large_arrays.fits_in_memory(size):
            return True
        folder.mkdir(parents=True, exist_ok=True)
        return size <= SHARE_OF_DISK * shutil.disk_usage(folder).free


def _allocate(first: FirstBlocks, rows: int, folder: Path) -> NDArray[Any]:
    columns = int(np.prod(first.shape))
    return large_arrays.allocate(rows, columns, folder, content="block inputs").reshape(rows, *first.shape)
