"""Converted networks kept on disk, each beside a record of what it was made from and how it was checked."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

from retraining.engines.engine import Engine
from retraining.errors import WorkFailed
from retraining.runtimes.requirements import REQUIREMENTS
from retraining.settings.module import TENSORFLOW
from retraining.storage.kept_network import KeptNetwork, checksum

FOLDER = "engines"  # within bottleneck_dir

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a network in an engine.

    `network` is the fingerprint of the extractor as TensorFlow computes it in float32, and `versions` are
    those of engine and converter: with others, the network is converted again. `refused` says why the engine
    is not used, or is ''; otherwise `sha256` (hex) is that of the converted file, and `largest_difference` is
    that from TensorFlow on a number of `photos`.
    """

    engine: str
    versions: str
    network: str
    refused: str = ""
    sha256: str = ""
    largest_difference: float = 0.0
    photos: int = 0


class Place:
    """Where a network that is converted for an engine is kept."""

    def __init__(self, bottleneck_dir: Path, engine: Engine, *, name: str, network: str) -> None:
        stem = f"{name}-{network[:16]}-{engine.name}"
        self.kept = KeptNetwork(bottleneck_dir / FOLDER, stem, engine.suffix)
        versions = f"{engine.requirement.versions()} {REQUIREMENTS[TENSORFLOW].versions()}"
        self._blank = Record(engine.name, versions, network)

    def read(self) -> tuple[Record, bytes] | None:
        """Return the record and the converted network, b'' if it is refused; None if there is none for this
        network and these versions. Of a damaged one, a warning says that it will be made again.
        """
        record = self.kept.record(Record)
        if record is None:
            return None
        made_from = dataclasses.replace(record, refused="", sha256="", largest_difference=0.0, photos=0)
        if made_from != self._blank:
            return None
        content = b"" if record.refused else self.kept.content(record.sha256)
        return None if content is None else (record, content)

    def keep(self, content: bytes, *, largest_difference: float, photos: int) -> None:
        """Keep a converted network that was found to agree with TensorFlow."""
        self._write(
            dataclasses.replace(
                self._blank,
                sha256=checksum(content),
                largest_difference=largest_difference,
                photos=photos,
            ),
            content,
        )

    def refuse(self, reason: str) -> None:
        """Record why the engine is not used, so that it is not tried again in each run."""
        self._write(dataclasses.replace(self._blank, refused=reason))

    def _write(self, record: Record, content: bytes = b"") -> None:
        try:
            self.kept.write(record, content)
        except WorkFailed as error:
            log.warning("the network converted for %s is not kept: %s", record.engine, error)
