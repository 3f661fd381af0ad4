"""What each engine needs installed: known without importing it, so that a request is refused at once."""

from __future__ import annotations

import dataclasses
import importlib.util
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from retraining.errors import BadRequest
from retraining.settings.formats import Format
from retraining.settings.module import AUTO, LITERT, ONNXRUNTIME, OPENVINO, TENSORFLOW


@dataclasses.dataclass(frozen=True)
class Requirement:
    """The title of an engine, and the distributions that bring it, each with the package that is imported."""

    title: str
    packages: dict[str, str]

    def missing(self) -> list[str]:
        """Return the distributions that are not installed."""
        return missing(self.packages)

    def versions(self) -> str:
        """Return the names and versions of the distributions, as a conversion records them."""
        return " ".join(f"{name} {_version(name)}" for name in self.packages)


REQUIREMENTS = {
    TENSORFLOW: Requirement("TensorFlow", {"tensorflow": "tensorflow"}),
    LITERT: Requirement("LiteRT", {"ai-edge-litert": "ai_edge_litert"}),
    ONNXRUNTIME: Requirement("ONNX Runtime", {"onnxruntime": "onnxruntime", "tf2onnx": "tf2onnx"}),
    OPENVINO: Requirement("OpenVINO", {"openvino": "openvino", "tf2onnx": "tf2onnx"}),
}


def is_installed(engine: str) -> bool:
    """Return whether an engine, one of ENGINES, can be used on this machine."""
    return not REQUIREMENTS[engine].missing()


def check(engine: str) -> None:
    """Raise BadRequest if an engine that is asked for by name is not installed."""
    missing = [] if engine == AUTO else REQUIREMENTS[engine].missing()
    if missing:
        raise BadRequest(
            "{engine} {name} needs {packages}, not installed here. Run pip install {arguments}, or leave "
            "{engine} out.",
            name=engine,
            packages=" and ".join(missing),
            arguments=" ".join(missing),
        )


def check_formats(formats: Iterable[Format]) -> None:
    """Raise BadRequest if what one of the formats to export to needs is not installed."""
    for format in formats:
        lacking = missing(format.packages)
        if lacking:
            raise BadRequest(
                "{export} {format} needs {packages}, not installed here. Run pip install {arguments}, or "
                "leave it out.",
                format=format.name,
                packages=" and ".join(lacking),
                arguments=" ".join(lacking),
            )


def missing(packages: Mapping[str, str]) -> list[str]:
    """Return the distributions, each given with the package that is imported, that are not installed."""
    return [name for name, package in packages.items() if importlib.util.find_spec(package) is None]


def _version(distribution: str) -> str:
    """Return the version of a distribution, "?" if another, such as tensorflow-cpu, brings its package."""
    # From the name of the folder that pip makes beside the package: importlib.metadata, which reads what is
    # in it, takes longer to import than a photo to label.
    pattern = f"{distribution.replace('-', '_')}-*.dist-info"
    found = (path.name for folder in sys.path for path in Path(folder).glob(pattern))
    return next(found, "?").removesuffix(".dist-info").rpartition("-")[2]
