from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from retraining.comparison import candidate, comparison
from retraining.comparison.candidate import Candidate
from retraining.data import dataset
from retraining.export import classifier_graph
from retraining.graphs.frozen_graph import FrozenGraph, count_parameters, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.simplification import with_float32_weights
from retraining.networks import construction, image_batches
from retraining.networks.image_batches import UsableImages
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import CompareSettings, ComparisonSettings
from retraining.settings.data import DataSettings
from retraining.settings.export import ExportSettings
from tests.conftest import write_colour_photos


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> UsableImages:
    folder = write_colour_photos(tmp_path_factory.mktemp("colours"))
    return image_batches.usable_images(dataset.scan(DataSettings(folder)))


def settings_for(out: Path, *models: str) -> CompareSettings:
    return CompareSettings(
        data=DataSettings(out),
        comparison=ComparisonSettings(
            models=models,
            epochs=3,
            image_size=67,
            width=0.05,
            how_many_training_steps=100,
            bottleneck_dir=out / "bottlenecks",
            output_dir=out,
        ),
        augmentation=AugmentationSettings(),
        export=ExportSettings(),
    )


@pytest.fixture(scope="module")
def alexnet(images: UsableImages, tmp_path_factory: pytest.TempPathFactory) -> Candidate:
    settings = settings_for(tmp_path_factory.mktemp("out"), "alexnet")
    return candidate.train("alexnet", "adam", images, settings, on_epoch=lambda *_: None)


def graph_of(trained: Candidate) -> FrozenGraph:
    return classifier_graph.build(trained.model.extractor, trained.model.layer, "final_result")


def test_network_split_in_two_gives_the_same_results(alexnet: Candidate) -> None:
    assert alexnet.weights is not None
    network = construction.read_network(alexnet.weights)
    pixels = np.random.default_rng(0).random((5, 67, 67, 3), np.float32)
    expected = network(pixels, training=False).numpy()
    np.testing.assert_allclose(forward(graph_of(alexnet))(pixels), expected, rtol=1e-3, atol=1e-6)
    assert count_parameters(graph_of(alexnet)) == network.count_params()


def test_network_has_the_accuracy_of_its_last_epoch(alexnet: Candidate) -> None:
    testing = alexnet.model.bottlenecks.testing
    hits = alexnet.model.layer.probabilities(testing.vectors).argmax(axis=1) == testing.labels
    assert alexnet.curve.epochs[-1].testing is not None
    assert hits.mean() == pytest.approx(alexnet.curve.epochs[-1].testing.accuracy)


def retrained(handle: str, images: UsableImages, settings: CompareSettings) -> Candidate:
    return candidate.retrain(
        handle, comparison.load_modules(settings, images.dataset)[handle], images, settings
    )


def test_module_has_as_many_epochs_as_a_network(
    images: UsableImages, tf2_module: Path, tmp_path: Path
) -> None:
    model = retrained(str(tf2_module), images, settings_for(tmp_path, str(tf2_module)))
    assert model.title == "colour_grid"
    assert len(model.curve.epochs) == 3
    losses = [epoch.training.cross_entropy for epoch in model.curve.epochs]
    assert losses == sorted(losses, reverse=True)
    assert count_parameters(graph_of(model)) == 48 * 3 + 3 + 48


def test_modules_with_the_same_name_get_different_titles(
    images: UsableImages, tf2_module: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / tf2_module.name
    shutil.copytree(tf2_module, copy)
    both = settings_for(tmp_path, str(tf2_module), str(copy))
    model = retrained(str(copy), images, both)
    assert model.title == f"colour_grid-{model.model.extractor.fingerprint[:8]}"
    assert (tmp_path / "logs" / model.title / "train").is_dir()


def test_half_precision_weights_count_as_parameters() -> None:
    graph = tf.Graph()
    with graph.as_default():
        tf.constant(np.zeros((3, 4), np.float16))
        tf.constant(np.zeros((5,), np.float32))
        tf.constant(1.5)
        tf.constant([1, 2, 3])
    assert count_parameters(FrozenGraph(graph.as_graph_def(), "", "")) == 17


def test_weights_in_bytes_count_as_parameters_and_their_steps_do_not() -> None:
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 3])
        weights = tf.cast(tf.constant(np.ones((3, 4), np.int8)), tf.float32) * np.ones((1, 4), np.float32)
        output = tf.matmul(pixels, weights) + np.ones(4, np.float32)
    frozen = FrozenGraph(graph.as_graph_def(), pixels.name, output.name)
    assert count_parameters(with_float32_weights(frozen)) == 3 * 4 + 4
