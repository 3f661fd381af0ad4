"""Settings of the pretrained network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings import kinds
from retraining.settings.setting import Settings, setting

# The networks that ship with this program: EfficientNet-Lite0, and a small one for tests and slow machines.
BUILTIN = "builtin"
BUILTIN_SMALL = "builtin_small"

FLOAT32 = "float32"
BFLOAT16 = "bfloat16"  # float32's range with 8 bits of precision: https://arxiv.org/abs/1905.12322

PRECISIONS = (FLOAT32, BFLOAT16)

TENSORFLOW, LITERT, ONNXRUNTIME, OPENVINO = "tensorflow", "litert", "onnxruntime", "openvino"
ENGINES = (TENSORFLOW, LITERT, ONNXRUNTIME, OPENVINO)

AUTO = "auto"  # an engine and a precision: those known to be the fastest for the network on this machine


@dataclasses.dataclass(frozen=True, kw_only=True)
class ReadingSettings(Settings):
    """How a network is read: what its file does not say."""

    image_size: int | None = setting(
        None,
        "Height and width in pixels, for a network that takes several sizes, as the built-in ones do.",
        kinds.IMAGE_SIZE,
    )
    input_tensor_name: str | None = setting(
        None, "Input of a frozen graph (.pb), if it is not a well-known one.", kinds.NAME
    )
    bottleneck_tensor_name: str | None = setting(
        None,
        "Output of a frozen graph (.pb) to use as the feature vector: a pooling layer, or class scores.",
        kinds.NAME,
    )
    input_mean: float | None = setting(
        None,
        "Mean subtracted from each pixel value (0 to 255), for a frozen graph (.pb).",
        kinds.FINITE_NUMBER,
    )
    input_std: float | None = setting(
        None, "What each pixel value is then divided by, for a frozen graph (.pb).", kinds.POSITIVE_NUMBER
    )

    def of_frozen_graphs(self) -> list[str]:
        """Return the names of those given settings that only apply to frozen graphs."""
        names = ("input_tensor_name", "bottleneck_tensor_name", "input_mean", "input_std")
        return [name for name in names if getattr(self, name) is not None]


@dataclasses.dataclass(frozen=True)
class ExtractorSettings(ReadingSettings):
    """The pretrained network, and what computes it."""

    tfhub_module: str = setting(
        BUILTIN,
        "The network that turns an image into a feature vector: a name from {list_modules}, the address of "
        "a module on tfhub.dev or Kaggle Models, a module's folder or .tar.gz, a frozen graph (.pb), "
        "keras:NAME, or one that ships with this program: 'builtin', EfficientNet-Lite0, or "
        "'builtin_small', which is faster and less accurate.",
        kinds.HANDLE,
    )
    architecture: str = setting(
        "",
        "From the older script: 'inception_v3' or 'mobilenet_<width>_<image size>' for the Hub module of "
        "that network.",
        kinds.NAME,
    )
    model_dir: Path | None = setting(
        None,
        "From the older script: folder in which downloaded modules are kept. Default: the folder that the "
        "environment variable TFHUB_CACHE_DIR names, or else a temporary folder.",
        kinds.OPTIONAL_FOLDER,
    )
    engine: str = setting(
        AUTO,
        f"What computes the feature vectors: {', '.join(ENGINES)}, or auto, the one known to be the fastest "
        "for the network among those installed. The exported graph is TensorFlow's.",
        kinds.one_of(AUTO, *ENGINES),
    )
    precision: str = setting(
        AUTO,
        f"Number format in which feature vectors are computed: {', '.join(PRECISIONS)}, or auto, bfloat16 "
        "for the networks and processors that are known to be faster in it and as accurate. The exported "
        "graph always uses float32.",
        kinds.one_of(AUTO, *PRECISIONS),
    )

    def check(self) -> None:
        """Raise BadRequest if no network is named, or two of them, or an engine that cannot do as asked."""
        if not self.tfhub_module:
            raise BadRequest("{tfhub_module} must name a module, received ''.")
        if self.architecture and self.tfhub_module != BUILTIN:
            raise BadRequest(
                "{architecture} and {tfhub_module} both name the network, received '{old}' and '{new}'. Keep "
                "one of them.",
                old=self.architecture,
                new=self.tfhub_module,
            )
        if self.precision == BFLOAT16 and self.engine not in (AUTO, TENSORFLOW):
            raise BadRequest(
                "{precision} bfloat16 is computed by TensorFlow only, but {engine} is {name}. Leave one of "
                "them out.",
                name=self.engine,
            )


@dataclasses.dataclass(frozen=True)
class ModuleSettings(ExtractorSettings):
    """The pretrained network."""

    bottleneck_dir: Path = setting(
        Path("/tmp/bottleneck"), "Cache of feature vectors, reused by later runs.", kinds.FOLDER
    )

    @property
    def networks_dir(self) -> Path:
        """The folder of networks that were loaded once, within the cache."""
        return self.bottleneck_dir / "networks"
