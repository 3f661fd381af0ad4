"""The colours that all kinds of flower and all backgrounds share, so that colour alone tells no kind."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Colours: TypeAlias = npt.NDArray[np.float64]  # red, green, blue from 0 to 255 along the last axis

GREENS = np.array([[62, 96, 38], [88, 130, 50], [48, 80, 44], [120, 150, 72]], float)
SOILS = np.array([[92, 68, 48], [120, 92, 66], [70, 52, 40], [140, 118, 96]], float)
SKIES = np.array([[126, 168, 214], [168, 198, 226], [222, 230, 236], [96, 140, 196]], float)
WALLS = np.array([[176, 168, 156], [150, 112, 92], [206, 200, 190], [116, 118, 122]], float)
SHADOWS = np.array([[22, 30, 20], [36, 44, 30], [46, 36, 30], [14, 18, 22]], float)

PETALS = {
    "white": np.array([240, 238, 232], float),
    "cream": np.array([238, 222, 170], float),
    "lemon": np.array([244, 224, 92], float),
    "yellow": np.array([240, 196, 30], float),
    "orange": np.array([232, 128, 36], float),
    "pink": np.array([228, 136, 164], float),
    "red": np.array([190, 32, 42], float),
    "purple": np.array([146, 78, 160], float),
}
BROWN = np.array([70, 44, 26], float)
OCHRE = np.array([204, 146, 30], float)


def petal_colour(rng: np.random.Generator, **shares: float) -> Colours:
    """Return a colour near one of PETALS, chosen by name with the probabilities `shares`."""
    name = rng.choice(list(shares), p=list(shares.values()))
    colour: Colours = PETALS[name] + rng.normal(0, 10, 3)
    return colour
