"""Handles: the text with which a user names a module."""

from __future__ import annotations

from pathlib import Path

from retraining.errors import BadRequest, setting_named
from retraining.modules import catalogue
from retraining.settings.module import ModuleSettings

# Files that may hold a frozen graph; only then does the user have to say how to read it.
GRAPH_FILE_SUFFIXES = (".pb", ".tar.gz", ".tgz", ".tar")


def resolve(settings: ModuleSettings) -> str:
    """Return the full handle of the module: an address, a path, 'builtin' or `keras:NAME`.

    Raises BadRequest for an unknown name, and for settings that do not apply to this kind of module.
    """
    handle = _full_handle(settings)
    if not handle.endswith(GRAPH_FILE_SUFFIXES):
        for name in settings.of_frozen_graphs():
            raise BadRequest(
                "{setting} is for a frozen graph (.pb), but the module is '{handle}'. Leave it out.",
                setting=setting_named(name),
                handle=handle,
            )
    return handle


def _full_handle(settings: ModuleSettings) -> str:
    if settings.architecture:
        return catalogue.address_of_architecture(settings.architecture)
    handle = settings.tfhub_module
    is_file = handle.endswith(GRAPH_FILE_SUFFIXES) or Path(handle).exists()
    return catalogue.address_of(handle) if catalogue.looks_like_a_name(handle) and not is_file else handle
