from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import label_image
from retraining.arrays import ImageSize
from retraining.cli.programs import LABEL_IMAGE
from retraining.data import file_kinds, images
from retraining.export import classifier_graph
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import graph_file
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import graph_classifier
from retraining.settings.training import TrainingSettings
from retraining.storage import labels_file
from retraining.training import trainer
from tests.conftest import COLOURS, Computed, checked, write_photo
from tests.data.test_leftovers import litter
from tests.image_files import encoded, unusable


@pytest.fixture(scope="module")
def exported(
    computed: Computed, extractor: FeatureExtractor, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A folder with graph.pb and labels.txt of a classifier of the three colours."""
    folder = tmp_path_factory.mktemp("exported")
    layer = trainer.train(computed.bottlenecks, TrainingSettings(how_many_training_steps=300))
    graph = classifier_graph.build(extractor, layer, "final_result")
    (folder / "graph.pb").write_bytes(graph_file.encode(graph))
    (folder / "labels.txt").write_bytes(labels_file.encode(computed.bottlenecks.dataset.labels))
    return folder


def write_pixel_classifier(folder: Path, *, batch: int | None, size: int | None) -> None:
    """Write a classifier whose two scores are the mean of its input pixels and a constant."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [batch, size, size, 3], "input")
        mean = tf.reduce_mean(pixels, [1, 2, 3], keepdims=True)[:, :, 0, 0]
        scores = tf.concat([mean, tf.zeros_like(mean)], axis=1)
        tf.identity(scores, "scores")
        tf.identity(scores * 100.0, "other")
    (folder / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    (folder / "labels.txt").write_text("mean\nzero\n")


def label(folder: Path, *words: str | Path) -> int:
    files = ["--graph", folder / "graph.pb", "--labels", folder / "labels.txt"]
    return label_image.main([str(word) for word in (*files, *words)])


def photo(folder: Path, colour: str) -> Path:
    path = folder / f"some {colour}.jpg"
    write_photo(path, COLOURS[colour], seed=9)
    return path


def test_one_image_prints_label_and_score_best_first(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(exported, "--image", photo(tmp_path, "magenta")) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 3
    assert lines[0][0] == "magenta"
    scores = [float(score) for _, score in lines]
    assert scores == sorted(scores, reverse=True)
    assert sum(scores) == pytest.approx(1, abs=1e-4)


def test_scores_are_those_of_training(exported: Path, computed: Computed) -> None:
    layer = trainer.train(computed.bottlenecks, TrainingSettings(how_many_training_steps=300))
    path = computed.bottlenecks.testing.paths[0]
    words = ["--graph", exported / "graph.pb", "--labels", exported / "labels.txt", "--image", path]
    settings = checked(LABEL_IMAGE, [str(word) for word in words])
    (labelled,) = graph_classifier.load(settings).classifier.classify([path], best=3)
    expected = layer.probabilities(computed.bottlenecks.testing.vectors[:1])[0]
    scores = {prediction.label: prediction.score for prediction in labelled.predictions}
    for name, probability in zip(computed.bottlenecks.dataset.labels, expected, strict=True):
        assert scores[name] == pytest.approx(float(probability), abs=1e-6)


def test_several_images_and_folders_are_printed_under_their_paths(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [photo(tmp_path / "folder", colour) for colour in ("cyan", "yellow")]
    (tmp_path / "folder" / ".hidden").write_bytes(b"no image")
    litter(tmp_path / "folder")
    single = photo(tmp_path, "magenta")
    words = ("--image", single, "--image", tmp_path / "folder", "--num_top_predictions", "1")
    assert label(exported, *words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == [str(single), *map(str, paths)]
    assert [line.split()[0] for line in lines[1::2]] == ["magenta", "cyan", "yellow"]


def test_leftover_of_the_system_that_is_named_is_no_image(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    litter(tmp_path)
    (tmp_path / "Thumbs.db").write_bytes(b"\xd0\xcf\x11\xe0 thumbnails")
    assert label(exported, "--image", tmp_path / "Thumbs.db") == 1
    assert capsys.readouterr().err.startswith(f"warning: {tmp_path / 'Thumbs.db'}: is not an image")


def test_images_of_all_formats_are_labelled_alike(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Image.open(photo(tmp_path, "magenta")) as opened:
        image = opened.convert("RGB")
    for kind in file_kinds.FORMATS:
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "folder" / kind).write_bytes(encoded(image, kind))
    assert label(exported, "--image", tmp_path / "folder", "--num_top_predictions", "1") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[::2] == sorted(str(tmp_path / "folder" / kind) for kind in file_kinds.FORMATS)
    assert [line.split()[0] for line in lines[1::2]] == ["magenta"] * len(file_kinds.FORMATS)


def test_folder_of_unusable_files_ends_with_status_1(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "folder").mkdir()
    for name in ("scan.pdf", "drawing.eps"):
        (tmp_path / "folder" / name).write_bytes(unusable()[name][0])
    assert label(exported, "--image", tmp_path / "folder") == 1
    assert capsys.readouterr().err.splitlines()[:2] == [
        f"warning: {tmp_path / 'folder' / 'drawing.eps'}: is an EPS drawing, which is not read; save it as "
        "JPEG or PNG.",
        f"warning: {tmp_path / 'folder' / 'scan.pdf'}: is a PDF document, not an image.",
    ]


def test_image_that_cannot_be_read_is_named_and_the_others_are_labelled(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"<html>")
    good = photo(tmp_path, "cyan")
    missing = tmp_path / "missing.jpg"
    words = ("--image", broken, "--image", good, "--image", missing, "--num_top_predictions", "1")
    assert label(exported, *words) == 1
    captured = capsys.readouterr()
    assert captured.out.splitlines()[0] == str(good)
    assert captured.out.splitlines()[1].startswith("cyan ")
    assert captured.err.splitlines() == [
        f"warning: {broken}: is a web page, not an image.",
        f"warning: {missing}: cannot be read (No such file or directory).",
        "label_image: error: 2 of 3 images could not be labelled, see above.",
    ]


def test_layers_of_the_tutorials_are_accepted(exported: Path, tmp_path: Path) -> None:
    path = photo(tmp_path, "cyan")
    for source, result in (
        ("Placeholder", "final_result"),
        ("import/Placeholder:0", "import/final_result:0"),
    ):
        assert label(exported, "--input_layer", source, "--output_layer", result, "--image", path) == 0


@pytest.mark.parametrize("batch", [None, 1])
def test_any_frozen_classifier_runs_with_its_flags(
    batch: int | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pixel_classifier(tmp_path, batch=batch, size=None)
    grey = [tmp_path / f"{index}.jpg" for index in range(3)]
    for index, path in enumerate(grey):
        write_photo(path, COLOURS["cyan"], seed=index)
    pixels = images.decode(grey[0].read_bytes(), ImageSize(16, 24)) * 255
    expected = float(((pixels - 127.5) / 2).mean())
    words = ["--input_height", "16", "--input_width", "24", "--input_mean", "127.5", "--input_std", "2"]
    words += ["--input_layer", "input", "--output_layer", "scores"]
    assert label(tmp_path, *words, *(word for path in grey for word in ("--image", path))) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(grey[0])
    assert float(lines[1].removeprefix("mean ")) == pytest.approx(expected, abs=1e-4)
    assert lines[2] == "zero 0.00000"
    assert lines[3::3] == [str(grey[1]), str(grey[2])]


def test_explicit_size_that_the_graph_does_not_take_is_refused(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(exported, "--input_height", "299", "--image", photo(tmp_path, "cyan")) == 2
    assert capsys.readouterr().err == (
        "label_image: error: --input_height 299 contradicts the graph, which takes 32. Leave it out.\n"
    )


def test_graph_of_any_size_asks_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pixel_classifier(tmp_path, batch=None, size=None)
    assert label(tmp_path, "--output_layer", "scores", "--image", photo(tmp_path, "cyan")) == 2
    assert capsys.readouterr().err == (
        "label_image: error: the graph takes images of any size: set --input_height.\n"
    )


def test_graph_with_two_outputs_asks_for_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_pixel_classifier(tmp_path, batch=None, size=8)
    assert label(tmp_path, "--image", photo(tmp_path, "cyan")) == 2
    assert capsys.readouterr().err == (
        f"label_image: error: graph '{tmp_path / 'graph.pb'}' has 2 outputs (scores, other). Name one with "
        "--output_layer.\n"
    )


def test_missing_layer_is_refused_with_likely_ones(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = photo(tmp_path, "cyan")
    assert label(exported, "--output_layer", "softmax", "--image", path) == 2
    assert label(exported, "--input_layer", "Mul", "--image", path) == 2
    assert capsys.readouterr().err == (
        "label_image: error: --output_layer 'softmax' is not an op of the graph. Likely ones: final_result.\n"
        "label_image: error: --input_layer 'Mul' is not an op of the graph. Likely ones: Placeholder.\n"
    )


def test_labels_of_another_training_are_refused_with_both_counts(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("one\ntwo\n")
    words = ["--graph", exported / "graph.pb", "--labels", tmp_path / "labels.txt"]
    words += ["--image", photo(tmp_path, "cyan")]
    assert label_image.main([str(word) for word in words]) == 2
    assert capsys.readouterr().err == (
        "label_image: error: the graph gives 3 scores, but --labels names 2 classes; they must come from the same training.\n"
    )


def test_missing_graph_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert label(tmp_path, "--image", "x.jpg") == 2
    assert capsys.readouterr().err == (
        f"label_image: error: --graph '{tmp_path / 'graph.pb'}' does not exist. retrain.py writes the graph and its labels.\n"
    )


def test_folder_without_files_is_refused(
    exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert label(exported, "--image", tmp_path) == 2
    assert capsys.readouterr().err == (
        "label_image: error: --image names only folders without files. Name an image, or a folder of images.\n"
    )


def test_existing_python_samples_read_the_graph(exported: Path, computed: Computed) -> None:
    """The steps of TensorFlow's own label_image.py sample, with its resize, on our graph."""
    graph = tf.Graph()
    graph_def = tf.compat.v1.GraphDef()
    graph_def.ParseFromString((exported / "graph.pb").read_bytes())
    with graph.as_default():
        tf.import_graph_def(graph_def)
    right = 0
    testing = computed.bottlenecks.testing
    for path, truth in zip(testing.paths, testing.labels, strict=True):
        decoded = tf.image.decode_jpeg(path.read_bytes(), channels=3)
        resized = tf.compat.v1.image.resize_bilinear(tf.cast(decoded, tf.float32)[tf.newaxis], [32, 32])
        normalized = ((resized - 0) / 255).numpy()
        with tf.compat.v1.Session(graph=graph) as session:
            operations = [
                graph.get_operation_by_name(f"import/{name}") for name in ("Placeholder", "final_result")
            ]
            results = session.run(operations[1].outputs[0], {operations[0].outputs[0]: normalized})
        right += int(np.squeeze(results).argmax() == truth)
    assert right == len(testing)
