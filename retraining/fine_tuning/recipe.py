"""The recipe of fine-tuning: what nobody needs to set."""

from __future__ import annotations

import dataclasses

from retraining.settings.augmentation import AugmentationSettings

BATCH_SIZE = 32

WEIGHT_DECAY = 0.05  # decoupled: Loshchilov and Hutter, "Decoupled Weight Decay Regularization", ICLR 2019
LABEL_SMOOTHING = 0.1  # Szegedy et al., "Rethinking the Inception Architecture", CVPR 2016, section 7
WARM_UP_EPOCHS = 1  # in which the learning rate rises from 0; then it falls to 0 along half a cosine
AVERAGE_DECAY = 0.95  # of the moving average of the weights (Polyak and Juditsky 1992), for each step
PATIENCE = 5  # epochs without a better result on the validation images, after which it stops

# How far to go from the frozen weights to the trained ones: what is best on the validation images, from
# Wortsman et al., "Robust Fine-Tuning of Zero-Shot Models", CVPR 2022.
SHARES = (0.25, 0.5, 0.75, 1.0)

# Unless the user asks for other views.
VIEWS = AugmentationSettings(flip_left_right=True, random_crop=10, random_scale=20, random_brightness=10)


def augmentation(given: AugmentationSettings) -> AugmentationSettings:
    """Return the random views to train on: those that the user asked for, or by default crops and flips."""
    if given.are_on():
        return given
    return dataclasses.replace(VIEWS, distorted_views=given.distorted_views)


def description() -> str:
    """Return all of the recipe as text, for the key of what was computed with it."""
    return (
        f"batch {BATCH_SIZE} decay {WEIGHT_DECAY} smoothing {LABEL_SMOOTHING} warm-up {WARM_UP_EPOCHS} "
        f"average {AVERAGE_DECAY} patience {PATIENCE}"
    )
