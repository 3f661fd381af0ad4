"""What names a module: a handle, with the names of the catalogue turned into addresses."""

from __future__ import annotations

from pathlib import Path

from retraining.errors import BadRequest, setting_named
from retraining.modules import catalogue
from retraining.settings.module import ModuleSettings

# What a frozen graph may come in; only then is it for the user to say how it is read.
GRAPH_FILE_SUFFIXES = (".pb", ".tar.gz", ".tgz", ".tar")


def resolve(settings: ModuleSettings) -> str:
    """Return the handle that the settings come to: an address, a path, 'builtin' or `keras:NAME`.

    Raises BadRequest for a name that nothing has, and for settings that do not apply to such a module.
    """
    handle = _handle(settings)
    if not handle.endswith(GRAPH_FILE_SUFFIXES):
        for name in settings.of_frozen_graphs():
            raise BadRequest(
                "{setting} is for a frozen graph (.pb), and the module is '{handle}'. Leave it out.",
                setting=setting_named(name),
                handle=handle,
            )
    return handle


def _handle(settings: ModuleSettings) -> str:
    if settings.architecture:
        return catalogue.module_of_architecture(settings.architecture)
    name = settings.tfhub_module
    is_file = name.endswith(GRAPH_FILE_SUFFIXES) or Path(name).exists()
    return catalogue.resolve(name) if catalogue.is_alias_like(name) and not is_file else name
