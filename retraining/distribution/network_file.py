"""The network as a file in the cache: each worker loads it once, to compute what this computer would."""

from __future__ import annotations

import dataclasses
import functools
import os
import threading

import PIL

import retraining
from retraining.arrays import ImageSize, Vectors
from retraining.data import prefetching
from retraining.distribution import places
from retraining.engines import tensorflow_engine
from retraining.engines.table import CONVERTING
from retraining.errors import WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import precision
from retraining.graphs.frozen_graph import UnreadGraph
from retraining.native_output import native_output_captured
from retraining.runtimes.batches import Extract, Images
from retraining.runtimes.requirements import REQUIREMENTS
from retraining.settings.module import BFLOAT16, TENSORFLOW
from retraining.storage.kept_network import checksum

# Read by TensorFlow at its first session.
_THREADS_OF_TENSORFLOW = "TF_NUM_INTRAOP_THREADS"

_loading = threading.Lock()


@dataclasses.dataclass(frozen=True)
class NetworkFile:
    """A network in a file at `path`, and what a worker needs to know of it.

    `engine` is one of ENGINES and `precision` one of PRECISIONS. `versions` are those of all that has a part
    in a vector: with others, its last digits might differ. They also depend on the number of `threads`, those
    of the computer that started the run, but only if TensorFlow computes them. `sha256` (hex) is that of the
    file. `input_name` and `output_name` are those of a TensorFlow graph.
    """

    path: str
    sha256: str
    name: str
    image_size: ImageSize
    feature_size: int
    engine: str
    precision: str
    versions: str
    threads: int
    input_name: str
    output_name: str

    def loaded(self) -> LoadedNetwork:
        """Return the network, loaded once in a process. Raises WorkFailed if that is not possible."""
        with _loading:
            return _loaded(self)


class LoadedNetwork:
    """A network in a worker: all that is needed of a FeatureExtractor there.

    `has_numbers` is true once a vector was finite.
    """

    def __init__(self, file: NetworkFile, forward: Extract) -> None:
        self.name = file.name
        self.image_size = file.image_size
        self.has_numbers = False
        self._forward = forward
        self._computing = threading.Lock()

    def extract(self, images: Images) -> Vectors:
        """Return float32 [n, features] for n images."""
        with self._computing:  # a batch keeps all processors busy: two at once would be in each other's way
            return self._forward(images)


def of(extractor: FeatureExtractor, folder: str) -> NetworkFile:
    """Return what workers need to know of a settled extractor whose file `write` writes to a folder."""
    conversion = extractor.conversion
    engine, suffix = (
        (TENSORFLOW, ".pb") if conversion is None else (conversion.engine.name, conversion.engine.suffix)
    )
    sha256 = checksum(_content(extractor))
    return NetworkFile(
        path=places.join(folder, f"network-{sha256[:16]}{suffix}"),
        sha256=sha256,
        name=extractor.name,
        image_size=extractor.image_size,
        feature_size=extractor.feature_size,
        engine=engine,
        precision=extractor.precision,
        versions=_versions(engine),
        threads=prefetching.processors(),
        input_name=extractor.graph.input_name,
        output_name=extractor.graph.output_name,
    )


def write(extractor: FeatureExtractor, file: NetworkFile) -> None:
    """Write the file of an extractor. Raises WorkFailed."""
    places.write(file.path, _content(extractor))


def _content(extractor: FeatureExtractor) -> bytes:
    conversion = extractor.conversion
    return extractor.graph.content() if conversion is None else conversion.content


@functools.lru_cache(maxsize=1)  # a worker computes with one network, and two might not fit into its memory
def _loaded(file: NetworkFile) -> LoadedNetwork:
    _check_versions(file)
    content = places.read_file(file.path)
    if checksum(content) != file.sha256:
        raise WorkFailed(
            "'{path}' is damaged, or another program has changed it. Run again: it is written anew.",
            path=file.path,
        )
    return LoadedNetwork(file, _forward(file, content))


def _forward(file: NetworkFile, content: bytes) -> Extract:
    """Return the function that runs a network's file. Raises WorkFailed."""
    if file.engine == TENSORFLOW:
        _check_precision(file)
        os.environ[_THREADS_OF_TENSORFLOW] = str(file.threads)  # for sums in the same order
        graph = UnreadGraph(content, file.input_name, file.output_name)
        return tensorflow_engine.load(graph, file.precision)
    try:
        with native_output_captured(is_shown_on_error=False):
            return CONVERTING[file.engine].load(content)
    except Exception as error:  # whatever the engine's library raises
        raise WorkFailed(
            "{title} does not start on a worker: {reason}. Set {engine} to another one.",
            title=REQUIREMENTS[file.engine].title,
            reason=str(error).splitlines()[0] if str(error) else type(error).__name__,
        ) from error


def _versions(engine: str) -> str:
    """Return the versions of what computes a vector: this program, the engine, and Pillow, which decodes."""
    engines = REQUIREMENTS[engine].versions()
    return f"image-retrainer {retraining.__version__}, {engines}, pillow {PIL.__version__}"


def _check_versions(file: NetworkFile) -> None:
    here = _versions(file.engine)
    if here != file.versions:
        raise WorkFailed(
            "a worker has {here}, but the computer that started the run {there}: their vectors might differ. "
            "Install the same versions on both.",
            here=here,
            there=file.versions,
        )


def _check_precision(file: NetworkFile) -> None:
    reason = precision.unsupported_reason() if file.precision == BFLOAT16 else ""
    if reason:
        raise WorkFailed(
            "a worker cannot compute in bfloat16, because {reason}. Set {precision} to float32.",
            reason=reason,
        )
