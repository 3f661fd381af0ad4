"""How alike two images look: small copies of them, compared whole, cropped and mirrored.

The figure is a correlation (zero-normalised cross-correlation, as in template matching) of what is left of
the copies once their blurred versions are taken away: edges and texture. Brightness and contrast do not
change it, and two photos of alike composition, a round flower on green, have little of it in common.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize
from retraining.data import images

Thumbnails = NDArray[np.uint8]
"""Small copies of n images: uint8 [n, SIDE, SIDE, 3]."""

SIDE = 32

# Each side whole, or without 5 % at its end, its beginning, or half of that at both: 16 windows in all.
_WINDOWS = ((0.0, 1.0), (0.0, 0.95), (0.05, 1.0), (0.025, 0.975))
_GRID = 24  # cells to which a window is reduced
_RADIUS = 2  # cells: the blurred version is a mean over 5 x 5
_KEPT = _GRID - 2 * _RADIUS  # cells that have all of their neighbours

# Grey levels. Less detail than this is rounding, the noise of a scanner or a plain colour.
_LEAST_DETAIL = 1.0

# Windows are compared only if the whole copies correlate as much as this. Of the 3,500 nearest pairs of 500
# photos of flowers four fifths do not, while every photo and its altered copies did (0.58 or more).
_FIRST_SIGHT = 0.4

_PAIRS_AT_ONCE = 64


def thumbnail(content: bytes, significant_bits: int | None = None) -> NDArray[np.uint8]:
    """Return the small copy of a file's image, uint8 [SIDE, SIDE, 3].

    `significant_bits` is as for `images.upright`. Raises BadImage.
    """
    pixels = images.decode(content, ImageSize(SIDE, SIDE), significant_bits)
    small: NDArray[np.uint8] = np.rint(pixels * 255).astype(np.uint8)
    return small


def likeness(some: Thumbnails, others: Thumbnails) -> NDArray[np.float32]:
    """Return float32 [n] in [-1, 1]: how alike the images of each pair look, row by row.

    The best figure of one image, whole, on the windows of the other, and the other way round, as they are and
    mirrored. It is 0 where the images differ at first sight, and where one has no structure.
    """
    found = np.zeros(len(some), np.float32)
    for start in range(0, len(some), _PAIRS_AT_ONCE):
        rows = np.arange(start, min(start + _PAIRS_AT_ONCE, len(some)))
        rows = rows[_at_first_sight(some[rows], others[rows]) >= _FIRST_SIGHT]
        if len(rows):
            found[rows] = _best(_details(some[rows]), _details(others[rows]))
    return found


def _at_first_sight(some: Thumbnails, others: Thumbnails) -> NDArray[np.float32]:
    """Return the correlation of whole copies, float32 [n], as they are or mirrored."""
    one, other = _normalised(_halved(some)), _halved(others)
    as_they_are, mirrored = _normalised(other), _normalised(other[..., ::-1])
    return np.maximum(_products(one, as_they_are), _products(one, mirrored))


def _halved(thumbnails: Thumbnails) -> NDArray[np.float32]:
    """Return float32 [n, 3, SIDE / 2, SIDE / 2]."""
    pixels = thumbnails.astype(np.float32)
    rows = pixels[:, ::2] + pixels[:, 1::2]
    sums = (rows[:, :, ::2] + rows[:, :, 1::2]).transpose(0, 3, 1, 2)
    means: NDArray[np.float32] = np.divide(sums, 4, dtype=np.float32)
    return means


def _planes(thumbnails: Thumbnails) -> NDArray[np.float32]:
    return thumbnails.transpose(0, 3, 1, 2).astype(np.float32)


def _details(thumbnails: Thumbnails) -> NDArray[np.float32]:
    """Return the edges and texture in each window, the whole one first: float32 [n, 16, 3, _KEPT, _KEPT]."""
    planes = _planes(thumbnails)
    sharp = _SHARP @ planes @ _SHARP.T
    sharp -= _BLURRED @ planes @ _BLURRED.T
    count = len(_WINDOWS)
    details = sharp.reshape(len(planes), 3, count, _KEPT, count, _KEPT).transpose(0, 2, 4, 1, 3, 5)
    windows: NDArray[np.float32] = details.reshape(len(planes), count * count, 3, _KEPT, _KEPT)
    return windows


def _best(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    best = np.full(len(some), -1, np.float32)
    for windows, whole in ((some, others[:, :1]), (others, some[:, :1])):
        flat = _normalised(windows)
        for turned in (whole, whole[..., ::-1]):
            best = np.maximum(best, (flat @ _normalised(turned).transpose(0, 2, 1)).max((1, 2)))
    return best


def _products(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    products: NDArray[np.float32] = np.einsum("nf,nf->n", some, others)
    return products


def _normalised(planes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return [..., 3, rows, columns] as vectors of length 1, each colour with mean 0; 0 without structure."""
    centred = planes - planes.mean((-2, -1), keepdims=True)
    flat = centred.reshape(*planes.shape[:-3], -1)
    length = np.linalg.norm(flat, axis=-1, keepdims=True)
    has_structure = length >= _LEAST_DETAIL * np.sqrt(flat.shape[-1])
    vectors: NDArray[np.float32] = np.divide(flat, length, out=np.zeros_like(flat), where=has_structure)
    return vectors


def _window(first: float, last: float) -> NDArray[np.float32]:
    """Return the matrix [_GRID, SIDE] that reduces a part of a side to _GRID means."""
    edges = np.linspace(first * SIDE, last * SIDE, _GRID + 1)
    pixels = np.arange(SIDE)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    shares = np.clip(overlap, 0, None)
    means: NDArray[np.float32] = (shares / shares.sum(1, keepdims=True)).astype(np.float32)
    return means


def _blur() -> NDArray[np.float32]:
    """Return the matrix [_KEPT, _GRID] of means over a cell and its neighbours."""
    distance = np.arange(_GRID) - (np.arange(_KEPT)[:, None] + _RADIUS)
    means: NDArray[np.float32] = (np.abs(distance) <= _RADIUS).astype(np.float32) / (2 * _RADIUS + 1)
    return means


# Both [windows * _KEPT, SIDE]: a matrix on the left handles rows, and the same one on the right columns.
_SHARP = np.concatenate([_window(*window)[_RADIUS:-_RADIUS] for window in _WINDOWS])
_BLURRED = np.concatenate([_blur() @ _window(*window) for window in _WINDOWS])
