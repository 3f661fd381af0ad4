"""Exports beside the graph: written, read back, judged, and only then put in place."""

from __future__ import annotations

import dataclasses
import errno
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from retraining.arrays import ImageSize, Pixels
from retraining.cli import format_table
from retraining.data.dataset import LabelledImage
from retraining.data.split import Split
from retraining.errors import BadRequest, WorkFailed
from retraining.export import trial as trials
from retraining.export import writers
from retraining.export.classifier_graph import ClassifierGraph
from retraining.export.exporter import Exporter
from retraining.export.judgement import Judgement
from retraining.export.trial import Trial
from retraining.export.writers import Writer
from retraining.graphs import graph_file, recorded
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import graph_classifier
from retraining.inference.image_classifier import ImageClassifier
from retraining.settings.formats import FORMATS, FROZEN_GRAPH, SAVED_MODEL, Format, format_of
from retraining.settings.label_image import GraphSettings
from tests import novel_images
from tests.conftest import Computed

LABELS = ("dark", "bright")
SIZE = ImageSize(4, 4)


def classifier_graph() -> ClassifierGraph:
    """Bright images are bright."""
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 4, 4, 3], "Placeholder")
        mean = tf.reduce_mean(pixels, [1, 2, 3])
        tf.nn.softmax(tf.stack([0.5 - mean, mean - 0.5], axis=1) * 20, name="final_result")
    graph_def = graph.as_graph_def()
    recorded.record(graph_def, labels=LABELS)
    return ClassifierGraph(FrozenGraph(graph_def, "Placeholder:0", "final_result:0"), LABELS, SIZE)


def plain(value: float) -> Pixels:
    return np.full((4, 4, 3), value, np.float32)


@pytest.fixture
def exporter() -> Exporter:
    classifier = classifier_graph()
    images = [plain(value) for value in (0.1, 0.2, 0.3, 0.9)]
    scores = classifier.classifier().scores(images)
    return Exporter(classifier, Trial(images, np.array([0, 0, 1, 1]), scores), lambda: iter(()))


def replace_writer(monkeypatch: pytest.MonkeyPatch, format: Format, **changes: object) -> None:
    changed = dataclasses.replace(writers.WRITERS[format.name], **changes)  # type: ignore[arg-type]
    monkeypatch.setitem(writers.WRITERS, format.name, changed)


def off_by(difference: float) -> object:
    """Return a reader whose classifier adds this to the first score."""

    def read(_: GraphSettings) -> ImageClassifier:
        exact = classifier_graph().classifier()
        return dataclasses.replace(
            exact, run=lambda pixels: exact.run(pixels) + np.array([difference, 0], np.float32)
        )

    return read


