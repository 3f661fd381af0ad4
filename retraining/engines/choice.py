"""Which engine and which precision compute a network's vectors where neither is asked for by name.

Nothing is timed, so the same images and the same seed give the same graph on one machine. The rules are drawn
from the tables of benchmarks/README.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from retraining.graphs import precision as precisions
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.runtimes import requirements
from retraining.settings.module import (
    AUTO,
    BFLOAT16,
    BUILTIN,
    BUILTIN_SMALL,
    FLOAT32,
    LITERT,
    TENSORFLOW,
    ModuleSettings,
)

# Handles of networks that are about twice as fast in bfloat16, where the processor has it, and as accurate.
FASTER_IN_BFLOAT16 = frozenset({BUILTIN, BUILTIN_SMALL})

# Devices that the drivers of graphics cards make: NVIDIA's, that of its Jetson boards, AMD's, and Windows's
# within its Linux. Elsewhere TensorFlow has graphics cards by plugins alone, Apple's Metal among them.
_GPU_DRIVERS = tuple(map(Path, ("/dev/nvidiactl", "/dev/nvmap", "/dev/kfd", "/dev/dxg")))

# Where TensorFlow looks for plugins: https://www.tensorflow.org/install/gpu_plugins.
_PLUGINS = "tensorflow-plugins"

_DEPTHWISE = "DepthwiseConv2dNative"


def precision_for(handle: str, settings: ModuleSettings) -> str:
    """Return the precision, one of PRECISIONS, for the network of a handle that was resolved."""
    if settings.precision != AUTO:
        return settings.precision
    is_faster = handle in FASTER_IN_BFLOAT16 and settings.engine in (AUTO, TENSORFLOW)
    return BFLOAT16 if is_faster and not precisions.unsupported_reason() else FLOAT32


def engine_for(settings: ModuleSettings, precision: str, *, is_depthwise: bool) -> str:
    """Return the engine, one of ENGINES, for a network that is computed in this precision.

    `is_depthwise` says whether the network has depthwise convolutions.

    Networks with depthwise convolutions, such as MobileNet and EfficientNet, are faster in LiteRT. Others are
    about as fast in every engine, and spared the conversion. Only TensorFlow uses a graphics card. Raises
    BadRequest for an engine that is asked for by name and not installed.
    """
    requirements.check(settings.engine)
    if settings.engine != AUTO:
        return settings.engine
    is_ready = precision == FLOAT32 and requirements.is_installed(LITERT)
    return LITERT if is_ready and is_depthwise and not _has_gpu() else TENSORFLOW


def _has_gpu() -> bool:
    # TensorFlow is only asked where it could have one, since it takes seconds to load.
    return _may_have_gpu() and bool(tf.config.list_physical_devices("GPU"))


def _may_have_gpu() -> bool:
    """Return whether there is a driver that TensorFlow knows, or a plugin that teaches it another one."""
    folders = (Path(folder) / _PLUGINS for folder in sys.path)
    return any(path.exists() for path in _GPU_DRIVERS) or any(folder.is_dir() for folder in folders)


def is_depthwise(graph: FrozenGraph) -> bool:
    """Return whether a network has depthwise convolutions."""
    return any(node.op == _DEPTHWISE for node in graph.graph_def.node)
