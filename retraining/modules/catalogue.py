"""The modules on tfhub.dev that have a name here: their addresses, sizes and published figures."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from retraining.errors import BadRequest

DEFAULT_MODULE = "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3"

BUILTIN = "builtin"

# Where each figure below was read. The key of a row names its accuracy and its count of parameters;
# address, image size, features and class scores are those of the module's own page on tfhub.dev.
SOURCES = {
    "tfhub": (
        "address, image size and features of every row: the module's page on tfhub.dev, kept in "
        "https://github.com/tensorflow/tfhub.dev under assets/docs/google/models/imagenet"
    ),
    "mobilenet_v1": (
        "https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet_v1.md (quantops: "
        "its rows _quant)"
    ),
    "mobilenet": "https://github.com/tensorflow/models/blob/master/research/slim/nets/mobilenet/README.md",
    "slim": (
        "accuracy: https://github.com/tensorflow/models/blob/master/research/slim/README.md (ResNet v2: "
        "measured on images of 299 pixels); parameters: https://keras.io/api/applications/"
    ),
    "keras": (
        "parameters: https://keras.io/api/applications/ (the weights on tfhub.dev were trained for it, no "
        "accuracy is published)"
    ),
    "nasnet": "https://github.com/tensorflow/models/blob/master/research/slim/nets/nasnet/README.md",
    "amoebanet": (
        "Real et al., https://arxiv.org/abs/1802.01548, table 2 (AmoebaNet-A: parameters of N=6, F=448; no "
        "accuracy is published for the weights on tfhub.dev)"
    ),
    "efficientnet": "https://github.com/google/automl/blob/master/efficientnetv2/README.md",
}

_HUB = "https://tfhub.dev/google/imagenet/"
_FEATURE_VECTOR = "/feature_vector"
_CLASSIFICATION = "/classification"
_QUANTOPS = "/quantops"

_BYTES_PER_PARAMETER = 4

# Version 4 is the first in TensorFlow 2's format; the older script was written for those before it.
_VERSION_OF_THE_OLDER_SCRIPT = 3
_WIDTHS_OF_THE_OLDER_SCRIPT = {"1.0": "100", "0.75": "075", "0.50": "050", "0.25": "025"}


@dataclass(frozen=True)
class KnownModule:
    """A module that has a name. Figures that no document gives are None."""

    name: str
    address: str  # of the feature vector
    image_size: int  # pixels, square
    feature_size: int
    class_scores: int | None  # of the classification; None where page and checkpoint contradict each other
    download_megabytes: float | None
    accuracy: float | None  # ImageNet top-1, in percent
    source: str  # a key of SOURCES

    @property
    def path(self) -> str:
        """The middle of the address, which is what tfhub.dev calls the network."""
        return self.address.removeprefix(_HUB).partition(_FEATURE_VECTOR)[0]

    @property
    def classification_address(self) -> str:
        """The address of the same network with its class scores as the result."""
        return self.address.replace(_FEATURE_VECTOR, _CLASSIFICATION)

    def address_at(self, version: int) -> str:
        """Return the address of another version of the feature vector."""
        return f"{self.address.rpartition('/')[0]}/{version}"


def _module(
    name: str,
    *,
    image_size: int,
    features: int,
    source: str,
    version: int = 5,
    path: str = "",
    classes: int | None = 1001,
    parameters: float | None = None,
    accuracy: float | None = None,
) -> KnownModule:
    """Return the row of one module; `parameters` in millions, `path` where it differs from the name."""
    return KnownModule(
        name=name,
        address=f"{_HUB}{path or name}{_FEATURE_VECTOR}/{version}",
        image_size=image_size,
        feature_size=features,
        class_scores=classes,
        download_megabytes=None if parameters is None else round(parameters * _BYTES_PER_PARAMETER, 2),
        accuracy=accuracy,
        source=source,
    )


@dataclass(frozen=True)
class _Width:
    """The modules of one width: an accuracy for each of the family's first image sizes."""

    width: str
    features: int
    parameters: float  # millions
    accuracies: tuple[float, ...]
    quantops_accuracies: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Family:
    """Modules of several widths and image sizes, named `prefix_width_size`."""

    prefix: str
    title: str
    source: str
    sizes: tuple[int, ...]
    widths: tuple[_Width, ...]

    def modules(self) -> Iterator[KnownModule]:
        for width in self.widths:
            yield from self._of(width, width.accuracies)
        for width in self.widths:
            yield from self._of(width, width.quantops_accuracies, suffix=_QUANTOPS, version=3)

    def _of(
        self, width: _Width, accuracies: tuple[float, ...], *, suffix: str = "", version: int = 5
    ) -> Iterator[KnownModule]:
        for size, accuracy in zip(self.sizes, accuracies, strict=False):  # the widest have fewer sizes
            yield _module(
                f"{self.prefix}_{width.width}_{size}{suffix}",
                version=version,
                image_size=size,
                features=width.features,
                parameters=width.parameters,
                accuracy=accuracy,
                source=self.source,
            )

    def refusal(self, width: str, size: str) -> str:
        """Return what is wrong with this width or image size, or '' if both exist."""
        known = {row.width: self.sizes[: len(row.accuracies)] for row in self.widths}
        if width not in known:
            return f"{self.title} exists in the widths {', '.join(known)}, not {width}."
        sizes = [str(known_size) for known_size in known[width]]
        if size in sizes:
            return ""
        which = f" of width {width}" if known[width] != self.sizes else ""
        plural = "s" if len(sizes) > 1 else ""
        return f"{self.title}{which} exists at the image size{plural} {', '.join(sizes)}, not {size}."


