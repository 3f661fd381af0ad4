"""The modules on tfhub.dev that are known by name: their addresses, sizes and published accuracies.

The figures are in catalogue.json, beside this file.
"""

from __future__ import annotations

import difflib
import functools
import json
import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings.module import BUILTIN, BUILTIN_SMALL
from retraining.suggestions import did_you_mean

_HUB = "https://tfhub.dev/google/imagenet/"
_FEATURE_VECTOR = "/feature_vector"
_CLASSIFICATION = "/classification"
_QUANTOPS = "/quantops"

# The end of a name such as mobilenet_v2_100_224: a width in percent, then an image size in pixels.
_WIDTH_AND_SIZE = rf"_(\d+)_(\d+)({_QUANTOPS})?"

# The older script loads TensorFlow 1's format only, and version 4 is the first in TensorFlow 2's.
_VERSION_OF_THE_OLDER_SCRIPT = 3
_WIDTHS_OF_THE_OLDER_SCRIPT = {"1.0": "100", "0.75": "075", "0.50": "050", "0.25": "025"}


@dataclass(frozen=True)
class KnownModule:
    """A module that is known by name: a row of catalogue.json. Figures that nobody published are None."""

    name: str
    address: str  # of the feature vector
    image_size: int  # pixels, square
    feature_size: int
    # Size of the classification's output. None for EfficientNet v2: its pages say 1001 and 21841, but its
    # checkpoints have 1000 and 21843.
    class_scores: int | None
    download_megabytes: float | None  # 4 bytes per published parameter
    accuracy: float | None  # ImageNet top-1, in percent
    source: str  # where accuracy and number of parameters come from: a key of sources()

    @property
    def path(self) -> str:
        """The middle of the address: tfhub.dev's own name for the network."""
        return self.address.removeprefix(_HUB).partition(_FEATURE_VECTOR)[0]

    @property
    def classification_address(self) -> str:
        """The address of the same network with class scores as its output."""
        return self.address.replace(_FEATURE_VECTOR, _CLASSIFICATION)

    def address_at(self, version: int) -> str:
        """Return the address of another version of the feature vector."""
        return f"{self.address.rpartition('/')[0]}/{version}"


@dataclass(frozen=True)
class _Catalogue:
    modules: tuple[KnownModule, ...]
    sources: dict[str, str]
    by_name: dict[str, KnownModule]  # by tfhub.dev's name too, where that differs


@functools.cache
def _catalogue() -> _Catalogue:
    content = json.loads(Path(__file__).with_name("catalogue.json").read_text("utf-8"))
    modules = tuple(KnownModule(**row) for row in content["modules"])
    by_name = {module.path: module for module in modules} | {module.name: module for module in modules}
    return _Catalogue(modules, content["sources"], by_name)


def known_modules() -> tuple[KnownModule, ...]:
    """Return all modules that are known by name, in the order in which they are listed."""
    return _catalogue().modules


def sources() -> dict[str, str]:
    """Return where the figures come from: the documents behind each KnownModule.source."""
    return _catalogue().sources


def address_of(name: str) -> str:
    """Return the address of the module called `name`.

    `name` and `name/feature_vector` mean the feature vector, `name/classification` the class scores. Raises
    BadRequest with the nearest names for any other name.
    """
    base = name.removesuffix(_CLASSIFICATION).removesuffix(_FEATURE_VECTOR)
    module = _catalogue().by_name.get(base)
    if module is None or name not in (base, base + _FEATURE_VECTOR, base + _CLASSIFICATION):
        raise _unknown(name, base)
    return module.classification_address if name.endswith(_CLASSIFICATION) else module.address


def looks_like_a_name(handle: str) -> bool:
    """Return whether a handle, unless it is an existing file, should be looked up here."""
    word = rf"[a-z0-9_][a-z0-9_.]*({_QUANTOPS})?({_FEATURE_VECTOR}|{_CLASSIFICATION})?"
    return handle not in (BUILTIN, BUILTIN_SMALL) and re.fullmatch(word, handle) is not None


