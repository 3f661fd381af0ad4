"""A vector depends on nothing but its image, wherever it is in a batch and whatever comes with it."""

from __future__ import annotations

import numpy as np

from retraining.features.extractor import load_extractor
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.module import BUILTIN_SMALL, ModuleSettings


def test_image_has_the_same_vector_in_every_place_of_a_batch() -> None:
    extractor = load_extractor(ModuleSettings(BUILTIN_SMALL, engine="tensorflow"))
    size = extractor.image_size
    drawn = np.random.default_rng(0).random((BATCH_SIZE, size.height, size.width, 3), np.float32)
    vectors = extractor.extract(drawn)
    turned = extractor.extract(drawn[::-1])
    np.testing.assert_array_equal(turned[::-1], vectors)
    np.testing.assert_array_equal(extractor.extract(drawn[-1:]), vectors[-1:])