_MOBILENET_V1 = _Family(
    prefix="mobilenet_v1",
    title="MobileNet v1",
    source="mobilenet_v1",
    sizes=(224, 192, 160, 128),
    widths=(
        _Width("100", 1024, 4.24, (70.9, 70.0, 68.0, 65.2), (69.7, 69.0, 67.3, 64.0)),
        _Width("075", 768, 2.59, (68.4, 67.2, 65.3, 62.1), (67.9, 66.2, 63.9, 59.8)),
        _Width("050", 512, 1.34, (63.3, 61.7, 59.1, 56.3), (62.2, 60.4, 57.7, 54.9)),
        _Width("025", 256, 0.47, (49.8, 47.7, 45.5, 41.5), (48.2, 45.8, 43.5, 39.9)),
    ),
)
_FAMILIES = (
    _MOBILENET_V1,
    _Family(
        prefix="mobilenet_v2",
        title="MobileNet v2",
        source="mobilenet",
        sizes=(224, 192, 160, 128, 96),
        widths=(
            _Width("140", 1792, 6.06, (75.0,)),
            _Width("130", 1664, 5.34, (74.4,)),
            _Width("100", 1280, 3.47, (71.8, 70.7, 68.8, 65.3, 60.3)),
            _Width("075", 1280, 2.61, (69.8, 68.7, 66.4, 63.2, 58.8)),
            _Width("050", 1280, 1.95, (65.4, 63.9, 61.0, 57.7, 51.2)),
            _Width("035", 1280, 1.66, (60.3, 58.2, 55.7, 50.8, 45.5)),
        ),
    ),
    _Family(
        prefix="mobilenet_v3_large",
        title="MobileNet v3 large",
        source="mobilenet",
        sizes=(224,),
        widths=(_Width("100", 1280, 5.4, (75.2,)), _Width("075", 1280, 4.0, (73.3,))),
    ),
    _Family(
        prefix="mobilenet_v3_small",
        title="MobileNet v3 small",
        source="mobilenet",
        sizes=(224,),
        widths=(_Width("100", 1024, 2.9, (67.5,)), _Width("075", 1024, 2.4, (65.4,))),
    ),
)


def _inceptions() -> Iterator[KnownModule]:
    yield _module("inception_v1", image_size=224, features=1024, accuracy=69.8, source="slim")
    yield _module("inception_v2", image_size=224, features=1024, accuracy=73.9, source="slim")
    yield _module(
        "inception_v3",
        version=3,  # the one that --tfhub_module has always meant
        image_size=299,
        features=2048,
        parameters=23.9,
        accuracy=78.0,
        source="slim",
    )
    yield _module(
        "inception_resnet_v2", image_size=299, features=1536, parameters=55.9, accuracy=80.4, source="slim"
    )


