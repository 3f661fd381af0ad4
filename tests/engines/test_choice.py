"""Which engine and precision are chosen, without timing anything."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

from retraining.engines import choice
from retraining.errors import BadRequest
from retraining.graphs import precision
from retraining.runtimes import requirements
from retraining.settings.module import (
    AUTO,
    BFLOAT16,
    BUILTIN,
    BUILTIN_SMALL,
    ENGINES,
    FLOAT32,
    LITERT,
    ONNXRUNTIME,
    OPENVINO,
    TENSORFLOW,
    ModuleSettings,
)
from tests.conftest import FASTER_IN_BFLOAT16
from tests.engines import networks


def installed(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name if name in packages else None)


def test_every_engine_has_what_it_requires_and_only_they() -> None:
    assert tuple(requirements.REQUIREMENTS) == ENGINES


@pytest.mark.parametrize(
    ("network", "computed_in", "packages", "expected"),
    [
        (networks.depthwise, FLOAT32, ("ai_edge_litert", "onnxruntime"), LITERT),
        (networks.dense, FLOAT32, ("ai_edge_litert", "onnxruntime"), TENSORFLOW),
        (networks.depthwise, BFLOAT16, ("ai_edge_litert",), TENSORFLOW),
        (networks.depthwise, FLOAT32, ("onnxruntime", "tf2onnx"), TENSORFLOW),
    ],
    ids=["depthwise", "dense", "bfloat16", "not installed"],
)
def test_auto_takes_litert_for_depthwise_networks_in_float32_if_it_is_installed(
    network: Any,
    computed_in: str,
    packages: tuple[str, ...],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, *packages)
    is_depthwise = choice.is_depthwise(networks.graph_of(network))
    assert choice.engine_for(ModuleSettings(BUILTIN), computed_in, is_depthwise=is_depthwise) == expected


def test_auto_stays_with_tensorflow_where_it_has_a_graphics_card(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, "ai_edge_litert")
    monkeypatch.setattr(choice, "_has_gpu", lambda: True)
    assert choice.engine_for(ModuleSettings(BUILTIN), FLOAT32, is_depthwise=True) == TENSORFLOW
    assert choice.engine_for(ModuleSettings(BUILTIN, engine=LITERT), FLOAT32, is_depthwise=True) == LITERT


@pytest.mark.parametrize("place", ["driver", "plugin"])
def test_tensorflow_is_asked_for_a_graphics_card_only_where_it_could_have_one(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "_GPU_DRIVERS", (tmp_path / "driver",))
    monkeypatch.setattr(choice, "_PLUGINS", "plugin")
    monkeypatch.syspath_prepend(tmp_path)
    assert not choice._may_have_gpu()
    (tmp_path / place).mkdir()
    assert choice._may_have_gpu()


@pytest.mark.parametrize("engine", [LITERT, ONNXRUNTIME, OPENVINO])
def test_engine_that_is_asked_for_is_taken_if_it_is_installed(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, "ai_edge_litert", "onnxruntime", "openvino", "tf2onnx")
    settings = ModuleSettings(BUILTIN, engine=engine)
    assert choice.engine_for(settings, FLOAT32, is_depthwise=False) == engine


@pytest.mark.parametrize(
    ("engine", "packages", "missing"),
    [
        (LITERT, (), "ai-edge-litert"),
        (ONNXRUNTIME, ("onnxruntime",), "tf2onnx"),
        (OPENVINO, (), "openvino tf2onnx"),
    ],
)
def test_engine_that_is_not_installed_is_refused_with_what_installs_it(
    engine: str, packages: tuple[str, ...], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(monkeypatch, *packages)
    with pytest.raises(BadRequest) as caught:
        requirements.check(engine)
    assert str(caught.value) == (
        f"engine {engine} needs {missing.replace(' ', ' and ')}, not installed here. Run pip "
        f"install {missing}, or leave engine out."
    )


@pytest.mark.parametrize("engine", [LITERT, ONNXRUNTIME, OPENVINO])
def test_bfloat16_in_another_engine_is_refused(engine: str) -> None:
    with pytest.raises(BadRequest) as caught:
        ModuleSettings(BUILTIN, engine=engine, precision=BFLOAT16)
    assert str(caught.value) == (
        f"precision bfloat16 is computed by TensorFlow only, but engine is {engine}. Leave one of them out."
    )
    ModuleSettings(BUILTIN, engine=TENSORFLOW, precision=BFLOAT16)


@pytest.mark.parametrize(
    ("handle", "engine", "asked", "reason", "expected"),
    [
        (BUILTIN, AUTO, AUTO, "", BFLOAT16),
        (BUILTIN_SMALL, TENSORFLOW, AUTO, "", BFLOAT16),
        (BUILTIN, LITERT, AUTO, "", FLOAT32),
        (BUILTIN, AUTO, AUTO, "this processor has neither AVX512_BF16 nor AMX", FLOAT32),
        (BUILTIN, AUTO, FLOAT32, "", FLOAT32),
        ("/modules/mobilenet", AUTO, AUTO, "", FLOAT32),
        ("/modules/mobilenet", AUTO, BFLOAT16, "", BFLOAT16),
    ],
)
def test_auto_takes_bfloat16_where_it_is_known_to_be_faster(
    handle: str, engine: str, asked: str, reason: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "FASTER_IN_BFLOAT16", FASTER_IN_BFLOAT16)
    monkeypatch.setattr(precision, "unsupported_reason", lambda: reason)
    settings = ModuleSettings(handle, engine=engine, precision=asked)
    assert choice.precision_for(handle, settings) == expected
