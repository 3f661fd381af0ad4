"""A SavedModel that takes image files as they are, which TensorFlow Serving serves -> an ImageClassifier."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from retraining.arrays import Probabilities
from retraining.data import decoders, file_kinds, images, sample_depth
from retraining.errors import BadRequest, WorkFailed, setting_named
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import joined_forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.saved_model_folder import BYTES_INPUT, SCORES_OUTPUT
from retraining.inference import graph_novelty, saved_model_assets, sources
from retraining.inference import labels as label_names
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.inference.novelty import NoveltyDetector
from retraining.inference.novelty_run import NoveltyRun
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.label_image import GraphSettings
from retraining.storage.atomic_files import reason

# Modes of Pillow's images that the graph decodes to the same pixels as Pillow, alpha over white included.
_SAME_PIXELS = {"JPEG": ("L", "RGB"), "PNG": ("L", "LA", "P", "RGB", "RGBA")}

_OF_THE_GRAPH = ("input_layer", "output_layer", "input_height", "input_width", "input_mean", "input_std")


@dataclasses.dataclass(frozen=True)
class BytesClassifier(ImageClassifier):
    """An ImageClassifier whose `run` takes n files in JPEG or PNG format, and prepares the images itself.

    Files of these formats are passed as they are; all other images, and those that are rotated when they are
    shown, are first made PNGs.
    """

    def _taken(self, image: sources.Opened) -> bytes:
        """Return the file that `run` is given for an image. Raises BadImage."""
        upright = sources.upright(image, self.size, self.significant_bits)  # also tells if it is damaged
        if isinstance(image, bytes) and _is_read_alike(image):
            return image
        return _as_png(upright)

    def _batch(self, taken: Sequence[Any]) -> Sequence[Any]:
        return taken


def load(settings: GraphSettings) -> ImageClassifier:
    """Return the classifier in a SavedModel's folder whose signature takes files. Raises BadRequest."""
    for name in _OF_THE_GRAPH:
        if getattr(settings, name) is not None:
            raise BadRequest(
                "{setting} means nothing for '{path}', which prepares images itself. Leave it out.",
                setting=setting_named(name),
                path=settings.graph,
            )
    assets = saved_model_assets.read(settings.graph)
    labels = label_names.find(settings, inside=assets.labels)
    scores = _Scores(settings.graph, labels, is_novelty_wanted=settings.is_novelty_wanted)
    novelty = None if scores.detector is None else NoveltyRun(scores, scores.detector)
    return BytesClassifier(
        run=scores if novelty is None else novelty.scores(len(labels)),
        labels=labels,
        size=assets.size,
        batch_size=BATCH_SIZE,
        significant_bits=settings.significant_bits or assets.significant_bits,
        novelty=novelty,
    )


class _Scores:
    """The scores that the default signature of a SavedModel's folder gives for files.

    If novelty is wanted, `detector` is not None, and feature vectors are behind the scores.
    """

    def __init__(self, folder: Path, labels: Sequence[str], *, is_novelty_wanted: bool = False) -> None:
        saved_model = tf.compat.v1.saved_model
        graph = tf.Graph()
        self._session = tf.compat.v1.Session(graph=graph)
        try:
            with graph.as_default():
                tags = [saved_model.tag_constants.SERVING]
                signatures = saved_model.load(self._session, tags, str(folder)).signature_def
            signature = signatures[saved_model.signature_constants.DEFAULT_SERVING_SIGNATURE_DEF_KEY]
            source, result = signature.inputs[BYTES_INPUT], signature.outputs[SCORES_OUTPUT]
        except (tf.errors.OpError, OSError, ValueError, KeyError, RuntimeError) as error:
            raise BadRequest(
                "graph '{path}' cannot be loaded, it may be damaged or cut short: {reason}.",
                path=folder,
                reason=reason(error),
            ) from error
        check_width(result.tensor_shape.dim[1].size, labels)
        self.detector: NoveltyDetector | None = None
        self._run = self._session.make_callable(result.name, [source.name])
        if is_novelty_wanted:
            content = recorded.novelty_in(graph.get_tensor_by_name(source.name).op)
            found = graph_novelty.find(graph, content, folder)
            self.detector = found.detector
            self._run = joined_forward(self._session, source.name, [result.name, found.vectors])

    def __call__(self, files: Sequence[bytes]) -> Probabilities:
        """Return float32 [n, classes], or [n, classes + feature_size], for n files. Raises WorkFailed."""
        try:
            return self._scores(files)
        except tf.errors.InvalidArgumentError:
            # Pillow decodes some files that TensorFlow refuses, such as JPEGs with arithmetic coding.
            return self._scores([_as_png(images.upright(file)) for file in files])
        except tf.errors.OpError as error:
            raise WorkFailed("the graph cannot be run: {reason}.", reason=reason(error)) from error

    def _scores(self, files: Sequence[bytes]) -> NDArray[np.float32]:
        scores: NDArray[np.float32] = self._run(np.array(files, object))
        return scores


def _is_read_alike(content: bytes) -> bool:
    """Return whether the graph makes the same pixels of a file that can be decoded as label_image.py."""
    image_format = file_kinds.image_format(content)
    modes = _SAME_PIXELS.get(image_format or "", ())
    if image_format is None or not modes or sample_depth.may_be_deep(content):
        return False
    with decoders.opened(content, image_format) as image:
        return image.mode in modes and not images.is_rotated(image)


def _as_png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)  # it is read again at once
    return stream.getvalue()
