"""Ways to decode and to resize photographs, on all processors, as the program has it."""

from __future__ import annotations

import functools
import io
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from benchmarks.rounds import rate
from retraining.arrays import ImageSize, Pixels
from retraining.data import prefetching
from retraining.graphs.quiet_tensorflow import tf

SIZE = ImageSize(224, 224)  # that of most modules

_LOOKAHEAD = 64

Item = TypeVar("Item")


def pillow_decoded(content: bytes) -> Image.Image:
    """Return a JPEG as an RGB image."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def pillow_resized(
    image: Image.Image, *, filter: Image.Resampling = Image.Resampling.BILINEAR, gap: float | None = None
) -> Pixels:
    """Return float32 [height, width, 3] in [0, 1] of SIZE."""
    small = image.resize((SIZE.width, SIZE.height), filter, reducing_gap=gap)
    pixels: Pixels = np.divide(np.asarray(small), 255, dtype=np.float32)
    return pixels


def tensorflow_resized(image: Image.Image, *, antialias: bool) -> Pixels:
    """Return float32 [height, width, 3] in [0, 1] of SIZE."""
    small = tf.image.resize(np.asarray(image), (SIZE.height, SIZE.width), antialias=antialias)
    pixels: Pixels = small.numpy() / np.float32(255)
    return pixels


# The program's own way is the first.
DECODERS: dict[str, Callable[[bytes], Any]] = {
    "Pillow": pillow_decoded,
    "tf.io.decode_jpeg": functools.partial(tf.io.decode_jpeg, channels=3),
    "tf.io.decode_jpeg, INTEGER_ACCURATE": functools.partial(
        tf.io.decode_jpeg, channels=3, dct_method="INTEGER_ACCURATE"
    ),
}
RESIZERS: dict[str, Callable[[Image.Image], Pixels]] = {
    "Pillow, bilinear": pillow_resized,
    "Pillow, bilinear, reducing_gap 2": functools.partial(pillow_resized, gap=2.0),
    "Pillow, box": functools.partial(pillow_resized, filter=Image.Resampling.BOX),
    "tf.image, bilinear, antialias": functools.partial(tensorflow_resized, antialias=True),
    "tf.image, bilinear": functools.partial(tensorflow_resized, antialias=False),
}


def rate_of(work: Callable[[Item], object], items: Sequence[Item]) -> float:
    """Return how many items a second `work` does, in threads as the program has them."""

    def all_of_it() -> None:
        for _ in prefetching.ahead(items, work, lookahead=_LOOKAHEAD):
            pass

    return rate(len(items), all_of_it)
