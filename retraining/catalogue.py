"""Names of known modules and the addresses they stand for."""

from __future__ import annotations

import re

from retraining.errors import BadRequest

DEFAULT_MODULE = "https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3"

BUILTIN = "builtin"

# The MobileNet v1 modules on tfhub.dev: https://tfhub.dev/google/collections/mobilenet/1
_MOBILENET_V1 = "https://tfhub.dev/google/imagenet/mobilenet_v1_{width}_{size}{quantops}/feature_vector/3"
_MOBILENET_WIDTHS = {"1.0": "100", "0.75": "075", "0.50": "050", "0.25": "025"}
_MOBILENET_SIZES = ("224", "192", "160", "128")


def module_of_architecture(name: str) -> str:
    """Return the address that the older script's `--architecture NAME` stands for.

    Raises BadRequest for a name that script did not know either.
    """
    if name == "inception_v3":
        return DEFAULT_MODULE
    match = re.fullmatch(r"mobilenet_([\d.]+)_(\d+)(_quantized)?", name)
    if match is None or match[1] not in _MOBILENET_WIDTHS or match[2] not in _MOBILENET_SIZES:
        raise BadRequest(
            "--architecture must be inception_v3 or mobilenet_<width>_<image size>[_quantized] with a width "
            f"of {', '.join(_MOBILENET_WIDTHS)} and a size of {', '.join(_MOBILENET_SIZES)}, "
            f"received '{name}'."
        )
    quantops = "/quantops" if match[3] else ""
    return _MOBILENET_V1.format(width=_MOBILENET_WIDTHS[match[1]], size=match[2], quantops=quantops)
