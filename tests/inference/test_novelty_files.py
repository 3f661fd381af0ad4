"""Images unlike any class are told alike by the files of all formats, and those who do not ask see no change."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retraining
from retraining.errors import BadRequest
from retraining.export.classifier_graph import ClassifierGraph
from retraining.export.writers import WRITERS
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import graph_file, recorded
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import graph_classifier, loading
from retraining.inference.image_classifier import Classified, ImageClassifier
from retraining.inference.novelty import FALSE_ALARMS, NoveltyDetector
from retraining.runtimes import litert, onnx_runtime, tflite_metadata, tflite_model
from retraining.runtimes.flat_tables import ReadTable
from retraining.runtimes.tflite_metadata import Metadata
from retraining.runtimes.tflite_model import Model, Novelty, Subgraph
from retraining.settings.label_image import AnswerSettings
from retraining.settings.setting import fields
from tests import novel_images
from tests.novel_images import LABELS

QUICK = ("pb", "saved_model", "saved_model_bytes", "tflite", "onnx")
IMAGES = novel_images.images(8)
NAMES = dict.fromkeys(QUICK, "classifier") | {"pb": "classifier.pb", "tflite": "classifier.tflite"}


@pytest.fixture(scope="module")
def network() -> FeatureExtractor:
    return novel_images.extractor()


@pytest.fixture(scope="module")
def detector(network: FeatureExtractor) -> NoveltyDetector:
    return novel_images.detector(network)


@pytest.fixture(scope="module")
def expected(network: FeatureExtractor, detector: NoveltyDetector) -> np.ndarray:
    """The novelty of IMAGES, some of which are unknown."""
    found = detector.novelty(network.extract(np.stack(IMAGES).astype(np.float32) / np.float32(255)))
    assert found.min() < 0.9
    assert found.max() > 0.95
    return found


@pytest.fixture(scope="module")
def classifier(network: FeatureExtractor, detector: NoveltyDetector) -> ClassifierGraph:
    return novel_images.classifier(network, detector)


@pytest.fixture(scope="module")
def files(classifier: ClassifierGraph, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The classifier in the formats that are written quickly."""
    return {name: written(name, classifier, tmp_path_factory.mktemp(name)) for name in QUICK}


def written(name: str, classifier: ClassifierGraph, folder: Path) -> Path:
    path = folder / NAMES[name]
    WRITERS[name].write(classifier, path, lambda: iter(()))
    return path


def loaded(path: Path, *, unknown: bool = True) -> ImageClassifier:
    return loading.load(AnswerSettings(graph=path, engine="tensorflow", unknown=unknown))


def refusal(path: Path) -> str:
    with pytest.raises(BadRequest) as caught:
        loaded(path)
    return caught.value.message.text(setting_name=lambda name: f"--{name}")


def answers(classifier: ImageClassifier) -> list[Classified]:
    return list(classifier.classify(IMAGES))


def novelties(classifier: ImageClassifier) -> list[float]:
    return [answer.novelty for answer in answers(classifier) if answer.novelty is not None]


@pytest.mark.parametrize("name", QUICK)
def test_every_format_tells_the_novelty_that_the_classifier_tells(
    name: str, files: dict[str, Path], expected: np.ndarray
) -> None:
    found = answers(loaded(files[name]))
    # Files may be decoded with other pixels here and there, but PNGs of this size are not.
    assert [answer.novelty for answer in found] == pytest.approx(expected.tolist(), abs=1e-3)
    assert [answer.is_unknown for answer in found] == (expected > 0.95).tolist()


@pytest.mark.parametrize("name", QUICK)
def test_who_does_not_ask_gets_the_same_scores_and_no_novelty(name: str, files: dict[str, Path]) -> None:
    plain = answers(loaded(files[name], unknown=False))
    assert {answer.novelty for answer in plain} == {None}
    for one, other in zip(plain, answers(loaded(files[name])), strict=True):
        assert dict(one.predictions) == pytest.approx(dict(other.predictions), abs=1e-6)


def test_files_have_one_output_as_before(files: dict[str, Path]) -> None:
    assert len(litert.Network(files["tflite"].read_bytes()).outputs) == 1
    session = onnx_runtime.opened(files["onnx"].read_bytes())
    assert [output.name for output in session.get_outputs()] == ["final_result:0"]
    for name, outputs in {"saved_model": {"prediction"}, "saved_model_bytes": {"labels", "scores"}}.items():
        signature = tf.saved_model.load(str(files[name])).signatures["serving_default"]
        assert set(signature.structured_outputs) == outputs


@pytest.mark.parametrize("name", QUICK)
def test_file_that_does_not_know_what_its_classes_look_like_is_refused(
    name: str, classifier: ClassifierGraph, tmp_path: Path
) -> None:
    path = written(name, classifier.without_novelty(), tmp_path)
    assert refusal(path) == (
        f"--unknown needs a --graph that records what its classes look like, which '{path}' does not. Retrain "
        "with this version, on more images if there were only a few dozen, or leave --unknown out."
    )


