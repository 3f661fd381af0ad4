from __future__ import annotations

import dataclasses
import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

import retrain
from retraining.data.images import PREPROCESSING
from retraining.errors import WorkFailed
from retraining.export import classifier_graph, writer
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs import precision
from retraining.modules import hub_module
from retraining.settings.module import BFLOAT16, FLOAT32, ModuleSettings
from retraining.settings.output import OutputSettings
from retraining.settings.training import TrainingSettings
from retraining.training import softmax_layer, trainer
from retraining.training.model import TrainedModel
from tests.conftest import MODULE_FEATURES, MODULE_SIZE, Computed
from tests.test_retrain import final_accuracy, words

needs_bfloat16 = pytest.mark.skipif(
    bool(precision.unsupported_reason()), reason=precision.unsupported_reason()
)


def cpuinfo(folder: Path, flags: str) -> Path:
    path = folder / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: A processor\nflags\t\t: fpu {flags}\n\n" * 2)
    return path


@pytest.mark.parametrize("flags", ["avx512f avx512_bf16", "amx_bf16 amx_tile"])
def test_processor_with_bfloat16_is_recognised_by_its_flags(
    flags: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    assert precision.unsupported_reason(cpuinfo(tmp_path, flags)) == ""


def test_processor_without_bfloat16_is_recognised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    expected = "this processor has neither AVX512_BF16 nor AMX"
    assert precision.unsupported_reason(cpuinfo(tmp_path, "avx2 avx512f amx_tile")) == expected
    assert precision.unsupported_reason(tmp_path / "as on other systems") == expected


def test_bfloat16_needs_onednn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert precision.unsupported_reason(cpuinfo(tmp_path, "avx512_bf16")) == (
        "TF_ENABLE_ONEDNN_OPTS has switched off oneDNN, which computes in it"
    )


def loaded(module: Path | str, name: str) -> FeatureExtractor:
    return load_extractor(ModuleSettings(str(module), precision=name))


def test_without_bfloat16_a_warning_says_so_and_the_cache_of_float32_is_used(
    tf2_module: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(
        precision, "unsupported_reason", lambda: "this processor has neither AVX512_BF16 nor AMX"
    )
    extractor = loaded(tf2_module, BFLOAT16)
    assert caplog.messages == [
        "precision bfloat16 is not used, because this processor has neither AVX512_BF16 nor AMX; float32 is used "
        "instead."
    ]
    assert extractor == loaded(tf2_module, FLOAT32)
    assert len(caplog.messages) == 1  # none for float32


def test_vectors_of_the_two_precisions_are_cached_apart(
    tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "unsupported_reason", lambda: "")
    ordinary, short = loaded(tf2_module, FLOAT32), loaded(tf2_module, BFLOAT16)
    assert (ordinary.precision, short.precision) == (FLOAT32, BFLOAT16)
    assert BottleneckCache(tmp_path, ordinary).folder != BottleneckCache(tmp_path, short).folder


def test_vectors_cached_before_there_was_a_choice_stay_valid(tf2_module: Path) -> None:
    module = hub_module.fingerprint(tf2_module)
    settings = f"{module} {MODULE_SIZE}x{MODULE_SIZE} {MODULE_FEATURES} {PREPROCESSING}"
    assert loaded(tf2_module, FLOAT32).fingerprint == hashlib.sha256(settings.encode()).hexdigest()


@needs_bfloat16
def test_vectors_in_bfloat16_are_close_to_those_in_float32_and_not_the_same() -> None:
    pixels = np.random.default_rng(0).random((4, 128, 128, 3), np.float32)
    exact, short = (loaded("builtin_small", name).extract(pixels) for name in (FLOAT32, BFLOAT16))
    assert short.dtype == np.float32
    lengths = np.linalg.norm(exact, axis=1) * np.linalg.norm(short, axis=1)
    cosines = (exact * short).sum(axis=1) / lengths
    assert cosines.min() > 0.999
    assert (exact != short).any()


@needs_bfloat16
def test_run_in_bfloat16_exports_a_graph_that_was_checked(
    colour_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in (BFLOAT16, FLOAT32):
        assert retrain.main(words(colour_photos, tmp_path, "--precision", name)) == 0
        captured = capsys.readouterr()
        assert captured.err == ""
        said = "" if name == FLOAT32 else ", computed in bfloat16"
        assert f"Module small_resnet_128: 128x128 pixels to 768 features{said}.\n" in captured.out
        assert final_accuracy(captured.out) == 100
        assert re.search(r"agrees with the classifier on 12 images", captured.out)
    assert len(list((tmp_path / "bottlenecks").iterdir())) == 2


def with_coarse_vectors(bottlenecks: Bottlenecks) -> Bottlenecks:
    """Return them with test vectors that look as if they were computed with far fewer digits."""
    testing = bottlenecks.testing
    coarse = dataclasses.replace(testing, vectors=testing.vectors * np.float32(0.5))
    return dataclasses.replace(bottlenecks, testing=coarse)


def test_exported_graph_is_checked_against_float32_and_as_strictly(
    computed: Computed, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    bottlenecks = with_coarse_vectors(computed.bottlenecks)
    short = dataclasses.replace(extractor, precision=BFLOAT16)
    layer = trainer.train(bottlenecks, TrainingSettings(how_many_training_steps=20))
    wrong = dataclasses.replace(layer, biases=layer.biases + np.array([0, 0, 2], np.float32))
    outputs = OutputSettings(
        output_graph=tmp_path / "graph.pb",
        output_labels=tmp_path / "labels.txt",
        checkpoint_path=tmp_path / "checkpoint",
    )

    def agreed(used: FeatureExtractor, in_graph: softmax_layer.SoftmaxLayer) -> int:
        graph = classifier_graph.build(used, in_graph, "final_result")
        model = TrainedModel.of_layer(layer, bottlenecks, used, TrainingSettings())
        return writer.write_all(graph, model, outputs)

    assert agreed(short, layer) == len(bottlenecks.testing)
    with pytest.raises(WorkFailed):
        agreed(short, wrong)
    with pytest.raises(WorkFailed):
        agreed(extractor, layer)  # vectors in float32 are compared as they are
