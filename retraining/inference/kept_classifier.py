"""A frozen graph's classifier as an earlier run has kept it, converted for LiteRT: loaded without TensorFlow.

Beside the converted network is a record of all else that a classifier needs, so the graph is not even parsed.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from retraining.arrays import ImageSize, Probabilities
from retraining.errors import Message, WorkFailed
from retraining.inference import labels as label_names
from retraining.inference.image_classifier import ImageClassifier, check_width
from retraining.inference.novelty_run import NoveltyRun
from retraining.modules import found_input
from retraining.modules.found_input import ImageInput
from retraining.native_output import native_output_captured
from retraining.runtimes import litert
from retraining.runtimes.batches import BATCH_SIZE
from retraining.runtimes.requirements import REQUIREMENTS, is_installed
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import LITERT, TENSORFLOW
from retraining.storage import private_folder
from retraining.storage.kept_network import KeptNetwork, checksum

# Settings that decide neither what is converted nor what is recorded of it.
_ELSEWHERE = ("graph", "labels", "engine", "cache_dir")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a classifier: what it was made from, what it takes and gives, how it was checked.

    `made_from` is the SHA-256 of the graph and of the settings that it was read with; `versions` are those
    of LiteRT and TensorFlow. `refused` says why LiteRT is not used, or is ''. Otherwise `sha256` is that of
    the converted file, and the largest difference from TensorFlow's scores was found on a number of `images`.
    The rest is as in ImageClassifier and ImageInput; `classes` is the number of scores.
    """

    made_from: str
    versions: str
    refused: str = ""
    sha256: str = ""
    largest_difference: float = 0.0
    images: int = 0
    labels: tuple[str, ...] = ()
    classes: int = 0
    input_op: str = ""
    height: int = 0
    width: int = 0
    mean: float = 0.0
    std: float = 255.0
    significant_bits: int | None = None
    checksum: str = ""

    @classmethod
    def read(cls, labels: list[str], **fields: Any) -> Record:
        """Return a record read from JSON. Raises ValueError or TypeError if it is not as it was written."""
        record = cls(labels=tuple(labels), **fields)
        if record.checksum != record.sealed().checksum:
            raise ValueError("a number or a letter has changed")
        return record

    def sealed(self) -> Record:
        """Return the record with its own checksum."""
        fields = dataclasses.asdict(dataclasses.replace(self, checksum=""))
        return dataclasses.replace(self, checksum=checksum(json.dumps(fields, sort_keys=True).encode()))


class Place:
    """Where the converted classifier of a graph, read with some settings, is kept for this user."""

    def __init__(self, folder: Path, graph: bytes, settings: GraphSettings) -> None:
        made_from = _digest(graph, settings)
        self.kept = KeptNetwork(folder, f"{settings.graph.stem[:40]}-{made_from[:32]}", ".tflite")
        self.blank = Record(made_from, _versions())

    def read(self) -> Record | None:
        """Return what an earlier run has found out, if one has with the same versions."""
        record = self.kept.record(Record.read)
        if record is None or (record.made_from, record.versions) != (
            self.blank.made_from,
            self.blank.versions,
        ):
            return None
        return record

    def keep(self, record: Record, content: bytes = b"") -> None:
        """Keep a record and the converted network, or do nothing if the disk does not let that happen."""
        try:
            self.kept.write(dataclasses.replace(record, sha256=checksum(content)).sealed(), content)
        except WorkFailed as error:
            log.debug("the converted classifier is not kept: %s", error)


def find_place(settings: GraphSettings) -> Place | None:
    """Return where the graph's converted classifier may be, or None if it is not to be converted.

    That is so for a SavedModel, without LiteRT, if TensorFlow is asked for, and if no folder is private.
    """
    folder = settings.cache_dir or private_folder.of_caches()
    if settings.engine == TENSORFLOW or folder is None or not is_installed(LITERT):
        return None
    try:
        graph = b"" if settings.graph.is_dir() else settings.graph.read_bytes()
    except OSError:  # which TensorFlow's reader words
        return None
    if not graph or not private_folder.made(folder):
        _warn_if_shared(folder)
        return None
    return Place(folder, graph, settings)


def load(place: Place, record: Record, settings: GraphSettings) -> ImageClassifier | None:
    """Return the classifier that was kept with this record, or None if it is damaged or does not start.

    It is None too if images unlike any class are to be told, and the converted network cannot do that.
    Raises BadRequest for labels that are not there or are too many or too few.
    """
    content = place.kept.content(record.sha256)
    if content is None:
        return None
    labels = label_names.find(settings, inside=record.labels)
    check_width(record.classes, labels)
    try:
        with native_output_captured(is_shown_on_error=False):
            run, novelty = _loaded(content, record.classes, place.kept.path, settings)
    except Exception as error:  # whatever a library of another computer, or half of one, makes it raise
        log.debug("LiteRT cannot load '%s': %s", place.kept.path, error)
        return None
    size = ImageSize(record.height, record.width)
    if None in (settings.input_mean, settings.input_std):
        found_input.report(ImageInput(record.input_op, record.mean, record.std, size))
    return ImageClassifier(
        run=run,
        labels=labels,
        size=size,
        batch_size=BATCH_SIZE,
        mean=record.mean,
        std=record.std,
        significant_bits=record.significant_bits,
        novelty=novelty,
    )


def _loaded(
    content: bytes, classes: int, path: Path, settings: GraphSettings
) -> tuple[Callable[[Any], Probabilities], NoveltyRun | None]:
    if not settings.is_novelty_wanted:
        return litert.load(content), None
    from retraining.inference import tflite_novelty  # whose imports labelling need not wait for

    novelty = tflite_novelty.load(content, path)
    return novelty.scores(classes), novelty


def _digest(graph: bytes, settings: GraphSettings) -> str:
    """Return the SHA-256, in hex, of a graph and of the settings that change what is made of it."""
    names = [field.name for field in dataclasses.fields(GraphSettings) if field.name not in _ELSEWHERE]
    read_with = json.dumps({name: getattr(settings, name) for name in names}, sort_keys=True)
    return hashlib.sha256(hashlib.sha256(graph).digest() + read_with.encode()).hexdigest()


def _versions() -> str:
    return f"{REQUIREMENTS[LITERT].versions()} {REQUIREMENTS[TENSORFLOW].versions()}"


def _warn_if_shared(folder: Path) -> None:
    if folder.is_dir() and not private_folder.is_private(folder):
        log.warning(
            Message(
                "cache folder '{folder}' is not used, since others can write to it, or it is a link. Change "
                "that, or name another with {cache_dir}.",
                folder=folder,
            )
        )
