"""A page that labels photos in a browser: a folder that is opened from a file or any static server."""

from __future__ import annotations

import json
from pathlib import Path

from retraining.export import onnx_model, onnxruntime_web
from retraining.export.classifier_graph import ClassifierGraph
from retraining.inference import browser_page
from retraining.storage import packed_script

_SOURCES = Path(__file__).parent / "browser_page"
_PAGE_FILES = (browser_page.PAGE, "page.css", "page.js", "pixels.js", "packed.js")
_LICENSE = "onnxruntime-web-LICENSE"


def write(classifier: ClassifierGraph, path: Path) -> None:
    """Write a classifier as the new folder of a page.

    Raises BadRequest if onnxruntime-web cannot be had, OSError if the disk fails, and any other exception
    for a network that cannot be converted.
    """
    contents = {name: (_SOURCES / name).read_bytes() for name in _PAGE_FILES}
    contents |= _engine()
    contents["classifier.js"] = _description(classifier)
    model = onnx_model.encoded(classifier)
    contents[browser_page.model_path(Path()).name] = packed_script.pack(browser_page.MODEL, model)
    (path / "onnxruntime-web").mkdir(parents=True)
    for name, content in contents.items():
        (path / name).write_bytes(content)


def _engine() -> dict[str, bytes]:
    """Return the files of onnxruntime-web, by their paths in the folder."""
    files = onnxruntime_web.files()
    return {
        "onnxruntime-web/ort.wasm.min.js": files[onnxruntime_web.SCRIPT],
        "onnxruntime-web/loader.js": packed_script.pack("loader", files[onnxruntime_web.LOADER]),
        "onnxruntime-web/wasm.js": packed_script.pack("wasm", files[onnxruntime_web.WASM]),
        "onnxruntime-web/LICENSE": (_SOURCES / _LICENSE).read_bytes(),
        "onnxruntime-web/VERSION": f"onnxruntime-web {onnxruntime_web.VERSION}\n".encode(),
    }


def _description(classifier: ClassifierGraph) -> bytes:
    """Return the script that tells the page the labels, and how the pixels of photos are scaled."""
    values = {
        "name": classifier.name,
        "labels": classifier.labels,
        "image_size": {"height": classifier.size.height, "width": classifier.size.width},
        "input_mean": classifier.mean,
        "input_std": classifier.std,
    }
    return f'"use strict";\nconst classifier = {json.dumps(values)};\n'.encode()
