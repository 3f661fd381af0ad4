"""The images of a set, decoded and resized once: their pixels are kept as bytes, in memory or in a file."""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Labels, Pixels
from retraining.data import images as image_files
from retraining.data import prefetching
from retraining.data.dataset import LabelledImage
from retraining.data.split import Split
from retraining.errors import BadImage, WorkFailed
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.progress import progress
from retraining.storage import large_arrays

_LOOKAHEAD = 64  # decoded images


@dataclasses.dataclass(frozen=True)
class KeptImages:
    """Images of one size: uint8 [n, height, width, 3], and their labels."""

    content: NDArray[np.uint8] = dataclasses.field(repr=False)
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def pixels(self, rows: slice) -> Pixels:
        """Return some of the images as float32 [n, height, width, 3] in [0, 1]."""
        pixels: Pixels = np.divide(self.content[rows], 255, dtype=np.float32)
        return pixels


def decode(bottlenecks: Bottlenecks, split: Split, size: ImageSize, folder: Path) -> KeptImages:
    """Return the images of a set, resized to `size`; in a file in `folder` if they are too many for memory.

    Raises WorkFailed for an image that has changed since its feature vector was computed.
    """
    dataset = bottlenecks.dataset
    chosen = [
        (image, digest)
        for image, digest in zip(dataset.images, bottlenecks.digests, strict=True)
        if image.split is split
    ]
    shape = (len(chosen), size.height, size.width, 3)
    content = large_arrays.allocate(
        len(chosen), size.height * size.width * 3, folder, dtype=np.uint8, content="pixels"
    ).reshape(shape)
    work = functools.partial(_decoded, size=size, significant_bits=dataset.significant_bits)
    decoded = prefetching.ahead(chosen, work, lookahead=_LOOKAHEAD)
    shown = progress(decoded, total=len(chosen), task=f"Decoding ({split.value})", unit="image")
    for row, pixels in enumerate(shown):
        content[row] = pixels
    return KeptImages(content, np.array([image.label for image, _ in chosen], np.int64))


def _decoded(
    image: tuple[LabelledImage, bytes], *, size: ImageSize, significant_bits: int | None
) -> NDArray[np.uint8]:
    item, digest = image
    try:
        content = item.read()
        if image_files.digest(content) != digest:
            raise BadImage("has changed")
        pixels = image_files.decode(content, size, significant_bits)
    except BadImage as error:
        raise WorkFailed(
            "{path} {reason}, although its feature vector has been computed. Run the command again.",
            path=item.path,
            reason=error,
        ) from error
    return np.rint(pixels * 255).astype(np.uint8)  # exact: they were bytes before they were scaled
