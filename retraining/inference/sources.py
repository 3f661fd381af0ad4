"""Images in any form - paths, bytes, Pillow images, arrays - as the pixels that a network takes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.arrays import ImageSize, Pixels
from retraining.data import images, sample_depth
from retraining.data.sample_depth import SampleDepth
from retraining.errors import BadImage

Opened: TypeAlias = bytes | Image.Image | NDArray[Any]
ImageSource: TypeAlias = str | os.PathLike[str] | Opened


def opened(source: ImageSource) -> Opened:
    """Return a source with the bytes of its file in place of a path. Raises BadImage."""
    return images.read(Path(source)) if isinstance(source, str | os.PathLike) else source


def depth(source: Opened) -> SampleDepth:
    """Return how deep the samples of an image are that `decode` accepts."""
    if isinstance(source, bytes):
        return images.depth(source)
    return sample_depth.of(source) if isinstance(source, Image.Image) else sample_depth.SHALLOW


def decode(source: Opened, size: ImageSize, significant_bits: int | None = None) -> Pixels:
    """Return an image as float32 [size.height, size.width, 3] in [0, 1].

    An array is uint8 [height, width, 3] of 0 to 255, or floating point of the same shape in [0, 1]; uint8
    arrays may also be grey [height, width] or transparent [height, width, 4]. `significant_bits` is as for
    `images.upright`. Raises BadImage.
    """
    if isinstance(source, np.ndarray) and _is_float_of_size(source, size):
        return source.astype(np.float32)  # not rounded to 8 bits
    return images.resized(upright(source, size, significant_bits), size)


def upright(source: Opened, least: ImageSize, significant_bits: int | None = None) -> Image.Image:
    """Return an image in 8-bit RGB, as it is meant to be shown.

    A JPEG may come at a fraction of its size, but not smaller than `least`. What a source may be is as for
    `decode`. Raises BadImage.
    """
    if isinstance(source, bytes):
        return images.upright(source, least, significant_bits)
    if isinstance(source, Image.Image):
        return images.from_pillow(source, significant_bits)
    if isinstance(source, np.ndarray):
        return _from_array(source)
    raise BadImage(
        "has the type {kind}; an image is a path, the bytes of a file, a Pillow image or an array",
        kind=type(source).__name__,
    )


def name_of(source: object, number: int) -> str:
    """Return what messages call an image: its path, or its number in the list, counted from 0."""
    return str(source) if isinstance(source, str | os.PathLike) else f"image {number}"


def _from_array(array: NDArray[Any]) -> Image.Image:
    if np.issubdtype(array.dtype, np.floating):
        _check_float_array(array)
        return Image.fromarray(np.round(array * 255).astype(np.uint8))
    is_image = array.ndim in (2, 3) and array.shape[2:] in ((), (3,), (4,)) and 0 not in array.shape
    if array.dtype != np.uint8 or not is_image:
        raise BadImage(
            "is an array of {dtype} {shape}; an image is uint8 [height, width, 3] of 0 to 255 or floating "
            "point in [0, 1]",
            dtype=array.dtype,
            shape=list(array.shape),
        )
    return images.from_pillow(Image.fromarray(array))


def _is_float_of_size(array: NDArray[Any], size: ImageSize) -> bool:
    """Return whether an array is pixels of this size already. Raises BadImage."""
    if not np.issubdtype(array.dtype, np.floating):
        return False
    _check_float_array(array)
    return array.shape[:2] == (size.height, size.width)


def _check_float_array(array: NDArray[np.floating[Any]]) -> None:
    if array.ndim != 3 or array.shape[2] != 3 or 0 in array.shape:
        raise BadImage("is an array of {shape}; an image is [height, width, 3]", shape=list(array.shape))
    if not (array.min() >= 0 and array.max() <= 1):  # written so that NaN also fails
        raise BadImage(
            "is a floating-point array with values from {low:g} to {high:g}; they must be in [0, 1]",
            low=array.min(),
            high=array.max(),
        )