def _resnets() -> Iterator[KnownModule]:
    parameters = {50: 25.6, 101: 44.7, 152: 60.4}
    for layers, millions in parameters.items():
        name = f"resnet_v1_{layers}"
        yield _module(name, image_size=224, features=2048, parameters=millions, source="keras")
    for layers, accuracy in {50: 75.6, 101: 77.0, 152: 77.8}.items():
        yield _module(
            f"resnet_v2_{layers}",
            image_size=224,
            features=2048,
            parameters=parameters[layers],
            accuracy=accuracy,
            source="slim",
        )


def _searched_networks() -> Iterator[KnownModule]:
    yield _module(
        "nasnet_mobile", image_size=224, features=1056, parameters=5.3, accuracy=74.0, source="nasnet"
    )
    yield _module(
        "nasnet_large", image_size=331, features=4032, parameters=88.9, accuracy=82.7, source="nasnet"
    )
    yield _module(
        "pnasnet_large", image_size=331, features=4320, parameters=86.1, accuracy=82.9, source="amoebanet"
    )
    yield _module(
        "amoebanet_a_n18_f448",
        version=1,
        image_size=331,
        features=7168,
        parameters=469,
        source="amoebanet",
    )


@dataclass(frozen=True)
class _EfficientNet:
    """One size of EfficientNet v2. The accuracies: trained on ImageNet alone, and on ImageNet-21k first."""

    size: str
    image_size: int
    parameters: float | None  # millions
    accuracy: float | None
    fine_tuned_accuracy: float | None


_EFFICIENTNETS = (
    _EfficientNet("b0", 224, 7.1, 78.7, None),
    _EfficientNet("b1", 240, 8.1, 79.8, None),
    _EfficientNet("b2", 260, 10.1, 80.5, None),
    _EfficientNet("b3", 300, 14.4, 82.1, None),
    _EfficientNet("s", 384, 21.5, 83.9, 84.9),
    _EfficientNet("m", 480, 54.1, 85.2, 86.2),
    _EfficientNet("l", 480, 119.5, 85.7, 86.9),
    _EfficientNet("xl", 512, None, None, 87.2),
)


def _efficientnets() -> Iterator[KnownModule]:
    for net in _EFFICIENTNETS:
        if net.accuracy is not None:  # xl exists only with ImageNet-21k
            yield _efficientnet(net, "imagenet1k", net.accuracy, name=f"efficientnet_v2_{net.size}")
    for net in _EFFICIENTNETS:
        yield _efficientnet(net, "imagenet21k_ft1k", net.fine_tuned_accuracy)
    for net in _EFFICIENTNETS:
        yield _efficientnet(net, "imagenet21k", None)


def _efficientnet(net: _EfficientNet, data: str, accuracy: float | None, *, name: str = "") -> KnownModule:
    path = f"efficientnet_v2_{data}_{net.size}"
    of_imagenet = data != "imagenet21k"  # the parameters are published with ImageNet's classes
    return _module(
        name or path,
        path=path,
        version=2,
        image_size=net.image_size,
        features=1280,
        classes=None,  # the pages say 1001 and 21841, the code of the checkpoints 1000 and 21843
        parameters=net.parameters if of_imagenet else None,
        accuracy=accuracy,
        source="efficientnet" if of_imagenet else "tfhub",
    )


KNOWN: tuple[KnownModule, ...] = (
    *(module for family in _FAMILIES for module in family.modules()),
    *_inceptions(),
    *_resnets(),
    *_searched_networks(),
    *_efficientnets(),
)

_BY_NAME = {module.path: module for module in KNOWN} | {module.name: module for module in KNOWN}


