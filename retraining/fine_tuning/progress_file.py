"""The file of a fine-tuning: a run that was killed goes on after the last epoch that is in it."""

from __future__ import annotations

import dataclasses
import logging
import zipfile
from pathlib import Path
from typing import Any

from retraining.storage import array_file, cache_tag
from retraining.storage.array_file import Arrays
from retraining.training.learning_curve import Epoch
from retraining.training.metrics import Metrics

_NOTE = "Networks that retrain.py fine-tuned; it trains them again if this folder is removed."

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Saved:
    """What was saved after an epoch: the epochs so far, and arrays by name."""

    epochs: tuple[Epoch, ...]
    arrays: Arrays = dataclasses.field(repr=False)


def write(path: Path, saved: Saved) -> None:
    """Write the file, completely or not at all. Raises WorkFailed."""
    cache_tag.mark(path.parent, _NOTE)
    array_file.write(path, saved.arrays, {"epochs": [dataclasses.asdict(epoch) for epoch in saved.epochs]})


def read(path: Path) -> Saved | None:
    """Return what an earlier run saved, or None; a file that is damaged is left out, with a warning."""
    if not path.exists():
        return None
    try:
        contents = array_file.read(path)
        return Saved(tuple(_epoch_of(values) for values in contents.description["epochs"]), contents.arrays)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        log.warning("'%s' is damaged (%s); fine-tuning starts again from the first epoch.", path, error)
        return None


def _epoch_of(values: dict[str, Any]) -> Epoch:
    """Return the epoch that `dataclasses.asdict` turned into JSON values."""
    training, validation = Metrics(**values["training"]), Metrics(**values["validation"])
    return Epoch(training, validation, None, values["seconds"])
