"""Settings of serve."""

from __future__ import annotations

import dataclasses

from retraining.settings import kinds
from retraining.settings.label_image import AnswerSettings
from retraining.settings.setting import setting


@dataclasses.dataclass(frozen=True)
class ServeSettings(AnswerSettings):
    """All settings of serve."""

    host: str = setting(
        "127.0.0.1", "Address to listen at; 0.0.0.0 lets other machines in, whoever they are.", kinds.NAME
    )
    port: int = setting(8000, "Port to listen at; 0 for any that is free.", kinds.PORT)
    num_top_predictions: int = setting(5, "Number of labels to answer, best first.", kinds.COUNT)
    batch_size: int = setting(32, "Largest number of images that the network is given together.", kinds.COUNT)
    max_megabytes: int = setting(
        20, "Largest request, in megabytes; larger ones are refused (413).", kinds.COUNT
    )
    max_images: int = setting(32, "Largest number of images in a request.", kinds.COUNT)
    max_requests: int = setting(
        64, "Number of requests that are worked on at once; others are to come again (503).", kinds.COUNT
    )
    timeout: float = setting(
        30, "Seconds for a request to arrive (408), and then for its answer (504).", kinds.POSITIVE_NUMBER
    )

    @property
    def max_bytes(self) -> int:
        """The largest request, in bytes."""
        return self.max_megabytes * 1_000_000
