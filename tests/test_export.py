"""python -m retraining.export, as a user calls it."""

from __future__ import annotations

from pathlib import Path

import pytest

import retraining
from retraining.cli.programs import EXPORT
from retraining.export import __main__ as export
from retraining.graphs.quiet_tensorflow import tf
from retraining.model import RetrainedModel
from tests.conftest import COLOURS, refused, write_colour_photos, write_photo


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_photos(tmp_path_factory.mktemp("colours") / "photos")


@pytest.fixture(scope="module")
def model(photos: Path, tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> RetrainedModel:
    return retraining.retrain(
        photos,
        tfhub_module=str(tf2_module),
        bottleneck_dir=tmp_path_factory.mktemp("vectors"),
        how_many_training_steps=200,
    )


@pytest.fixture
def graph(model: RetrainedModel, tmp_path: Path) -> Path:
    return model.export(tmp_path / "colours.pb")


def old_graph(path: Path) -> Path:
    """Write a graph that records no labels and takes pixel values of -1 to 1."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "input")
        tf.nn.softmax(tf.reduce_mean(pixels, [1, 2]) * 9, name="scores")
    path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def test_formats_are_written_beside_the_graph_and_judged_on_the_test_images(
    graph: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert export.main(["--graph", str(graph), "--image_dir", str(photos), "saved_model"]) == 0
    printed = capsys.readouterr().out.splitlines()
    count = len(retraining.scan(photos).images) // 10
    heading = next(line for line in printed if line.startswith("Each file"))
    assert heading.endswith(" held-out images:")
    assert int(heading.split()[-3]) >= count // 2
    assert printed[-3].split() == ["classifier", "100.0%"]
    assert printed[-2].split()[:2] == ["saved_model", "colours.saved_model"]
    assert printed[-1] == f"They are in {graph.parent}"
    classifier = retraining.load_classifier(graph.with_name("colours.saved_model"))
    write_photo(graph.with_name("photo.jpg"), COLOURS["magenta"], seed=7)
    assert classifier.predict(graph.with_name("photo.jpg"))[0][0].label == "magenta"


def test_any_other_graph_is_exported_with_its_labels_and_scaling_inside(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "labels.txt").write_text("red\ngreen\nblue\n")
    graph = old_graph(tmp_path / "old.pb")
    flags = ["--labels", str(tmp_path / "labels.txt"), "--input_mean", "127.5", "--input_std", "127.5"]
    assert export.main(["--graph", str(graph), *flags, "saved_model"]) == 0
    assert "Each file was read back and run on 16 made-up images:" in capsys.readouterr().out
    assert retraining.load_classifier(tmp_path / "old.saved_model").labels == ("red", "green", "blue")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("", "FORMAT is required: one or more of pb, saved_model"),
        ("tf", "FORMAT must be formats of pb, saved_model"),
        ("pb pb", "FORMAT names 'pb' twice. Name it once."),
        ("pb", "--graph '{graph}' has the format pb already. Leave it out."),
        ("saved_model --graph nowhere.pb", "--graph 'nowhere.pb' does not exist. retrain.py writes"),
        ("saved_model --labels nowhere.txt", "--labels 'nowhere.txt' does not exist. retrain.py writes"),
    ],
)
def test_bad_requests_are_refused_before_any_work(words: str, message: str, tmp_path: Path) -> None:
    graph = old_graph(tmp_path / "old.pb")
    said = refused(EXPORT, ["--graph", str(graph), *words.split()])
    assert said.startswith(message.replace("{graph}", str(graph)))


def test_folder_of_other_classes_is_refused(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for label in ("cats", "dogs"):
        (tmp_path / "pets" / label).mkdir(parents=True)
        for seed in range(30):
            write_photo(tmp_path / "pets" / label / f"{seed}.jpg", COLOURS["magenta"], seed=seed)
    words = ["--graph", str(graph), "--image_dir", str(tmp_path / "pets"), "saved_model"]
    assert export.main(words) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "export: error: the images have the classes cats, dogs, and the graph cyan, magenta, yellow; give "
        "those that the graph was trained on, or none."
    )
