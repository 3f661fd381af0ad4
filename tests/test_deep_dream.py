from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import label_image
import retrain
from retraining import deep_dream
from retraining.cli.programs import DEEP_DREAM
from retraining.graphs.quiet_tensorflow import tf
from tests.conftest import COLOURS, PROJECT, refused, write_photo
from tests.test_retrain import words
from tests.visualization.test_inspected_network import (
    LISTED,
    SIZE,
    write_known_graph,
    write_network,
    write_tf1_hub_module,
)

QUICK = ("--octaves", "2", "--steps", "4")


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_network(tmp_path_factory.mktemp("network"))


def dream(*words: str | Path) -> int:
    return deep_dream.main([str(word) for word in words])


def rises(output: str) -> dict[str, tuple[float, float]]:
    """Return the values before and after of each picture in the output."""
    number = r"(-?[\d.e+-]+)"
    lines = re.findall(
        rf"^(.+): (?:logit|mean activation) {number} before, {number} after: ", output, re.MULTILINE
    )
    return {name: (float(before), float(after)) for name, before, after in lines}


def assert_rises(output: str, *names: str) -> None:
    found = rises(output)
    assert list(found) == list(names)
    assert all(before < after for before, after in found.values()), found


def test_activation_rises_on_a_retrained_graph(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dream("--graph", graph, "--layers", "second,last", "--output_dir", tmp_path, *QUICK) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert_rises(captured.out, "second", "last")
    side = round(SIZE * 1.4)
    for name in ("second", "last"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert (picture.format, picture.mode, picture.size) == ("PNG", "RGB", (side, side))


def test_activation_rises_on_a_hub_module_if_no_layer_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = write_tf1_hub_module(tmp_path / "hub")
    assert dream("--tfhub_module", module, "--output_dir", tmp_path, *QUICK) == 0
    assert_rises(capsys.readouterr().out, "last")


def test_activation_rises_on_a_frozen_graph_with_a_batch_size_of_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_known_graph(tmp_path / "net.pb")
    assert (
        dream("--graph", path, "--layers", "Conv2d_0", "--channel", "3", "--output_dir", tmp_path, *QUICK)
        == 0
    )
    assert_rises(capsys.readouterr().out, "Conv2d_0 channel 3")


def test_activation_rises_on_a_keras_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--tfhub_module", "keras:MobileNet?weights=random", "--image_size", "32", "--layers", "conv1_1")
    assert dream(*words, "--output_dir", tmp_path, *QUICK) == 0
    assert_rises(capsys.readouterr().out, "conv1_1")


def test_image_keeps_its_proportions_and_its_subject(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_photo(tmp_path / "photo.jpg", COLOURS["cyan"], seed=1)  # 60 wide, 40 high
    words = ("--image", tmp_path / "photo.jpg", "--layers", "last", "--step_size", "1")
    assert dream("--graph", graph, *words, "--output_dir", tmp_path, *QUICK) == 0
    assert_rises(capsys.readouterr().out, "last")
    with Image.open(tmp_path / "last.png") as picture:
        assert picture.size == (round(SIZE * 1.5 * 1.4), round(SIZE * 1.4))
        red, green, blue = np.asarray(picture).reshape(-1, 3).mean(axis=0)
    assert red + 80 < min(green, blue)


def test_all_layers_are_drawn_deepest_first_and_put_on_one_page(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert dream("--graph", graph, "--layers", "all", "--output_dir", tmp_path, *QUICK) == 0
    output = capsys.readouterr().out
    assert_rises(output, "last", "third", "second", "first")
    assert output.splitlines()[-1] == f"All on one page: {tmp_path / 'contact_sheet.png'}"
    written = sorted(path.stem for path in tmp_path.iterdir())
    assert written == ["contact_sheet", "first", "last", "second", "third"]


def test_picture_of_a_class_is_classified_as_that_class_with_over_90_percent(
    colour_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module = write_tf1_hub_module(tmp_path / "hub")
    training = ("--learning_rate", "1", "--how_many_training_steps", "2000")
    assert retrain.main(words(colour_photos, tmp_path, *training, module=module)) == 0
    files = ("--graph", tmp_path / "graph.pb", "--labels", tmp_path / "labels.txt")
    for label in COLOURS:
        capsys.readouterr()
        assert dream(*files, "--class", label, "--output_dir", tmp_path) == 0
        output = capsys.readouterr().out
        assert_rises(output, label)
        assert label_image.main([str(word) for word in (*files, "--image", tmp_path / f"{label}.png")]) == 0
        best, score = capsys.readouterr().out.splitlines()[0].split()
        assert best == label
        assert float(score) > 0.9
        printed = re.fullmatch(rf"Predicted: {label} ([\d.]+)%", output.splitlines()[-1])
        assert printed is not None
        assert float(printed[1]) == pytest.approx(100 * float(score), abs=0.06)


def test_layer_that_nothing_excites_still_does_not_end_lower_than_it_started(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, 16, 16, 3], "Placeholder")
        edges = tf.constant([[1.0, -1.0]])[..., tf.newaxis, tf.newaxis] * tf.ones([1, 2, 3, 1])
        maps = tf.negative(tf.square(tf.nn.conv2d(images, edges, 1, "VALID")), name="flatness")
        tf.reduce_mean(maps, [1, 2], name="features")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    words = ("--graph", tmp_path / "graph.pb", "--layers", "network/flatness", "--step_size", "50")
    assert dream(*words, "--steps", "8", "--octaves", "2", "--output_dir", tmp_path) == 0
    ((before, after),) = rises(capsys.readouterr().out).values()
    assert before < after < 0


def test_layer_without_a_gradient_is_reported_as_dead(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graph = tf.Graph()
    with graph.as_default():
        images = tf.compat.v1.placeholder(tf.float32, [None, 16, 16, 3], "Placeholder")
        maps = tf.nn.conv2d(images, tf.ones([3, 3, 3, 2]), 1, "SAME", name="alive")
        maps = tf.nn.conv2d(tf.nn.relu(maps - 100.0), tf.ones([3, 3, 2, 2]), 1, "SAME", name="dead")
        tf.reduce_mean(maps, [1, 2], name="features")
    (tmp_path / "graph.pb").write_bytes(graph.as_graph_def().SerializeToString())
    words = ("--graph", tmp_path / "graph.pb", "--layers", "dead,alive", "--output_dir", tmp_path)
    assert dream(*words, *QUICK) == 0
    captured = capsys.readouterr()
    found = rises(captured.out)
    assert found["dead"] == (0, 0)
    assert found["alive"][0] < found["alive"][1]
    assert captured.err == (
        "warning: dead is dead: its gradient is zero, so no step can raise it. Start from another image, with "
        "--image.\n"
    )


def test_low_probability_of_the_class_gives_a_warning_with_a_remedy(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--labels", graph.with_name("labels.txt"), "--class", "cyan", "--output_dir", tmp_path)
    assert dream("--graph", graph, *words, "--octaves", "1", "--steps", "1") == 0
    captured = capsys.readouterr()
    printed = re.fullmatch(r"Predicted: cyan ([\d.]+)%", captured.out.splitlines()[-1])
    assert printed is not None
    assert float(printed[1]) < 90
    assert captured.err == (
        "warning: cyan is below 90% for its own picture. Try more --steps or --octaves, or another --seed.\n"
    )


def test_deep_dream_of_a_network_trained_by_compare(
    alexnet_weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--network", "alexnet", "--weights", alexnet_weights, "--output_dir", tmp_path)
    assert dream(*words, *QUICK) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert_rises(captured.out, "conv4_pre_relu")


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not(graph: Path, tmp_path: Path) -> None:
    files = ("--graph", graph, "--labels", graph.with_name("labels.txt"))
    for flags, name in ((("--layers", "last"), "last"), (("--class", "cyan"), "cyan")):
        pictures = []
        for out, seed in (("a", 7), ("b", 7), ("c", 8)):
            assert dream(*files, *flags, "--seed", str(seed), "--output_dir", tmp_path / out, *QUICK) == 0
            pictures.append((tmp_path / out / f"{name}.png").read_bytes())
        assert pictures[0] == pictures[1] != pictures[2]


def test_layer_gives_the_same_picture_alone_and_among_others(graph: Path, tmp_path: Path) -> None:
    for out, layers in (("alone", "second"), ("together", "all")):
        assert dream("--graph", graph, "--layers", layers, "--output_dir", tmp_path / out, *QUICK) == 0
    alone, together = (tmp_path / out / "second.png" for out in ("alone", "together"))
    assert alone.read_bytes() == together.read_bytes()


def test_layers_are_listed(graph: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert dream("--graph", graph, "--list_layers") == 0
    assert capsys.readouterr().out == f"{LISTED}\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "--class cyan --layers last",
            "--class raises a logit, --layers and --channel raise an activation. Give one or the other.",
        ),
        ("--channel 3", "--channel needs a layer. Name it with --layers."),
        ("--layers all --channel 3", "--channel needs a layer. Name it with --layers."),
        ("--octave_scale 1", "--octave_scale must be a number greater than 1, received '1'."),
    ],
)
def test_flags_that_contradict_each_other_are_refused(words: str, message: str) -> None:
    assert refused(DEEP_DREAM, ["--tfhub_module", "builtin", *words.split()]) == message


def test_class_is_refused_without_a_graph(graph: Path) -> None:
    labels = graph.with_name("labels.txt")
    assert (
        refused(DEEP_DREAM, ["--tfhub_module", "builtin", "--class", "cyan", "--labels", str(labels)])
        == "--class needs a --graph with its --labels, as retrain.py writes them."
    )


def test_request_that_does_not_fit_the_network_is_refused_in_one_line_and_writes_nothing(
    graph: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    labels, other = graph.with_name("labels.txt"), tmp_path / "other.txt"
    other.write_text("cyan\nred\n")
    for flags, message in (
        (
            ("--class", "cyan", "--labels", "/nowhere"),
            "--labels '/nowhere' does not exist. retrain.py writes the graph and its labels.",
        ),
        (
            ("--image", "/nowhere.jpg"),
            "--image '/nowhere.jpg' cannot be read (No such file or directory). Give an image.",
        ),
        (
            ("--class", "cyn", "--labels", labels),
            f"--class 'cyn' is not one of the labels in '{labels}'. Did you mean cyan?",
        ),
        (
            ("--class", "cyan", "--labels", other),
            "the graph gives 3 scores, but --labels names 2 classes; they must come from the same training.",
        ),
        (
            ("--layers", "lst"),
            "--layers 'lst' is not a layer of graph with feature maps. Did you mean last or first?",
        ),
        (("--layers", "first", "--channel", "6"), "--channel of first must be from 0 to 5, received 6."),
    ):
        assert dream("--graph", graph, *flags, "--output_dir", tmp_path / "out") == 2
        assert capsys.readouterr().err == f"deep_dream: error: {message}\n"
        assert not (tmp_path / "out").exists()


def test_mistakes_are_reported_without_importing_tensorflow() -> None:
    code = (
        "import sys\n"
        "from retraining import deep_dream, feature_maps\n"
        "assert deep_dream.main(['--tfhub_module', 'builtin', '--octaves', '0']) == 2\n"
        "assert feature_maps.main(['--network', 'vgg17', '--list_layers']) == 2\n"
        "sys.exit('tensorflow' in sys.modules)"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, check=False).returncode
        == 0
    )
