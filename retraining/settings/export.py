"""Settings of the formats that a classifier is exported to."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from retraining.errors import BadRequest, setting_named
from retraining.settings import kinds
from retraining.settings.formats import FORMATS, Format
from retraining.settings.setting import Settings, setting
from retraining.suggestions import closest, did_you_mean


def onnxruntime_web_folder() -> Any:
    """Return the setting of the package that pages for browsers are made with."""
    return setting(
        None,
        "Folder of the npm package onnxruntime-web 1.30.0, which the format html needs. Default: npm fetches "
        "it, once.",
        kinds.OPTIONAL_FOLDER,
    )


@dataclasses.dataclass(frozen=True)
class ExportSettings(Settings):
    """Other formats for the classifier."""

    export: tuple[str, ...] = setting(
        (),
        "Formats to export the classifier to, separated by commas, beside {output_graph}: "
        f"{', '.join(FORMATS)}.",
        kinds.NAMES,
    )
    onnxruntime_web: Path | None = onnxruntime_web_folder()

    def paths(self, output_graph: Path) -> tuple[Path, ...]:
        """Return every file and folder that is written beside a frozen graph."""
        return tuple(format.path_beside(output_graph) for format in self.formats)

    def check(self) -> None:
        """Raise BadRequest if there is no such format, or one is named twice."""
        check_formats("export", self.export)

    @property
    def formats(self) -> tuple[Format, ...]:
        """The formats to export to."""
        return tuple(FORMATS[name] for name in self.export)


def check_formats(setting_name: str, names: tuple[str, ...]) -> None:
    """Raise BadRequest, about a setting, unless each name is that of a format and given once."""
    for name in names:
        if name not in FORMATS:
            meant = closest(name, FORMATS)
            raise BadRequest(
                "{setting} must be formats of {known}, received '{name}'.{remedy}",
                setting=setting_named(setting_name),
                known=", ".join(FORMATS),
                name=name,
                remedy=f" {did_you_mean([meant])}" if meant else "",
            )
        if names.count(name) > 1:
            raise BadRequest(
                "{setting} names '{name}' twice. Name it once.",
                setting=setting_named(setting_name),
                name=name,
            )