def test_every_format_is_written_beside_the_graph_under_its_name(exporter: Exporter, tmp_path: Path) -> None:
    judgements = exporter.write_all([FROZEN_GRAPH, SAVED_MODEL], tmp_path / "flowers.pb")
    assert [judgement.path.name for judgement in judgements] == ["flowers.pb", "flowers.saved_model"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["flowers.pb", "flowers.saved_model"]
    first = judgements[0]
    assert first.size == (tmp_path / "flowers.pb").stat().st_size
    assert (first.images, first.accuracy, first.exact_accuracy, first.same_answers) == (4, 0.75, 0.75, 1)
    assert first.largest_difference < 1e-6
    assert first.milliseconds > 0


def test_every_known_format_has_a_writer() -> None:
    assert set(writers.WRITERS) == set(FORMATS)


@pytest.mark.parametrize("difference", [0.002, float("nan")])
def test_format_that_disagrees_is_warned_of_and_not_left_behind(
    exporter: Exporter,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    difference: float,
) -> None:
    replace_writer(monkeypatch, FROZEN_GRAPH, read=off_by(difference))
    judgements = exporter.write_all([FROZEN_GRAPH, SAVED_MODEL], tmp_path / "flowers.pb")
    assert [judgement.format for judgement in judgements] == [SAVED_MODEL]
    assert [path.name for path in tmp_path.iterdir()] == ["flowers.saved_model"]
    if difference == difference:
        assert caplog.messages == [
            f"pb disagrees with the classifier by 0.002 in a score; '{tmp_path / 'flowers.pb'}' was not "
            "written. If another network does not help, please report it."
        ]


def test_file_of_an_earlier_run_stays_if_the_new_one_disagrees(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flowers.pb").write_text("earlier")
    replace_writer(monkeypatch, FROZEN_GRAPH, read=off_by(0.5))
    with pytest.raises(WorkFailed, match=r"disagrees with the classifier by 0\.5 in a score"):
        exporter.write(FROZEN_GRAPH, tmp_path / "flowers.pb")
    assert (tmp_path / "flowers.pb").read_text() == "earlier"


def test_network_that_cannot_be_converted_is_told_in_one_line(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("op Foo is not known.\nlong explanation")

    replace_writer(monkeypatch, FROZEN_GRAPH, write=fail)
    with pytest.raises(WorkFailed) as raised:
        exporter.write(FROZEN_GRAPH, tmp_path / "a.pb")
    assert str(raised.value) == (
        f"pb cannot be made of this network: op Foo is not known; '{tmp_path / 'a.pb'}' was not written."
    )


def test_full_disk_is_named(exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    replace_writer(monkeypatch, FROZEN_GRAPH, write=fail)
    with pytest.raises(WorkFailed) as raised:
        exporter.write(FROZEN_GRAPH, tmp_path / "a.pb")
    assert str(raised.value) == f"'{tmp_path / 'a.pb'}' cannot be written: No space left on device."
    assert list(tmp_path.iterdir()) == []


def test_format_that_gives_other_vectors_is_written_without_what_tells_unknown_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    network = novel_images.extractor()
    classifier = novel_images.classifier(network, novel_images.detector(network))
    exporter = Exporter(classifier, Trial.drawn(classifier.classifier()), lambda: iter(()))
    path = tmp_path / "flowers.pb"
    assert exporter.write(FROZEN_GRAPH, path).same_answers == 1
    assert recorded.novelty(graph_file.read(path)) == classifier.novelty
    assert caplog.messages == []

    def other_vectors(settings: GraphSettings) -> ImageClassifier:
        read = graph_classifier.load(settings).classifier
        if read.novelty is None:
            return read
        run = read.novelty.run
        turned = dataclasses.replace(read.novelty, run=lambda pixels: run(pixels)[:, ::-1])
        return dataclasses.replace(read, novelty=turned)

    replace_writer(monkeypatch, FROZEN_GRAPH, read=other_vectors)
    assert exporter.write(FROZEN_GRAPH, path).same_answers == 1
    assert recorded.novelty(graph_file.read(path)) == b""
    assert caplog.messages == [
        f"pb gives other feature vectors than the classifier, so '{path}' cannot be used to tell images that are "
        "unlike any class."
    ]


def test_labels_inside_must_be_those_of_the_classifier(
    exporter: Exporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(_: GraphSettings) -> ImageClassifier:
        return dataclasses.replace(classifier_graph().classifier(), labels=("bright", "dark"))

    replace_writer(monkeypatch, FROZEN_GRAPH, read=read)
    with pytest.raises(WorkFailed) as raised:
        exporter.write(FROZEN_GRAPH, tmp_path / "a.pb")
    assert str(raised.value) == (
        "pb cannot be read back: its labels are not those of the classifier. "
        f"'{tmp_path / 'a.pb'}' was not written. Please report it."
    )


def test_folder_of_an_earlier_export_is_replaced_and_what_else_is_in_it_stays(
    exporter: Exporter, tmp_path: Path
) -> None:
    folder = tmp_path / "a.saved_model"
    folder.mkdir()
    (folder / "saved_model.pb").write_text("earlier")
    (folder / "notes.txt").write_text("mine")
    exporter.write(SAVED_MODEL, folder)
    assert (folder / "notes.txt").read_text() == "mine"
    assert (folder / "saved_model.pb").stat().st_size > 100


def judgement(accuracy: float, format: Format = FROZEN_GRAPH) -> Judgement:
    return Judgement(
        format=dataclasses.replace(format, name="tflite-int8", tolerance=None),
        path=Path("a"),
        size=1_800_000,
        images=200,
        accuracy=accuracy,
        exact_accuracy=0.905,
        same_answers=0.95,
        largest_difference=0.3,
        milliseconds=1.234,
    )


def test_rounding_that_costs_more_than_two_points_is_warned_of_with_a_cure() -> None:
    assert judgement(0.886).warning() is None
    assert judgement(0.95).warning() is None
    assert str(judgement(0.88).warning()) == (
        "tflite-int8 loses 2.5 points of accuracy (90.5% to 88.0%, N=200). Add images, which show the "
        "quantizer more, use tflite-float16, or retrain another network."
    )
    assert not judgement(0.1).disagrees()


def test_table_shows_the_classifier_and_each_file() -> None:
    assert format_table.judged([judgement(0.88)]) == [
        "format       file    size  accuracy  same answers  largest difference  ms an image",
        "classifier                    90.5%",
        "tflite-int8  a     1.8 MB     88.0%         95.0%                 0.3          1.2",
    ]


def test_list_of_formats_names_each_with_its_file_and_readers() -> None:
    lines = format_table.known().splitlines()
    assert re.split(r"  +", lines[0]) == ["format", "file", "size*", "who reads it", "needs"]
    assert [line.split()[0] for line in lines[1:-1]] == list(FORMATS)
    assert lines[-1] == "* of the built-in network with five classes"


def test_trial_has_the_test_images_with_their_labels(computed: Computed) -> None:
    dataset = computed.bottlenecks.dataset
    exact = dataclasses.replace(classifier_graph().classifier(), labels=LABELS)
    trial = Trial.of_dataset(dataset, exact)
    tested = [image for image in dataset.images if image.split is Split.TESTING]
    assert list(trial.images) == [image.path for image in tested]
    assert trial.labels is not None
    assert trial.labels.tolist() == [image.label for image in tested]
    assert trial.scores.shape == (len(tested), 2)


def test_trial_leaves_out_files_that_cannot_be_used(computed: Computed, tmp_path: Path) -> None:
    dataset, exact = computed.bottlenecks.dataset, classifier_graph().classifier()
    gone = LabelledImage(str(tmp_path / "gone.jpg"), 0, Split.TESTING)
    usable = Trial.of_dataset(dataset, exact)
    trial = Trial.of_dataset(dataclasses.replace(dataset, images=(gone, *dataset.images)), exact)
    assert list(trial.images) == list(usable.images)
    np.testing.assert_array_equal(trial.scores, usable.scores)
    made_up = Trial.of_dataset(dataclasses.replace(dataset, images=(gone,)), exact)
    np.testing.assert_array_equal(made_up.images, Trial.drawn(exact).images)


def test_drawn_images_are_the_same_each_time_and_differ_from_one_another() -> None:
    exact = classifier_graph().classifier()
    one, other = Trial.drawn(exact), Trial.drawn(exact)
    np.testing.assert_array_equal(one.images, other.images)
    assert len({image.tobytes() for image in one.images if isinstance(image, np.ndarray)}) == 16


def test_samples_are_training_images_drawn_by_seed(
    computed: Computed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trials, "SAMPLES", 5)
    dataset = computed.bottlenecks.dataset

    def drawn(seed: int) -> list[bytes]:
        found: Iterator[Pixels] = trials.samples(dataset, SIZE, seed)
        return [pixels.tobytes() for pixels in found]

    assert len(drawn(0)) == 5
    assert drawn(0) == drawn(0) != drawn(1)
    only_tested = dataclasses.replace(
        dataset, images=tuple(image for image in dataset.images if image.split is Split.TESTING)
    )
    assert list(trials.samples(only_tested, SIZE, 0)) == []


@pytest.mark.parametrize(
    ("path", "name", "expected"),
    [
        ("a.pb", None, "pb"),
        ("a", None, "saved_model"),
        ("a.v2.pb", None, "pb"),
        ("a.saved_model", None, "saved_model"),
        ("a.anything", "pb", "pb"),
    ],
)
def test_format_is_the_one_named_or_that_of_the_ending(path: str, name: str | None, expected: str) -> None:
    assert format_of(Path(path), name).name == expected


def test_unknown_ending_is_refused() -> None:
    with pytest.raises(BadRequest) as raised:
        format_of(Path("a.caffemodel"), None)
    assert str(raised.value) == f"format must be one of {', '.join(FORMATS)}, received '.caffemodel'."


def test_writer_reads_by_content_unless_it_says_otherwise() -> None:
    assert Writer(lambda *_: None).read.__module__ == "retraining.inference.loading"
