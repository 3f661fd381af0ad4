"""Settings of the training of the new layer."""

from __future__ import annotations

import dataclasses

from retraining.settings import kinds
from retraining.settings.setting import Settings, setting


@dataclasses.dataclass(frozen=True)
class TrainingSettings(Settings):
    """The training of the new layer."""

    how_many_training_steps: int = setting(4000, "Number of training steps.", kinds.COUNT)
    learning_rate: float = setting(0.01, "Learning rate of plain gradient descent.", kinds.POSITIVE_NUMBER)
    eval_step_interval: int = setting(10, "Number of steps between reports.", kinds.COUNT)
    train_batch_size: int = setting(
        100, "Number of images in a training step; -1 for the whole training set.", kinds.BATCH_SIZE
    )
    validation_batch_size: int = setting(
        100, "Number of images in a validation; -1 for the whole validation set.", kinds.BATCH_SIZE
    )
    test_batch_size: int = setting(
        -1, "Number of images in the final test; -1 for the whole test set.", kinds.BATCH_SIZE
    )
    seed: int = setting(0, "Random seed: same images and same seed, same graph.", kinds.NON_NEGATIVE)
    calibrate: bool = setting(
        True,
        "Scale the scores by one number so that of images scored 0.9, about nine in ten are right; the order "
        "of the answers stays.",
        kinds.SWITCH,
    )
