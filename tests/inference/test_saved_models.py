"""SavedModels as classifiers, finished classifiers given as modules, and modules given as classifiers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import label_image
import retrain
import retraining
from retraining import deep_dream, feature_maps
from retraining.export import saved_model
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import classifier_source
from tests.conftest import COLOURS, write_colour_photos, write_photo
from tests.test_retrain import words
from tests.visualization.test_inspected_network import write_tf1_hub_module


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what retrain.py writes: graph.pb, the SavedModel saved, and labels.txt."""
    folder = tmp_path_factory.mktemp("finished")
    photos = write_colour_photos(folder / "photos")
    module = write_tf1_hub_module(folder / "module")
    assert retrain.main(words(photos, folder, "--saved_model_dir", folder / "saved", module=module)) == 0
    return folder


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    write_photo(tmp_path / "photo.jpg", COLOURS["magenta"], seed=5)
    return tmp_path / "photo.jpg"


def labelled(finished: Path, graph: Path, photo: Path) -> int:
    files = [f"--graph={graph}", f"--labels={finished / 'labels.txt'}"]
    return label_image.main([*files, f"--image={photo}"])


def test_label_image_takes_the_saved_model_that_retrain_wrote(
    finished: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labelled(finished, finished / "graph.pb", photo) == 0
    of_graph = capsys.readouterr().out
    assert labelled(finished, finished / "saved", photo) == 0
    assert capsys.readouterr().out == of_graph


def test_load_classifier_finds_the_labels_that_export_put_beside(
    colour_photos: Path, tf2_module: Path, photo: Path, tmp_path: Path
) -> None:
    model = retraining.retrain(
        colour_photos, tfhub_module=str(tf2_module), bottleneck_dir=tmp_path, how_many_training_steps=300
    )
    folder = model.export(tmp_path / "flowers", format="saved_model")
    predicted = dict(retraining.load_classifier(folder).predict(photo)[0])
    assert max(predicted, key=predicted.__getitem__) == "magenta"
    for label, score in model.predict(photo)[0]:
        assert predicted[label] == pytest.approx(score, abs=1e-6)


def test_feature_maps_and_deep_dream_look_into_it_as_into_the_graph(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = []
    for graph in ("graph.pb", "saved"):
        assert feature_maps.main([f"--graph={finished / graph}", "--list_layers"]) == 0
        listed.append(capsys.readouterr().out)
    assert listed[0] == listed[1]
    more = [f"--labels={finished / 'labels.txt'}", "--class=cyan", "--steps=1", "--octaves=1"]
    assert deep_dream.main([f"--graph={finished / 'saved'}", *more, f"--output_dir={tmp_path}"]) == 0


def test_input_of_a_saved_model_has_the_attributes_of_the_graph(finished: Path, tmp_path: Path) -> None:
    graph_def = classifier_source.read(finished / "graph.pb")
    node = next(node for node in graph_def.node if node.name == "Placeholder")
    node.attr["_noted"].i = 12
    saved_model.write(FrozenGraph(graph_def, "Placeholder:0", "final_result:0"), tmp_path / "saved")
    read = {node.name: node for node in classifier_source.read(tmp_path / "saved").node}
    assert read["Placeholder"].attr["_noted"].i == 12


@pytest.mark.parametrize("graph", ["graph.pb", "saved"])
def test_finished_classifier_is_no_module(
    graph: str, finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = finished / graph
    assert retrain.main(words(finished / "photos", tmp_path, module=path)) == 2
    assert capsys.readouterr().err == (
        f"retrain: error: '{path}' is a finished classifier, which retrain.py wrote. To label images, give it to "
        "label_image.py with --graph; to retrain, name the module that it was made from.\n"
    )


def test_saved_model_of_the_older_retrain_is_a_classifier_and_no_module(tmp_path: Path) -> None:
    folder = tmp_path / "older"
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3])
        with tf.name_scope("final_retrain_ops"):
            weights = tf.compat.v1.get_variable("weights", initializer=np.eye(3, dtype=np.float32))
            logits = tf.matmul(tf.reduce_mean(images, [1, 2]), weights)
        result = tf.nn.softmax(logits, name="final_result")
        session.run(weights.initializer)
        tf.compat.v1.saved_model.simple_save(
            session, str(folder), inputs={"image": images}, outputs={"prediction": result}
        )
    (tmp_path / "older_labels.txt").write_text("red\ngreen\nblue\n")
    blue = np.full((8, 8, 3), [0, 0, 255], np.uint8)
    assert retraining.load_classifier(folder).predict(blue)[0][0].label == "blue"
    with pytest.raises(retraining.BadModule, match="is a finished classifier, which"):
        retraining.load_extractor(str(folder))


def test_layer_of_a_finished_classifier_can_be_named_as_features(finished: Path) -> None:
    extractor = retraining.load_extractor(
        str(finished / "graph.pb"), bottleneck_tensor_name="module/net/features"
    )
    assert extractor.feature_size == 8


def test_module_of_tensorflow_hub_is_no_classifier(
    finished: Path, tf1_hub_module: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labelled(finished, tf1_hub_module, photo) == 2
    assert capsys.readouterr().err == (
        f"label_image: error: graph '{tf1_hub_module}' is a module of TensorFlow Hub, not a classifier of your "
        "classes. Give it to retrain.py with --tfhub_module, and then what that writes to --graph.\n"
    )


def test_module_without_such_a_mark_is_told_by_what_it_gives(
    finished: Path, tf2_module: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labelled(finished, tf2_module, photo) == 2
    assert capsys.readouterr().err == (
        f"label_image: error: graph '{tf2_module}' gives 48 numbers for an image, but --labels names 3 classes: it is "
        "a module, which retrain.py takes with --tfhub_module, or a classifier of other classes.\n"
    )


class _Brightest(tf.Module):
    """Three scores: the mean of each channel, times a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(2.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32, "inputs")])
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.nn.softmax(tf.reduce_mean(inputs, [1, 2]) * self.scale)


def test_saved_model_of_others_with_variables_is_frozen(tmp_path: Path) -> None:
    module = _Brightest()
    tf.saved_model.save(module, str(tmp_path / "theirs"), signatures=module.__call__)
    (tmp_path / "theirs_labels.txt").write_text("red\ngreen\nblue\n")
    pixels = np.random.default_rng(0).random((8, 8, 3), np.float32)
    scores = dict(retraining.load_classifier(tmp_path / "theirs").predict(pixels)[0])
    expected = module(tf.constant(pixels[np.newaxis]))[0].numpy()
    np.testing.assert_allclose([scores["red"], scores["green"], scores["blue"]], expected, rtol=1e-5)


def test_saved_model_that_lacks_its_variables_is_incomplete(
    finished: Path, tmp_path: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = _Brightest()
    tf.saved_model.save(module, str(tmp_path / "cut"), signatures=module.__call__)
    (tmp_path / "cut" / "variables" / "variables.index").unlink()
    assert labelled(finished, tmp_path / "cut", photo) == 2
    assert capsys.readouterr().err == (
        f"label_image: error: module '{tmp_path / 'cut'}' is incomplete: it has no variables/variables.index. If a "
        "download was interrupted, delete the folder and run again.\n"
    )


def test_labels_are_inside_graph_and_saved_model(
    finished: Path, photo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labelled(finished, finished / "graph.pb", photo) == 0
    with_file = capsys.readouterr().out
    for name in ("graph.pb", "saved"):
        assert label_image.main([f"--graph={finished / name}", f"--image={photo}"]) == 0
        assert capsys.readouterr().out == with_file
