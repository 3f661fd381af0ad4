"""Images unlike any class, as an ONNX model tells them: its network run so that it gives vectors too."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from retraining.arrays import Forward
from retraining.inference import novelty_run
from retraining.inference.novelty_run import NoveltyRun

# What the tensor of the feature vectors is called in a model that records a detector, and the detector.
VECTORS = "feature_vectors"
KEY = "novelty"


def content(session: Any, path: Path) -> bytes:
    """Return the encoded detector that a model records. Raises BadRequest if it has none."""
    text = session.get_modelmeta().custom_metadata_map.get(KEY)
    if text is None:
        raise novelty_run.missing(path)
    try:
        return base64.b64decode(json.loads(text), validate=True)
    except (ValueError, TypeError) as error:
        raise novelty_run.damaged(path, "it cannot be decoded") from error


def load(session: Any, run: Forward, path: Path) -> NoveltyRun:
    """Return how a model that gives the vectors last is run, from the function that gives them all.

    Raises BadRequest if it records no detector for them.
    """
    shape = session.get_outputs()[-1].shape
    width = shape[-1] if len(shape) == 2 and isinstance(shape[-1], int) else 0
    return NoveltyRun(run, novelty_run.checked(content(session, path), path, width))
