"""Loads the module that a handle names, with the loader for its kind."""

from __future__ import annotations

from pathlib import Path

from retraining.modules import (
    finished_classifier,
    graph_module,
    hub_module,
    keras_module,
    local_files,
    shipped,
)
from retraining.modules.module import Module
from retraining.settings.module import ModuleSettings


def folder_of(handle: str, settings: ModuleSettings) -> Path | None:
    """Return the folder that the module of a handle is loaded from, or None if there is no such folder.

    All in the module follows from the files in the folder and the handle. Downloads and raises as
    `load_module` does.
    """
    if handle.startswith(keras_module.PREFIX):
        return None
    network = shipped.NETWORKS.get(handle)
    if network is not None:
        network.check(handle, settings.image_size)
        return network.folder
    path = local_files.local_path(handle, model_dir=settings.model_dir)
    return path if path.is_dir() else None


def load_module(handle: str, settings: ModuleSettings) -> Module:
    """Return the module of a handle that `handles.resolve` returned.

    A module on the web is downloaded first, unless an earlier run has done so. Raises BadModule, and
    BadRequest for an image size that a network of this program does not take.
    """
    if handle.startswith(keras_module.PREFIX):
        return keras_module.load(handle, image_size=settings.image_size)
    network = shipped.NETWORKS.get(handle)
    if network is not None:
        network.check(handle, settings.image_size)
        return network.at_any_size(hub_module.load(network.folder, name=network.folder.name))
    path = local_files.local_path(handle, model_dir=settings.model_dir)
    name = local_files.short_name(handle)
    if path.is_dir():
        module = hub_module.load(path, name=name)
        if finished_classifier.is_finished(module.graph.graph_def):  # TensorFlow's own retrain.py wrote it
            raise finished_classifier.refusal(path)
        return module
    return graph_module.load(path, settings, name=name)