def resolve(name: str) -> str:
    """Return the address that `name` stands for.

    `name` and `name/feature_vector` mean the features, `name/classification` the class scores. Raises
    BadRequest for any other name, with what there is instead.
    """
    base = name.removesuffix(_CLASSIFICATION).removesuffix(_FEATURE_VECTOR)
    module = _BY_NAME.get(base)
    if module is None or name not in (base, base + _FEATURE_VECTOR, base + _CLASSIFICATION):
        raise BadRequest(_refusal(name, base))
    return module.classification_address if name.endswith(_CLASSIFICATION) else module.address


def is_alias_like(text: str) -> bool:
    """Return whether a handle that is no URL, path or existing file should be looked up here."""
    word = rf"[a-z0-9_][a-z0-9_.]*({_QUANTOPS})?({_FEATURE_VECTOR}|{_CLASSIFICATION})?"
    return text != BUILTIN and re.fullmatch(word, text) is not None


def module_of_architecture(name: str) -> str:
    """Return the address that the older script's `--architecture NAME` stands for.

    Raises BadRequest for a name that script did not know either.
    """
    if name == "inception_v3":
        return DEFAULT_MODULE
    match = re.fullmatch(r"mobilenet_([\d.]+)_(\d+)(_quantized)?", name)
    sizes = [str(size) for size in _MOBILENET_V1.sizes]
    if match is None or match[1] not in _WIDTHS_OF_THE_OLDER_SCRIPT or match[2] not in sizes:
        raise BadRequest(
            "--architecture must be inception_v3 or mobilenet_<width>_<image size>[_quantized] with a width "
            f"of {', '.join(_WIDTHS_OF_THE_OLDER_SCRIPT)} and a size of {', '.join(sizes)}, "
            f"received '{name}'."
        )
    quantops = _QUANTOPS if match[3] else ""
    width = _WIDTHS_OF_THE_OLDER_SCRIPT[match[1]]
    module = _BY_NAME[f"{_MOBILENET_V1.prefix}_{width}_{match[2]}{quantops}"]
    return module.address_at(_VERSION_OF_THE_OLDER_SCRIPT)


def table() -> str:
    """Return all modules in aligned columns, then where the figures come from and how to use a name."""
    heading = ("name", "image size", "features", "download (MB)", "top-1 %", "source")
    rows = [heading, *(_cells(module) for module in KNOWN)]
    width = max(len(row[0]) for row in rows)
    lines = [
        f"{name:<{width}}  {size:>10}  {features:>8}  {download:>13}  {accuracy:>7}  {source}"
        for name, size, features, download, accuracy, source in rows
    ]
    size_note = (
        f"Download: {_BYTES_PER_PARAMETER} bytes for each of the published parameters, those of the class "
        "scores included; the feature vector alone is smaller."
    )
    sources = [_paragraph(f"{key}: {text}") for key, text in SOURCES.items()]
    use = (
        "--tfhub_module NAME takes a module's features, --tfhub_module NAME/classification its class scores."
    )
    return "\n".join([*lines, "", "Sources:", *sources, "", _paragraph(size_note), use])


def _cells(module: KnownModule) -> tuple[str, ...]:
    download, accuracy = module.download_megabytes, module.accuracy
    return (
        module.name,
        str(module.image_size),
        str(module.feature_size),
        "-" if download is None else f"{download:.1f}",
        "-" if accuracy is None else f"{accuracy:.1f}",
        module.source,
    )


def _paragraph(text: str) -> str:
    return textwrap.fill(text, 100, subsequent_indent="    ", break_long_words=False, break_on_hyphens=False)


def _refusal(name: str, base: str) -> str:
    for family in _FAMILIES:
        match = re.fullmatch(rf"{family.prefix}_(\d+)_(\d+)({_QUANTOPS})?", base)
        rule = family.refusal(match[1], match[2]) if match else ""
        if rule:
            return f"'{name}': {rule}"
    nearest = _nearest(base, (module.name for module in KNOWN))
    remedy = f"Nearest: {', '.join(nearest)}. " if nearest else ""
    return f"'{name}' is no known module. {remedy}--list_modules prints them all."


def _nearest(name: str, names: Iterable[str]) -> list[str]:
    return difflib.get_close_matches(name, list(names), n=3, cutoff=0.5)
