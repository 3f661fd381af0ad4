from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from retraining.data import images
from retraining.errors import BadRequest, WorkFailed
from retraining.export import classifier_graph, writer
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import graph_file
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.output import OutputSettings
from retraining.settings.training import TrainingSettings
from retraining.storage import labels_file
from retraining.training import trainer
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer
from tests.conftest import Computed


@pytest.fixture(scope="module")
def layer(computed: Computed) -> SoftmaxLayer:
    return trainer.train(computed.bottlenecks, TrainingSettings(how_many_training_steps=100))


@pytest.fixture
def graph(extractor: FeatureExtractor, layer: SoftmaxLayer) -> FrozenGraph:
    return classifier_graph.build(extractor, layer, "final_result")


@pytest.fixture
def outputs(tmp_path: Path) -> OutputSettings:
    return OutputSettings(
        output_graph=tmp_path / "out" / "graph.pb",
        output_labels=tmp_path / "out" / "labels.txt",
        saved_model_dir=tmp_path / "out" / "saved_model",
        checkpoint_path=tmp_path / "out" / "checkpoint",
        intermediate_output_graphs_dir=tmp_path / "out" / "intermediate",
        intermediate_store_frequency=10,
    )


def model_of(layer: SoftmaxLayer, bottlenecks: Bottlenecks, extractor: FeatureExtractor) -> TrainedModel:
    return TrainedModel.of_layer(layer, bottlenecks, extractor, TrainingSettings())


def pixels_of(computed: Computed, extractor: FeatureExtractor) -> np.ndarray:
    return np.stack(
        [
            images.decode(path.read_bytes(), extractor.image_size)
            for path in computed.bottlenecks.testing.paths
        ]
    )


