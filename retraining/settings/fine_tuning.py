"""Settings of fine-tuning: the training of the network's last blocks together with the new layer."""

from __future__ import annotations

import dataclasses

from retraining.errors import BadRequest, setting_named
from retraining.settings import kinds
from retraining.settings.setting import Settings, fields, setting


@dataclasses.dataclass(frozen=True)
class FineTuningSettings(Settings):
    """Fine-tuning: the network's last blocks are trained too."""

    fine_tune: bool = setting(
        False,
        "After the new layer, train the network's last blocks with it, on the images themselves; the result "
        "is used if it is better on the validation images.",
        kinds.SWITCH,
    )
    fine_tune_blocks: int | str = setting(
        4,
        f"How many of the network's blocks, counted from its end; '{kinds.EVERY}' for the whole network.",
        kinds.COUNT_OR_EVERY,
    )
    fine_tune_epochs: int = setting(
        12,
        "How often fine-tuning sees every training image, at most; it stops when the validation loss no "
        "longer falls.",
        kinds.COUNT,
    )
    fine_tune_learning_rate: float = setting(
        0.001, "Highest learning rate of fine-tuning.", kinds.POSITIVE_NUMBER
    )

    def check(self) -> None:
        """Raise BadRequest if fine-tuning is described but not asked for."""
        for field in fields(type(self)):
            value = getattr(self, field.name)
            if not self.fine_tune and value != field.default:
                raise BadRequest(
                    "{setting} means nothing without {fine_tune}, received {value}. Add {fine_tune}, or "
                    "leave it out.",
                    setting=setting_named(field.name),
                    value=value,
                )

    def block_count(self, blocks: int) -> int:
        """Return how many of `blocks` blocks are trained. Raises BadRequest if there are not so many."""
        if self.fine_tune_blocks == kinds.EVERY:
            return blocks
        if int(self.fine_tune_blocks) > blocks:
            raise BadRequest(
                "{fine_tune_blocks} must be at most {blocks}, the number of blocks of this network, or "
                "'{every}'; received {received}.",
                blocks=blocks,
                every=kinds.EVERY,
                received=self.fine_tune_blocks,
            )
        return int(self.fine_tune_blocks)
