"""Networks that were loaded once, kept frozen: a later run knows them in no time, without TensorFlow.

A module in a folder is known by the contents of its files. Others are loaded in every run: what is in a .pb
is told to the user when it is read, and the weights of `keras:NAME` are only known once Keras has found them.
"""

from __future__ import annotations

import dataclasses
import hashlib
import logging

from retraining.arrays import ImageSize
from retraining.errors import WorkFailed
from retraining.features import networks
from retraining.features.networks import Network
from retraining.graphs.frozen_graph import UnreadGraph
from retraining.modules import hub_module, loader, local_files
from retraining.runtimes.requirements import REQUIREMENTS
from retraining.settings.module import TENSORFLOW, ModuleSettings
from retraining.storage import private_folder
from retraining.storage.kept_network import KeptNetwork, checksum

_FREEZING = 1  # to be counted up when networks are frozen in another way

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Origin:
    """What a kept network was made from: with anything else, it is made again.

    `files` is the fingerprint of the module's folder, `given_size` the setting `image_size`, and `versions`
    are those of this program's way of freezing and of TensorFlow.
    """

    handle: str
    files: str
    given_size: int | None
    versions: str


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a kept network; `sha256` (hex) is that of its serialized GraphDef."""

    origin: Origin
    name: str
    image_size: ImageSize
    feature_size: int
    input_name: str
    output_name: str
    averaged: str
    is_depthwise: bool
    is_quantized: bool
    sha256: str

    @classmethod
    def read(cls, *, origin: dict[str, str], image_size: dict[str, int], **fields: object) -> Record:
        """Return the record with these fields in JSON. Raises TypeError for others."""
        return cls(origin=Origin(**origin), image_size=ImageSize(**image_size), **fields)  # type: ignore[arg-type]


def load(handle: str, settings: ModuleSettings) -> Network:
    """Return the network of a handle that `handles.resolve` returned, as `loader.load_module` loads it.

    It is kept if that is possible: in a folder that no other user can write to, since a network can do what a
    program can.
    """
    origin, folder = _origin(handle, settings), settings.networks_dir
    if origin is None:
        return _loaded(handle, settings)
    key = hashlib.sha256(repr(origin).encode()).hexdigest()
    kept = KeptNetwork(folder, f"{local_files.short_name(handle)[:40]}-{key[:32]}", ".pb")
    network = _read(kept, origin) if private_folder.is_private(folder) else None
    if network is None:
        network = _loaded(handle, settings)
        if private_folder.made(folder):
            _keep(network, kept, origin)
    return network


def _origin(handle: str, settings: ModuleSettings) -> Origin | None:
    """Return what identifies a module before it is loaded, or None if nothing does."""
    folder = loader.folder_of(handle, settings)
    if folder is None:
        return None
    versions = f"{_FREEZING} {REQUIREMENTS[TENSORFLOW].versions()}"
    try:
        return Origin(handle, hub_module.fingerprint(folder), settings.image_size, versions)
    except OSError:  # which loading it will tell more about
        return None


def _loaded(handle: str, settings: ModuleSettings) -> Network:
    return networks.of_module(loader.load_module(handle, settings), handle, settings.image_size)


def _read(kept: KeptNetwork, origin: Origin) -> Network | None:
    """Return a network that an earlier run has kept, or None; a damaged one is warned of."""
    record = kept.record(Record.read)
    if record is None or record.origin != origin:
        return None
    content = kept.content(record.sha256)
    if content is None:
        return None
    return Network(
        name=record.name,
        image_size=record.image_size,
        feature_size=record.feature_size,
        module=origin.files,
        graph=UnreadGraph(content, record.input_name, record.output_name),
        averaged=record.averaged,
        is_depthwise=record.is_depthwise,
        is_quantized=record.is_quantized,
    )


def _keep(network: Network, kept: KeptNetwork, origin: Origin) -> None:
    content = network.graph.graph_def.SerializeToString()
    record = Record(
        origin=origin,
        name=network.name,
        image_size=network.image_size,
        feature_size=network.feature_size,
        input_name=network.graph.input_name,
        output_name=network.graph.output_name,
        averaged=network.averaged,
        is_depthwise=network.is_depthwise,
        is_quantized=network.is_quantized,
        sha256=checksum(content),
    )
    try:
        kept.write(record, content)
    except WorkFailed as error:  # only the next run will take a second longer
        log.info("Module %s is not kept for later runs: %s", network.name, error)
