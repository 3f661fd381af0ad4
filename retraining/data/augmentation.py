"""Random views of a training image, drawn as in TensorFlow's retrain.py."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image

from retraining.arrays import ImageSize, Pixels
from retraining.data import images
from retraining.settings.augmentation import AugmentationSettings


def least_size(size: ImageSize, settings: AugmentationSettings) -> ImageSize:
    """Return the smallest size at which an image may be decoded so that no view has too few pixels."""
    zoom = (1 + settings.random_crop / 100) * (1 + settings.random_scale / 100)
    return ImageSize(math.ceil(size.height * zoom), math.ceil(size.width * zoom))


def draw(
    image: Image.Image, size: ImageSize, settings: AugmentationSettings, rng: np.random.Generator
) -> Pixels:
    """Return a random view of an upright RGB image as float32 [size.height, size.width, 3] in [0, 1].

    The image is scaled up by a factor of (1 + random_crop%) times a random factor from 1 to
    1 + random_scale%, and a random part of the requested size is cut out. Half of the views are mirrored.
    Brightness is multiplied by a random factor from 1 - random_brightness% to 1 + random_brightness%. The
    settings mean what they mean in TensorFlow's retrain.py.
    """
    zoom = (1 + settings.random_crop / 100) * rng.uniform(1, 1 + settings.random_scale / 100)
    width, height = image.width / zoom, image.height / zoom
    left, top = rng.uniform(0, image.width - width), rng.uniform(0, image.height - height)
    # Cropped and scaled in one step, so that what is cropped is never resized.
    pixels = images.resized(image, size, box=(left, top, left + width, top + height))
    if settings.flip_left_right and rng.random() < 0.5:
        pixels = pixels[:, ::-1]
    brightness = rng.uniform(1 - settings.random_brightness / 100, 1 + settings.random_brightness / 100)
    view: Pixels = np.clip(pixels * np.float32(brightness), 0, 1)
    return view