def test_graph_runs_in_a_plain_session_by_its_published_names(
    graph: FrozenGraph, layer: SoftmaxLayer, computed: Computed, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    (tmp_path / "graph.pb").write_bytes(graph_file.encode(graph))
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString((tmp_path / "graph.pb").read_bytes())
    with tf.Graph().as_default() as plain, tf.compat.v1.Session() as session:
        tf.compat.v1.import_graph_def(graph_def)
        assert plain.get_tensor_by_name("import/Placeholder:0").shape.as_list() == [None, 32, 32, 3]
        scores = session.run(
            "import/final_result:0", {"import/Placeholder:0": pixels_of(computed, extractor)}
        )
    np.testing.assert_allclose(
        scores, layer.probabilities(computed.bottlenecks.testing.vectors), rtol=1e-4, atol=1e-6
    )
    np.testing.assert_allclose(scores.sum(axis=1), 1, rtol=1e-5)


def test_graph_has_no_functions_and_little_besides_module_and_layer(
    graph: FrozenGraph, layer: SoftmaxLayer, extractor: FeatureExtractor
) -> None:
    assert len(graph.graph_def.library.function) == 0
    module, whole = extractor.graph.graph_def.ByteSize(), graph.graph_def.ByteSize()
    assert whole < 1.2 * (module + layer.weights.nbytes + layer.biases.nbytes) + 2000
    placeholders = [node.name for node in graph.graph_def.node if node.op.startswith("Placeholder")]
    assert placeholders == ["Placeholder"]


def test_final_tensor_name_is_the_softmax_op(extractor: FeatureExtractor, layer: SoftmaxLayer) -> None:
    named = classifier_graph.build(extractor, layer, "my.result")
    assert [node.op for node in named.graph_def.node if node.name == "my.result"] == ["Softmax"]


def test_all_outputs_are_written_and_can_be_used(
    graph: FrozenGraph,
    layer: SoftmaxLayer,
    computed: Computed,
    extractor: FeatureExtractor,
    outputs: OutputSettings,
) -> None:
    agreed = writer.write_all(graph, model_of(layer, computed.bottlenecks, extractor), outputs)
    assert agreed == len(computed.bottlenecks.testing) > 3
    assert labels_file.read(outputs.output_labels) == ("cyan", "magenta", "yellow")
    assert outputs.output_labels.read_bytes() == b"cyan\nmagenta\nyellow\n"
    assert graph_file.read(outputs.output_graph) == graph.graph_def
    checkpoint = tf.train.load_checkpoint(str(outputs.checkpoint_path))
    np.testing.assert_array_equal(checkpoint.get_tensor("weights/.ATTRIBUTES/VARIABLE_VALUE"), layer.weights)
    left = {path.name for path in outputs.output_graph.parent.iterdir()}
    assert left == {
        "graph.pb",
        "labels.txt",
        "saved_model",
        "checkpoint.index",
        "checkpoint.data-00000-of-00001",
    }


def test_saved_model_serves_image_to_prediction(
    graph: FrozenGraph,
    computed: Computed,
    extractor: FeatureExtractor,
    layer: SoftmaxLayer,
    outputs: OutputSettings,
) -> None:
    writer.write_all(graph, model_of(layer, computed.bottlenecks, extractor), outputs)
    module = tf.saved_model.load(str(outputs.saved_model_dir))
    serve = module.signatures["serving_default"]
    assert list(serve.structured_input_signature[1]) == ["image"]
    predictions = serve(image=tf.constant(pixels_of(computed, extractor)))
    assert list(predictions) == ["prediction"]
    np.testing.assert_allclose(
        predictions["prediction"],
        layer.probabilities(computed.bottlenecks.testing.vectors),
        rtol=1e-4,
        atol=1e-6,
    )


@pytest.mark.parametrize("disagreeing", ["graph.pb", "out/saved_model"])
def test_export_that_disagrees_with_the_classifier_is_never_left_in_place(
    disagreeing: str,
    extractor: FeatureExtractor,
    layer: SoftmaxLayer,
    computed: Computed,
    outputs: OutputSettings,
    tmp_path: Path,
) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(b"the earlier good one")
    wrong = SoftmaxLayer(layer.weights[:, ::-1].copy(), layer.biases)
    with pytest.raises(WorkFailed) as caught:
        writer.write_all(
            classifier_graph.build(extractor, wrong, "final_result"),
            model_of(layer, computed.bottlenecks, extractor),
            dataclasses.replace(
                outputs,
                output_graph=path,
                saved_model_dir=outputs.saved_model_dir if disagreeing == "out/saved_model" else None,
            ),
        )
    message = str(caught.value)
    assert message.startswith("the exported graph disagrees with the classifier by ")
    assert message.endswith(
        f"; '{tmp_path / disagreeing}' was not written. Remove the folder of bottleneck_dir and run again; if it happens again, "
        "it is a bug: please report it."
    )
    assert path.read_bytes() == b"the earlier good one"
    assert sorted(tmp_path.iterdir()) == [path, tmp_path / "out"]
    assert list((tmp_path / "out").iterdir()) == []


def test_image_edited_since_its_vector_was_computed_is_not_checked(
    graph: FrozenGraph,
    layer: SoftmaxLayer,
    computed: Computed,
    extractor: FeatureExtractor,
    outputs: OutputSettings,
) -> None:
    testing = computed.bottlenecks.testing
    edited = dataclasses.replace(testing, keys=(b"edited", *testing.keys[1:]))
    bottlenecks = dataclasses.replace(computed.bottlenecks, testing=edited)
    agreed = writer.write_all(graph, model_of(layer, bottlenecks, extractor), outputs)
    assert agreed == len(testing) - 1


def test_intermediate_graphs_and_checkpoint_are_stored_at_their_steps(
    extractor: FeatureExtractor, computed: Computed, outputs: OutputSettings
) -> None:
    store = writer.IntermediateGraphs(extractor, outputs)
    trainer.train(computed.bottlenecks, TrainingSettings(how_many_training_steps=25), store=store)
    folder = outputs.intermediate_output_graphs_dir
    assert {path.name for path in folder.iterdir()} == {"intermediate_10.pb", "intermediate_20.pb"}
    early, late = (graph_file.read(folder / f"intermediate_{step}.pb") for step in (10, 20))
    assert early != late
    assert outputs.checkpoint_path.with_name("checkpoint.index").exists()


def test_labels_are_the_same_after_writing_and_reading(tmp_path: Path) -> None:
    labels = ("Zebra", " spaces ", "été", "猫", "\udce9 not utf-8", "carriage\rreturn")
    (tmp_path / "labels.txt").write_bytes(labels_file.encode(labels))
    assert labels_file.read(tmp_path / "labels.txt") == labels


def test_labels_with_windows_line_ends_are_read(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_bytes(b"daisy\r\nroses\r\n")
    assert labels_file.read(tmp_path / "labels.txt") == ("daisy", "roses")


@pytest.mark.parametrize("content", [b"\xff\xff no graph", b""])
def test_file_that_is_not_a_graph_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    path.write_bytes(content)
    with pytest.raises(BadRequest) as caught:
        graph_file.read(path)
    assert str(caught.value) == (
        f"'{path}' is not a frozen graph, or is cut short. Give the file that retrain.py wrote."
    )
