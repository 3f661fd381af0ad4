"""The page for browsers: what is in its folder, and that label_image.py reads the classifier in it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

import label_image
from retraining.errors import BadRequest
from retraining.export import html_page, onnx_model, onnxruntime_web
from retraining.export.onnxruntime_web import LOADER, SCRIPT, WASM
from retraining.inference import loading
from retraining.settings.label_image import GraphSettings
from retraining.storage import packed_script
from tests.conftest import PROJECT, write_photo
from tests.export import scaled_classifier

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

SOURCES = PROJECT / "retraining" / "export" / "browser_page"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page without a working onnxruntime-web, which it is too large for."""
    folder = tmp_path_factory.mktemp("pages") / "graph.browser"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            onnxruntime_web, "files", lambda: {SCRIPT: b"script", LOADER: b"loader", WASM: b"\0asm"}
        )
        html_page.write(scaled_classifier.build(), folder)
    return folder


def test_folder_has_everything_and_nothing_else(page: Path) -> None:
    files = {str(path.relative_to(page)) for path in page.rglob("*") if path.is_file()}
    wanted = set(re.findall(r'(?:src|href)="([^":]+)"', (page / "index.html").read_text()))
    assert wanted | {"index.html", "onnxruntime-web/LICENSE", "onnxruntime-web/VERSION"} == files
    assert (page / "onnxruntime-web/ort.wasm.min.js").read_bytes() == b"script"
    wasm = (page / "onnxruntime-web/wasm.js").read_bytes()
    assert packed_script.unpack("wasm", wasm, most=99) == b"\0asm"
    assert (page / "onnxruntime-web/VERSION").read_text() == "onnxruntime-web 1.30.0\n"
    assert "MIT License" in (page / "onnxruntime-web/LICENSE").read_text()


def test_page_knows_labels_size_and_scaling(page: Path) -> None:
    script = (page / "classifier.js").read_text()
    found = re.fullmatch(r'"use strict";\nconst classifier = (.*);\n', script)
    assert found is not None
    assert script.isascii()
    assert json.loads(found[1]) == {
        "name": "tiny",
        "labels": ["red “rose”", "green", "blue"],
        "image_size": {"height": 32, "width": 24},
        "input_mean": 10.0,
        "input_std": 200.0,
    }


def test_label_image_reads_the_page(page: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_photo(tmp_path / "green.png", (20, 230, 20), 0)
    words = ["--graph", str(page), "--image", str(tmp_path / "green.png"), "--num_top_predictions", "1"]
    assert label_image.main(words) == 0
    assert capsys.readouterr().out.split()[0] == "green"


def test_model_of_the_page_is_the_onnx_model(page: Path) -> None:
    model = page.parent / "model.onnx"
    onnx_model.write(scaled_classifier.build(), model)
    images = list(np.random.default_rng(2).random((3, 32, 24, 3)))
    ours, exact = (loading.load(GraphSettings(graph=path)).scores(images) for path in (page, model))
    np.testing.assert_array_equal(ours, exact)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"alert(1)", 'it does not consist of packed["model"]'),
        (b'packed["model"] = "H4sI";\n', "it is damaged"),
    ],
)
def test_page_with_another_model_is_refused(content: bytes, reason: str, tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("")
    (tmp_path / "model.js").write_bytes(content)
    with pytest.raises(BadRequest) as caught:
        loading.load(GraphSettings(graph=tmp_path))
    assert str(caught.value) == (
        f"'{tmp_path / 'model.js'}' cannot be read as the model of a page: {reason}. Export the page again."
    )


def test_page_names_no_host_and_allows_none() -> None:
    for path in SOURCES.iterdir():
        if path.suffix:  # all but the license
            assert not re.search(r"https?:|//\w+\.\w", path.read_text()), path
    policy = re.search(r'Content-Security-Policy" content="(.*?)"', (SOURCES / "index.html").read_text())
    assert policy is not None
    allowed = dict(rule.split(" ", 1) for rule in policy[1].split("; "))
    assert allowed == {
        "default-src": "'none'",
        "script-src": "'self' file: blob: 'wasm-unsafe-eval'",
        "style-src": "'self' file:",
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
