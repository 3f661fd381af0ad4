"""Whole runs with another engine: what is said, what is kept under which key, and what is exported."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrain
import retraining
from retraining.cli.programs import RETRAIN
from retraining.data import dataset
from retraining.engines import table, tensorflow_engine
from retraining.engines.engine import Engine
from retraining.features.bottlenecks import compute
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import load_extractor, settled
from retraining.graphs.quiet_tensorflow import tf
from retraining.runtimes import litert
from retraining.settings.data import DataSettings
from retraining.settings.module import LITERT, TENSORFLOW, ModuleSettings
from tests.conftest import refused, write_colour_photos
from tests.engines import networks
from tests.test_retrain import final_accuracy, kept, words

TENSORFLOW_USED = (
    "LiteRT is not used for module edges, because its vectors differ from TensorFlow's by 0.5 of the largest number "
    "in them; TensorFlow is used instead."
)


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module with a depthwise convolution, as a TF2 SavedModel."""
    network = tf.Module()
    taken = tf.TensorSpec([None, networks.SIZE, networks.SIZE, 3], tf.float32, "inputs")
    network.__call__ = tf.function(networks.depthwise, input_signature=[taken])
    folder = tmp_path_factory.mktemp("modules") / "edges"
    tf.saved_model.save(network, str(folder), signatures={"serving_default": network.__call__})
    return folder


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_photos(tmp_path_factory.mktemp("colours") / "photos", per_class=20)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteRT gives vectors of half the size."""

    def load(content: bytes) -> Any:
        run = litert.load(content)
        return lambda pixels: run(pixels) / 2

    engine: Engine = dataclasses.replace(table.CONVERTING[LITERT], load=load)
    monkeypatch.setitem(table.CONVERTING, LITERT, engine)


def test_run_names_the_engine_and_its_speed_and_the_next_run_computes_nothing(
    photos: Path, module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outputs = []
    for _ in range(2):
        assert retrain.main(words(photos, tmp_path, module=module)) == 0
        outputs.append(capsys.readouterr().out)
    first, second = (output.splitlines() for output in outputs)
    loaded = "Module edges: 32x32 pixels to 8 features, computed by LiteRT."
    assert first[1:3] == ["Module edges is converted for LiteRT, once.", loaded]
    assert re.fullmatch(r"60 bottlenecks computed in \d+\.\d s \(\d+ images per second\)\.", first[3])
    assert second[1] == loaded
    assert second[2].startswith("Step 0: ")
    assert kept(tmp_path) == 60
    assert final_accuracy(outputs[0]) == final_accuracy(outputs[1])
    assert "The graph was read back and agrees with the classifier on " in outputs[0]


def test_keys_say_which_engine_made_the_vectors_and_those_of_tensorflow_are_as_before(
    module: Path, tmp_path: Path
) -> None:
    settings = ModuleSettings(str(module), bottleneck_dir=tmp_path)
    automatic = load_extractor(settings)
    exact = load_extractor(dataclasses.replace(settings, engine=TENSORFLOW))
    assert (automatic.engine, exact.engine) == ("LiteRT", "TensorFlow")
    assert automatic.fingerprint != exact.fingerprint
    assert automatic.in_tensorflow() == exact
    assert exact.in_tensorflow() == exact
    assert not (tmp_path / "engines").exists()  # nothing is converted before it is needed


def test_vectors_depend_neither_on_the_batch_nor_on_the_run(
    photos: Path, module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = dataset.scan(DataSettings(photos))
    settings = ModuleSettings(str(module), bottleneck_dir=tmp_path)
    extractor = load_extractor(settings, found)
    whole = compute(found, extractor, BottleneckCache(tmp_path / "a", extractor))
    monkeypatch.setattr(tensorflow_engine, "load", lambda *_: pytest.fail("TensorFlow is not needed"))
    again = load_extractor(settings, found)
    part = dataclasses.replace(found, images=found.images[5:12])
    some = compute(part, again, BottleneckCache(tmp_path / "b", again))
    rows = {
        key: row
        for images in (whole.training, whole.validation, whole.testing)
        for key, row in zip(images.keys, images.vectors, strict=True)
    }
    for images in (some.training, some.validation, some.testing):
        for key, row in zip(images.keys, images.vectors, strict=True):
            np.testing.assert_array_equal(row, rows[key])


@pytest.mark.usefixtures("wrong")
def test_run_whose_engine_disagrees_uses_the_vectors_and_the_key_of_tensorflow(
    photos: Path, module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retrain.main(words(photos, tmp_path, module=module)) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:4] == [
        "Module edges is converted for LiteRT, once.",
        TENSORFLOW_USED,
        "Module edges: 32x32 pixels to 8 features, computed by TensorFlow.",
    ]
    exact = load_extractor(ModuleSettings(str(module), engine=TENSORFLOW))
    (folder,) = (path.parent for path in (tmp_path / "bottlenecks").glob("*/*.tfrecord"))
    assert folder == BottleneckCache(tmp_path / "bottlenecks", exact).folder
    # Asked for by name, it is a warning.
    assert retrain.main(words(photos, tmp_path, "--engine", LITERT, module=module)) == 0
    assert f"warning: {TENSORFLOW_USED}\n" in capsys.readouterr().err


@pytest.mark.usefixtures("wrong")
def test_from_python_the_first_batch_or_the_dataset_decides(
    photos: Path, module: Path, tmp_path: Path
) -> None:
    exact = load_extractor(ModuleSettings(str(module), engine=TENSORFLOW))
    pixels = networks.random_pixels(3)
    first = load_extractor(ModuleSettings(str(module), bottleneck_dir=tmp_path / "a"))
    np.testing.assert_array_equal(first.extract(pixels), exact.extract(pixels))
    assert first.engine == "TensorFlow"
    found = retraining.scan(photos)
    second = load_extractor(ModuleSettings(str(module), bottleneck_dir=tmp_path / "b"))
    retraining.compute_bottlenecks(found, second, bottleneck_dir=tmp_path / "b")
    assert BottleneckCache(tmp_path / "b", exact).folder.exists()
    assert not BottleneckCache(tmp_path / "b", second).folder.exists()


def test_photos_that_cannot_be_decoded_leave_the_decision_to_the_first_batch(
    module: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        for number in range(20):
            path = tmp_path / "photos" / name / f"{number}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"\xff\xd8\xff broken")
    found = dataset.scan(DataSettings(tmp_path / "photos"))
    extractor = load_extractor(ModuleSettings(str(module), bottleneck_dir=tmp_path / "kept"))
    assert settled(extractor, found) is extractor
    assert not (tmp_path / "kept" / "engines").exists()


def test_conversion_of_another_graph_is_refused(module: Path) -> None:
    extractor = load_extractor(ModuleSettings(str(module)))
    with pytest.raises(ValueError, match="the conversion is of another graph"):
        dataclasses.replace(extractor, graph=networks.graph_of(networks.depthwise))


def test_engine_that_is_not_installed_is_refused_before_anything_slow(
    photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert refused(RETRAIN, ["--image_dir", str(photos), "--engine", "onnxruntime"]) == (
        "--engine onnxruntime needs onnxruntime and tf2onnx, not installed here. Run pip install "
        "onnxruntime tf2onnx, or leave --engine out."
    )
