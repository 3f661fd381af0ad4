"""Images unlike any class: the built-in network's model and its files in all formats tell them alike."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import label_image
import retraining
from retraining.data import sample_photos
from retraining.model import RetrainedModel
from retraining.settings.formats import FORMATS, HTML, SAVED_MODEL_BYTES, TFLITE_FLOAT16, TFLITE_INT8, Format

# Files of these formats compute with rounded numbers, or prepare photos in a way of their own.
ROUNDED = {TFLITE_INT8.name: 0.15, TFLITE_FLOAT16.name: 0.02, SAVED_MODEL_BYTES.name: 0.02}

pytestmark = pytest.mark.soak


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("novelty")
    sample_photos.write(folder / "photos", per_class=20, seed=0)
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (300, 300, 3)).astype(np.uint8)
    (folder / "asked").mkdir()
    Image.fromarray(noise).save(folder / "asked" / "noise.png")
    Image.new("RGB", (300, 200), (90, 90, 90)).save(folder / "asked" / "plain.png")
    return folder


@pytest.fixture(scope="module")
def model(folder: Path) -> RetrainedModel:
    return retraining.retrain(
        folder / "photos", bottleneck_dir=folder / "bottlenecks", how_many_training_steps=100
    )


@pytest.fixture(scope="module")
def photos(folder: Path, model: RetrainedModel) -> dict[str, float]:
    """Photos with their novelty, as the model tells it."""
    paths = [*(folder / "asked").iterdir(), *model.bottlenecks.first_held_out().paths]
    answers = list(model.classifier.classify(paths))
    assert {answer.source for answer in answers if answer.is_unknown} >= set(paths[:2])
    assert not all(answer.is_unknown for answer in answers)
    return {str(answer.source): answer.novelty for answer in answers if answer.novelty is not None}


@pytest.mark.parametrize("format", FORMATS.values(), ids=list(FORMATS))
def test_label_image_tells_what_the_model_tells(
    format: Format,
    model: RetrainedModel,
    photos: dict[str, float],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if format == HTML:
        pytest.skip("it has the model of the format onnx, and needs npm")
    path = model.export(format.path_beside(folder / "graph.pb"), format=format.name)
    words = ["--unknown", "--output=json", "--graph", f"{path}", "--image", *photos]
    assert label_image.main(words) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    found = {line["image"]: line["novelty"] for line in lines}
    assert found == pytest.approx(photos, abs=ROUNDED.get(format.name, 1e-3))
    assert [line["unknown"] for line in lines[:2]] == [True, True]
