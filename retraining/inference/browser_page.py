"""The folder of a page that labels photos in a browser: the classifier in it, as label_image.py reads it."""

from __future__ import annotations

from pathlib import Path

from retraining.errors import BadRequest
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.label_image import GraphSettings
from retraining.storage import packed_script
from retraining.storage.atomic_files import reason

PAGE = "index.html"
MODEL = "model"

_MAX_BYTES = 2 << 30  # a model in the format of protocol buffers cannot be larger


def model_path(folder: Path) -> Path:
    """Return where the model is in the folder of a page."""
    return folder / f"{MODEL}.js"


def is_page(path: Path) -> bool:
    """Return whether a folder is that of a page with a model."""
    return (path / PAGE).is_file() and model_path(path).is_file()


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in the folder of a page. Raises BadRequest."""
    from retraining.inference import onnx_classifier  # which other classifiers do not need

    path = model_path(settings.graph)
    try:
        content = packed_script.unpack(MODEL, path.read_bytes(), most=_MAX_BYTES)
    except (OSError, ValueError) as error:
        raise BadRequest(
            "'{path}' cannot be read as the model of a page: {reason}. Export the page again.",
            path=path,
            reason=reason(error),
        ) from error
    return onnx_classifier.of_content(content, settings)
