"""Networks that were loaded once are kept frozen, and read without TensorFlow."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import numpy as np
import pytest

from retraining.features import kept_networks
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import quiet_tensorflow
from retraining.modules import hub_module
from retraining.settings.module import ModuleSettings
from retraining.storage import private_folder
from tests.features.test_extractor import random_pixels


def loaded(module: Path, cache: Path) -> FeatureExtractor:
    return load_extractor(ModuleSettings(str(module), bottleneck_dir=cache))


def files(cache: Path, suffix: str) -> list[Path]:
    return sorted((cache / "networks").glob(f"*{suffix}"))


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that were loaded with TensorFlow."""
    seen: list[Path] = []
    load = hub_module.load

    def counted(folder: Path, *, name: str) -> object:
        seen.append(folder)
        return load(folder, name=name)

    monkeypatch.setattr(hub_module, "load", counted)
    return seen


def test_later_run_has_the_same_extractor_without_tensorflow(
    tf2_module: Path, tmp_path: Path, loads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = loaded(tf2_module, tmp_path)
    with monkeypatch.context() as without:
        without.setattr(quiet_tensorflow, "_import", lambda: pytest.fail("TensorFlow was asked for"))
        second = loaded(tf2_module, tmp_path)
    assert loads == [tf2_module]
    for name in ("name", "image_size", "feature_size", "fingerprint", "precision", "engine"):
        assert getattr(second, name) == getattr(first, name)
    assert second.graph.graph_def == first.graph.graph_def
    np.testing.assert_array_equal(second.extract(random_pixels()), first.extract(random_pixels()))


def test_network_is_loaded_again_for_another_size_and_other_files(
    tmp_path: Path, tf2_module: Path, loads: list[Path]
) -> None:
    module = shutil.copytree(tf2_module, tmp_path / "module")
    loaded(module, tmp_path)
    load_extractor(ModuleSettings(str(module), image_size=32, bottleneck_dir=tmp_path))
    (module / "assets").mkdir(exist_ok=True)
    (module / "assets" / "new.txt").write_text("another file")
    loaded(module, tmp_path)
    assert loads == [module] * 3
    assert len(files(tmp_path, ".pb")) == 3


def test_what_a_user_should_know_is_said_in_every_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from retraining.graphs.quiet_tensorflow import tf

    module = tf.Module()
    shape = tf.TensorSpec([None, 32, 32, 3], tf.float32)
    module.__call__ = tf.function(lambda images: tf.concat([images, images], -1), input_signature=[shape])
    tf.saved_model.save(module, str(tmp_path / "maps"))
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            loaded(tmp_path / "maps", tmp_path)
        assert "Module maps gives feature maps (32, 32, 6); they are averaged." in caplog.messages


@pytest.mark.parametrize(
    "damage", ["network", "network cut", "network gone", "record", "fields of the record"]
)
def test_damaged_network_is_named_and_loaded_again(
    damage: str, tf2_module: Path, tmp_path: Path, loads: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    expected = loaded(tf2_module, tmp_path).extract(random_pixels())
    (network,), (record,) = files(tmp_path, ".pb"), files(tmp_path, ".json")
    content = network.read_bytes()
    if damage == "network":
        network.write_bytes(content[:100] + bytes([content[100] ^ 1]) + content[101:])
    elif damage == "network cut":
        network.write_bytes(content[:-1])
    elif damage == "network gone":
        network.unlink()
    elif damage == "record":
        record.write_bytes(b"{")
    else:
        record.write_text(json.dumps({**json.loads(record.read_bytes()), "image_size": 3}))
    again = loaded(tf2_module, tmp_path)
    damaged = network if damage.startswith("network") else record
    assert caplog.messages == [f"'{damaged}' is damaged; the network is converted again."]
    np.testing.assert_array_equal(again.extract(random_pixels()), expected)
    loaded(tf2_module, tmp_path)
    assert loads == [tf2_module] * 2


def test_network_that_was_frozen_in_another_way_is_loaded_again(
    tf2_module: Path, tmp_path: Path, loads: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded(tf2_module, tmp_path)
    monkeypatch.setattr(kept_networks, "_FREEZING", 0)
    loaded(tf2_module, tmp_path)
    assert loads == [tf2_module] * 2


def test_folder_that_others_can_write_to_is_neither_read_nor_written(
    tf2_module: Path, tmp_path: Path, loads: list[Path]
) -> None:
    folder = tmp_path / "networks"
    folder.mkdir()
    folder.chmod(0o777)
    assert not private_folder.is_private(folder)
    for _ in range(2):
        loaded(tf2_module, tmp_path)
    assert loads == [tf2_module] * 2
    assert list(folder.iterdir()) == []