def address_of_architecture(name: str) -> str:
    """Return the address of what the older script called the `architecture` NAME.

    Raises BadRequest for a name that the older script did not know either.
    """
    if name == "inception_v3":
        return address_of(name)
    match = re.fullmatch(r"mobilenet_([\d.]+)_(\d+)(_quantized)?", name)
    sizes = _sizes_by_width("mobilenet_v1")["100"]
    if match is None or match[1] not in _WIDTHS_OF_THE_OLDER_SCRIPT or match[2] not in sizes:
        raise BadRequest(
            "{architecture} must be inception_v3 or mobilenet_<width>_<image size>[_quantized] with "
            "a width of {widths} and a size of {sizes}, received '{received}'.",
            widths=", ".join(_WIDTHS_OF_THE_OLDER_SCRIPT),
            sizes=", ".join(sizes),
            received=name,
        )
    quantops = _QUANTOPS if match[3] else ""
    width = _WIDTHS_OF_THE_OLDER_SCRIPT[match[1]]
    module = _catalogue().by_name[f"mobilenet_v1_{width}_{match[2]}{quantops}"]
    return module.address_at(_VERSION_OF_THE_OLDER_SCRIPT)


def table() -> str:
    """Return a table of all modules, then where the figures come from and how to use a name."""
    heading = ("name", "image size", "features", "download (MB)", "top-1 %", "source")
    rows = [heading, *(_cells(module) for module in known_modules())]
    width = max(len(row[0]) for row in rows)
    lines = [
        f"{name:<{width}}  {size:>10}  {features:>8}  {download:>13}  {accuracy:>7}  {source}"
        for name, size, features, download, accuracy, source in rows
    ]
    size_note = (
        "Download: 4 bytes per published parameter, including those for the class scores; "
        "the feature vector alone is smaller."
    )
    documents = [_paragraph(f"{key}: {text}") for key, text in sources().items()]
    use = "NAME stands for the feature vector of a network, NAME/classification for its class scores."
    return "\n".join([*lines, "", "Sources:", *documents, "", _paragraph(size_note), use])


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


def _unknown(name: str, base: str) -> BadRequest:
    match = re.fullmatch(rf"(.+?){_WIDTH_AND_SIZE}", base)
    available = _available_instead(match[1], width=match[2], size=match[3]) if match else ""
    if available:
        return BadRequest("'{name}': {available}", name=name, available=available)
    nearest = _nearest_names(base)
    return BadRequest(
        "'{name}' is not a known module. {remedy}{list_modules} lists them all.",
        name=name,
        remedy=f"{did_you_mean(nearest)} " if nearest else "",
    )


def _available_instead(family: str, *, width: str, size: str) -> str:
    """Return which widths or image sizes exist instead; '' if these do, or `family` is unknown."""
    known = _sizes_by_width(family)
    if not known:
        return ""
    title = family.replace("mobilenet", "MobileNet").replace("_", " ")
    if width not in known:
        return f"{title} is available in widths {', '.join(known)}, not {width}."
    sizes = known[width]
    if size in sizes:
        return ""
    which = f" of width {width}" if any(set(others) - set(sizes) for others in known.values()) else ""
    plural = "s" if len(sizes) > 1 else ""
    return f"{title}{which} is available at image size{plural} {', '.join(sizes)}, not {size}."


def _sizes_by_width(family: str) -> dict[str, list[str]]:
    """Return the image sizes of each width of a family such as mobilenet_v2; {} for an unknown family."""
    sizes: dict[str, list[str]] = {}
    for module in known_modules():
        match = re.fullmatch(rf"{re.escape(family)}_(\d+)_(\d+)", module.name)
        if match:
            sizes.setdefault(match[1], []).append(match[2])
    return sizes


def _nearest_names(typed: str) -> list[str]:
    """Return up to three names, most likely first."""
    names = [module.name for module in known_modules()]
    close = difflib.get_close_matches(typed, names, n=len(names), cutoff=0.5)
    return sorted(close, key=lambda name: _rank(name, typed))[:3]  # equal ranks keep the order of `close`


def _rank(name: str, typed: str) -> tuple[float, bool, bool]:
    """Return how far `name` is from `typed`, then whether its size is unusual, then whether its width is.

    What was typed may be a whole name or only its beginning: mobilenet_v2 is equally near to every
    MobileNet v2, and not nearest to ..._96 just because that is the shortest. Among equally near names,
    people mean the one for 224 pixels, and then the one of width 100.
    """
    likeness = max(difflib.SequenceMatcher(None, text, typed).ratio() for text in (name, name[: len(typed)]))
    match = re.search(rf"{_WIDTH_AND_SIZE}$", name)
    return -likeness, match is not None and match[2] != "224", match is not None and match[1] != "100"
