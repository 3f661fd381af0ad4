"""Photos to try the program on without a download: five kinds of flower, drawn.

The kinds share their colours, backgrounds and leaves, flowers of other kinds stand in the corners,
and flowers are cut off, turned, blurred and badly lit, so that only the shape of a flower tells its
kind.
"""

from retraining.data.sample_photos.flowers import KINDS
from retraining.data.sample_photos.photo import draw
from retraining.data.sample_photos.writing import write

__all__ = ["KINDS", "draw", "write"]
