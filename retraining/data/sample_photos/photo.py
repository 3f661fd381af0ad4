"""A whole photo: a background, the flowers in front of it, and the camera's faults."""

from __future__ import annotations

import numpy as np
from PIL import Image

from retraining.data.sample_photos.backgrounds import background, draw_blades
from retraining.data.sample_photos.camera import take_photo
from retraining.data.sample_photos.canvas import Canvas, Size
from retraining.data.sample_photos.flowers import KINDS, draw_flower
from retraining.data.sample_photos.poses import corner_pose, subject_poses

_SCALE = 2  # canvas pixels per photo pixel: Pillow draws without smoothing edges


def draw(kind: str, rng: np.random.Generator) -> Image.Image:
    """Return a new RGB photo with a flower of `kind`, one of KINDS, as its subject."""
    size = _photo_size(rng)
    large = size.times(_SCALE)
    # NEAREST is undone exactly by the reduction below, and the background needs no finer pixels.
    behind = background(size, rng).resize((large.width, large.height), Image.Resampling.NEAREST)
    canvas = Canvas.over(behind, _SCALE)
    if rng.random() < 0.25:
        draw_flower(canvas, _other_kind(kind, rng), corner_pose(size, rng), rng)
    for pose in subject_poses(size, rng):
        draw_flower(canvas, kind, pose, rng)
    if rng.random() < 0.3:
        draw_blades(canvas, size, count=int(rng.integers(2, 9)), rng=rng)
    return take_photo(canvas.image.reduce(_SCALE), rng)


def _photo_size(rng: np.random.Generator) -> Size:
    longer, shorter = int(rng.integers(310, 401)), int(rng.integers(236, 301))
    return Size(longer, shorter) if rng.random() < 0.6 else Size(shorter, longer)


def _other_kind(kind: str, rng: np.random.Generator) -> str:
    others = [other for other in KINDS if other != kind]
    return others[rng.integers(len(others))]
