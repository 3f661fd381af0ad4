"""The camera: light, focus, contrast and grain."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image, ImageFilter


def take_photo(scene: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the photo of `scene`, an RGB image: lit from one side, tinted, out of focus, grainy."""
    if rng.random() < 0.4:
        scene = scene.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.6)))
    # Two dimensions, with the channels side by side: numpy is several times slower along an axis of 3.
    pixels = np.array(scene, np.float32).reshape(scene.height, -1)
    tint = rng.normal(1, 0.07, 3) * math.exp(rng.normal(0.05, 0.16))
    across, down = rng.uniform(-0.3, 0.3, 2)
    columns = np.outer(np.linspace(1 - across, 1 + across, scene.width), tint).ravel()
    rows = np.linspace(1 - down, 1 + down, scene.height)[:, None]
    contrast = rng.uniform(0.72, 1.15)
    pixels *= columns.astype(np.float32)
    pixels *= (contrast * rows).astype(np.float32)
    # Bytes are the cheapest noise by far: evenly distributed from -128 to 127.
    grain = np.frombuffer(rng.bytes(pixels.size), np.int8).reshape(pixels.shape)
    pixels += grain * np.float32(rng.uniform(0.01, 0.11))
    pixels += np.float32(110 * (1 - contrast))
    bounded = np.clip(pixels, 0, 255, out=pixels).astype(np.uint8)
    return Image.fromarray(bounded.reshape(scene.height, scene.width, 3))
