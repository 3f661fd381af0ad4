"""The network's file: a worker loads it once, and refuses what would not give the same vectors."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retraining.distribution import network_file
from retraining.distribution.network_file import NetworkFile
from retraining.errors import WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import precision
from retraining.settings.module import LITERT


@pytest.fixture
def file(extractor: FeatureExtractor, tmp_path: Path) -> NetworkFile:
    file = network_file.of(extractor, str(tmp_path))
    network_file.write(extractor, file)
    return file


def refusal(file: NetworkFile) -> str:
    with pytest.raises(WorkFailed) as caught:
        file.loaded()
    return str(caught.value)


def test_worker_computes_what_the_extractor_does_and_loads_its_file_once(
    file: NetworkFile, extractor: FeatureExtractor
) -> None:
    pixels = np.random.default_rng(0).random((3, 32, 32, 3), np.float32)
    loaded = file.loaded()
    assert loaded.extract(pixels).tobytes() == extractor.extract(pixels).tobytes()
    Path(file.path).unlink()
    assert dataclasses.replace(file).loaded() is loaded


def test_file_has_the_same_name_and_bytes_in_each_run(
    file: NetworkFile, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    assert network_file.of(extractor, str(tmp_path)) == file
    assert Path(file.path).name == f"network-{file.sha256[:16]}.pb"


def test_damaged_file_is_refused(file: NetworkFile) -> None:
    Path(file.path).write_bytes(b"planted")
    assert refusal(file) == (
        f"'{file.path}' is damaged, or another program has changed it. Run again: it is written anew."
    )


def test_other_versions_are_refused(file: NetworkFile) -> None:
    other = dataclasses.replace(file, versions="image-retrainer 0.1, tensorflow 2.1")
    assert refusal(other) == (
        f"a worker has {file.versions}, but the computer that started the run image-retrainer 0.1, tensorflow 2.1: "
        "their vectors might differ. Install the same versions on both."
    )


def test_precision_that_a_worker_lacks_is_refused(file: NetworkFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "unsupported_reason", lambda: "its processor is old")
    assert refusal(dataclasses.replace(file, precision="bfloat16")) == (
        "a worker cannot compute in bfloat16, because its processor is old. Set precision to float32."
    )


def test_engine_that_does_not_start_is_named(file: NetworkFile) -> None:
    # The versions of LiteRT, so that only the network is none of its own.
    other = dataclasses.replace(file, engine=LITERT, versions=network_file._versions(LITERT))
    assert refusal(other).startswith("LiteRT does not start on a worker: ")
