"""A handle -> the module it names, by whichever loader its kind needs."""

from __future__ import annotations

from retraining.modules import graph_module, hub_module, keras_module, location
from retraining.modules.module import Module
from retraining.settings.module import ModuleSettings


def load(handle: str, settings: ModuleSettings) -> Module:
    """Return the module of a handle, as `handles.resolve` gives it, fetched if need be. Raises BadModule."""
    if handle.startswith(keras_module.PREFIX):
        return keras_module.load(handle, image_size=settings.image_size)
    path = location.local_path(handle, model_dir=settings.model_dir)
    name = location.short_name(handle, path)
    if path.is_dir():
        return hub_module.load(path, name=name)
    return graph_module.load(path, settings, name=name)