def test_help_says_which_share_is_called_unknown_by_mistake() -> None:
    (unknown,) = (field for field in fields(AnswerSettings) if field.name == "unknown")
    assert f"more so than {100 * (1 - FALSE_ALARMS):g} % of the images" in unknown.metadata["meaning"]


def test_api_says_what_is_unknown(files: dict[str, Path], expected: np.ndarray) -> None:
    classifier = retraining.load_classifier(files["tflite"], unknown=True)
    np.testing.assert_allclose(novelties(classifier), expected, atol=1e-3)


def test_graph_that_is_read_and_exported_again_keeps_its_detector(
    files: dict[str, Path], detector: NoveltyDetector
) -> None:
    path = files["pb"]
    again = ClassifierGraph.of_loaded(graph_classifier.load(AnswerSettings(graph=path)), path)
    assert again.novelty == detector.encode()
    # As other pixels than those of the training would be told apart wrongly, other scaling loses it.
    scaled = graph_classifier.load(AnswerSettings(graph=path, input_mean=128.0, input_std=128.0))
    assert ClassifierGraph.of_loaded(scaled, path).novelty == b""


def test_converted_graph_tells_novelty_in_later_runs_without_tensorflow(
    files: dict[str, Path], expected: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = AnswerSettings(graph=files["pb"], cache_dir=tmp_path / "cache", unknown=True)
    loading.load(settings).prepare_next_run(IMAGES)

    def forbidden(_: AnswerSettings) -> Any:
        raise AssertionError("TensorFlow would be imported")

    monkeypatch.setattr(graph_classifier, "load", forbidden)
    np.testing.assert_allclose(novelties(loading.load(settings)), expected, atol=1e-3)
    assert novelties(loading.load(dataclasses.replace(settings, unknown=False))) == []


def damaged_graph(files: dict[str, Path], path: Path, detector: bytes) -> None:
    graph_def = graph_file.read(files["pb"])
    recorded.record(graph_def, novelty=detector)
    path.write_bytes(graph_def.SerializeToString())


def damaged_tflite(files: dict[str, Path], path: Path, detector: bytes, tensor: int | None = None) -> None:
    content = files["tflite"].read_bytes()
    right = tflite_model.novelty(content)
    assert right is not None
    novelty = Novelty(right.tensor if tensor is None else tensor, detector)
    about = Metadata(labels=LABELS, mean=(0.0,), std=(255.0,), novelty=novelty)
    # Of two buffers of a name the first counts, so the right one gets another; labels.txt is at the end.
    changed = content[: content.rindex(b"PK\3\4")].replace(b"NOVELTY_DETECTOR", b"NOVELTY_DETECTO_")
    path.write_bytes(tflite_metadata.added(changed, about))


def damaged_onnx(files: dict[str, Path], path: Path, detector: bytes) -> None:
    import onnx

    model = onnx.load_from_string(files["onnx"].read_bytes())
    for entry in model.metadata_props:
        if entry.key == "novelty":
            entry.value = json.dumps(detector.hex())  # no detector in base64
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize("damage", [damaged_graph, damaged_tflite, damaged_onnx])
@pytest.mark.parametrize("change", ["cut", "long", "of others", "huge", "empty"])
def test_damaged_detector_is_refused_in_one_line(
    damage: Callable[..., None],
    change: str,
    files: dict[str, Path],
    detector: NoveltyDetector,
    tmp_path: Path,
) -> None:
    content = detector.encode()
    others = NoveltyDetector(np.eye(2, 5, dtype=np.float32), detector.quantiles)
    damage(
        files,
        tmp_path / "graph",
        {
            "cut": content[:-3],
            "long": content + b"x",
            "of others": others.encode(),
            "huge": content[:4] + b"\xff" * 12 + content[16:],
            "empty": b"?",
        }[change],
    )
    assert refusal(tmp_path / "graph").startswith(
        f"what graph '{tmp_path / 'graph'}' records for --unknown is damaged: "
    )
    loaded(tmp_path / "graph", unknown=False)  # for all else it is as good as ever


@pytest.mark.parametrize("tensor", [10_000, 2**32 - 1])
def test_tensor_that_is_not_there_is_refused(
    tensor: int, files: dict[str, Path], detector: NoveltyDetector, tmp_path: Path
) -> None:
    damaged_tflite(files, tmp_path / "graph", detector.encode(), tensor)
    assert refusal(tmp_path / "graph") == (
        f"what graph '{tmp_path / 'graph'}' records for --unknown is damaged: the network has no tensor {tensor}. "
        "Export it again, or leave --unknown out."
    )


def test_any_tensor_of_the_network_is_given_or_refused_in_one_line(
    files: dict[str, Path], detector: NoveltyDetector, tmp_path: Path
) -> None:
    model = ReadTable.root(files["tflite"].read_bytes())
    tensors = model.tables(Model.SUBGRAPHS)[0].tables(Subgraph.TENSORS)
    for tensor in range(len(tensors)):
        damaged_tflite(files, tmp_path / "graph", detector.encode(), tensor)
        try:
            answers(loaded(tmp_path / "graph"))
        except BadRequest as error:
            assert "damaged" in str(error)
