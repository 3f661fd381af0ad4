"""Where the flowers of a photo are, how large they are and how they are held."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from retraining.data.sample_photos.canvas import Points, Size


@dataclass(frozen=True)
class Pose:
    """Where a flower is and how it is held. Its own outline is about the unit circle."""

    centre: complex  # in photo pixels
    radius: float  # in photo pixels
    spin: float  # radians about its own axis
    openness: float  # 1: faces the camera; near 0: seen from the side
    lean: float  # radians, of the whole flower in the photo

    def place(self, points: Points) -> Points:
        """Return points of the unit flower in photo pixels, as a flat face tilted away."""
        turned = points * np.exp(1j * self.spin)
        return self.stand(turned.real + 1j * self.openness * turned.imag)

    def stand(self, points: Points) -> Points:
        """Return points of the unit flower in photo pixels, as seen from its side."""
        stood: Points = self.centre + self.radius * np.exp(1j * self.lean) * points
        return stood


def subject_poses(size: Size, rng: np.random.Generator) -> list[Pose]:
    """Return one to four poses, the largest last so that it lies on top."""
    count = int(rng.choice([1, 2, 3, 4], p=[0.55, 0.25, 0.12, 0.08]))
    largest = size.shorter * math.exp(rng.uniform(math.log(0.3), math.log(0.56)))
    radii = [*sorted(largest * rng.uniform(0.5, 1, count - 1)), largest]
    return [random_pose(_place_of_subject(size, rng), radius, rng) for radius in radii]


def _place_of_subject(size: Size, rng: np.random.Generator) -> complex:
    # One subject in seven is near the edge, partly outside the photo.
    margin = 0.04 if rng.random() < 1 / 7 else 0.27
    right, down = rng.uniform(margin, 1 - margin, 2)
    return complex(right * size.width, down * size.height)


def corner_pose(size: Size, rng: np.random.Generator) -> Pose:
    """Return the pose of a small flower in one of the corners, perhaps cut off."""
    right, down = rng.choice([-0.02, 0.08, 0.92, 1.02], 2) + rng.normal(0, 0.03, 2)
    radius = size.shorter * rng.uniform(0.08, 0.17)
    return random_pose(complex(right * size.width, down * size.height), radius, rng)


def random_pose(centre: complex, radius: float, rng: np.random.Generator) -> Pose:
    """Return a flower held at random; `centre` and `radius` are in photo pixels."""
    return Pose(
        centre=centre,
        radius=float(radius),
        spin=rng.uniform(0, 2 * math.pi),
        openness=1 - 0.62 * rng.random() ** 1.5,
        lean=rng.normal(0, 0.35),
    )
