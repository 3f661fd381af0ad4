"""Images with 10 or 12 bits, from the training to the last program that uses the graph: read alike everywhere."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import label_image
import retrain
import retraining
from retraining import compare, feature_maps
from retraining.arrays import ImageSize
from retraining.data import dataset, images
from retraining.export import saved_model
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.graphs import graph_file, recorded
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference.sources import ImageSource
from retraining.model import RetrainedModel
from retraining.networks import checkpoint, construction, image_batches
from retraining.networks.checkpoint import Description
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.network import NetworkSettings
from retraining.visualization import inspected_network
from tests.deep_images import grey_tiff, in_bits, plate, write_plates
from tests.image_files import encoded
from tests.test_retrain import words

DECIDED = (
    "24 16-bit images do not record how many of their bits are used; the largest value in them is 4,015, so "
    "they are read as 12-bit."
)


def compute(
    folder: Path, extractor: FeatureExtractor, cache_dir: Path, *, bits: int | None = None
) -> Bottlenecks:
    scanned = dataset.scan(DataSettings(folder, significant_bits=bits))
    return bottlenecks.compute(scanned, extractor, BottleneckCache(cache_dir, extractor))


def vectors(result: Bottlenecks) -> dict[str, np.ndarray]:
    sets = (result.training, result.validation, result.testing)
    return {path.name: row for some in sets for path, row in zip(some.paths, some.vectors, strict=True)}


def assert_same_vectors(some: Bottlenecks, others: Bottlenecks) -> None:
    expected, found = vectors(some), vectors(others)
    assert found.keys() == expected.keys()
    for name, vector in expected.items():
        np.testing.assert_array_equal(found[name], vector)


@pytest.fixture(scope="module")
def plates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 TIFFs with 12-bit values that do not record it."""
    return write_plates(tmp_path_factory.mktemp("plates") / "plates")


@pytest.fixture(scope="module")
def model(plates: Path, tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> RetrainedModel:
    return retraining.retrain(
        plates,
        tfhub_module=str(tf2_module),
        bottleneck_dir=tmp_path_factory.mktemp("vectors"),
        how_many_training_steps=200,
    )


@pytest.fixture(scope="module")
def exported(model: RetrainedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return model.export(tmp_path_factory.mktemp("exported") / "plates.pb")


@pytest.fixture
def twelve_bits(tmp_path: Path) -> Path:
    """A 12-bit TIFF that does not record it, and that no model was trained on."""
    path = tmp_path / "new.tif"
    path.write_bytes(grey_tiff(in_bits(plate(is_above=True, seed=999), 12)))
    return path


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("recorded", [True, False])
def test_vectors_are_those_of_the_same_images_in_8_bits(
    bits: int, recorded: bool, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    deep = write_plates(tmp_path / "deep", bits=bits, recorded=recorded)
    shallow = write_plates(tmp_path / "shallow", bits=8)
    found = compute(deep, extractor, tmp_path / "cache")
    assert_same_vectors(compute(shallow, extractor, tmp_path / "cache"), found)
    assert found.dataset.significant_bits == (None if recorded else bits)


def test_decision_is_said_once_and_kept(
    plates: Path, extractor: FeatureExtractor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        first = compute(plates, extractor, tmp_path / "cache")
    assert [message for message in caplog.messages if "16-bit" in message] == [DECIDED]
    assert_same_vectors(first, compute(plates, extractor, tmp_path / "cache"))


def test_one_bright_image_keeps_16_bits_for_all(extractor: FeatureExtractor, tmp_path: Path) -> None:
    folder = write_plates(tmp_path / "plates")
    before = compute(folder, extractor, tmp_path / "cache")
    (folder / "above" / "above_000.tif").write_bytes(grey_tiff(np.full((40, 40), 50_000, np.uint16)))
    after = compute(folder, extractor, tmp_path / "cache")
    assert (before.dataset.significant_bits, after.dataset.significant_bits) == (12, 16)
    dark, bright = vectors(after)["below_003.tif"], vectors(before)["below_003.tif"]
    np.testing.assert_allclose(dark, bright / 16.06, atol=0.05)


def test_images_that_record_their_bits_have_no_say(extractor: FeatureExtractor, tmp_path: Path) -> None:
    folder = write_plates(tmp_path / "plates", bits=10)
    (folder / "above" / "recorded.tif").write_bytes(
        grey_tiff(np.full((40, 40), 4000, np.uint16), tag_281=4095)
    )
    assert compute(folder, extractor, tmp_path / "cache").dataset.significant_bits == 10


def test_setting_overrides_the_decision_and_skips_what_takes_more_bits(
    extractor: FeatureExtractor, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write_plates(tmp_path / "plates", bits=10)
    (folder / "above" / "bright.tif").write_bytes(grey_tiff(np.full((40, 40), 9000, np.uint16)))
    found = compute(folder, extractor, tmp_path / "cache", bits=12)
    assert "16-bit" not in caplog.text
    assert found.dataset.significant_bits == 12
    assert [(skipped.path.name, skipped.reason) for skipped in found.skipped] == [
        ("bright.tif", "has values up to 9,000, but 12 significant bits hold at most 4,095")
    ]


def test_keys_depend_on_the_bits_and_those_of_ordinary_images_do_not(
    colour_photos: Path, plates: Path, extractor: FeatureExtractor, tmp_path: Path
) -> None:
    results = [compute(plates, extractor, tmp_path / "cache", bits=bits) for bits in (12, 14, 16)]
    assert len({key for result in results for key in result.training.keys}) == 3 * len(results[0].training)
    full = results[-1].training
    assert full.keys == tuple(images.digest(path.read_bytes()) for path in full.paths)
    ordinary = compute(colour_photos, extractor, tmp_path / "cache", bits=12).training
    assert ordinary.keys == tuple(images.digest(path.read_bytes()) for path in ordinary.paths)


def test_ordinary_images_are_not_decoded_to_find_their_depth(
    colour_photos: Path, extractor: FeatureExtractor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute(colour_photos, extractor, tmp_path / "cache")
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("decoded"))
    compute(colour_photos, extractor, tmp_path / "cache")


def test_random_views_are_those_of_the_same_images_in_8_bits(
    extractor: FeatureExtractor, tmp_path: Path
) -> None:
    views = Views(AugmentationSettings(random_crop=20, distorted_views=2))
    means = []
    for bits in (8, 12):
        folder = write_plates(tmp_path / str(bits), bits=bits)
        cache = BottleneckCache(tmp_path / "cache", extractor)
        found = bottlenecks.compute(dataset.scan(DataSettings(folder)), extractor, cache, views)
        means.append(found.training.vectors.mean())
    assert means[1] == pytest.approx(means[0], rel=0.05)


def test_networks_from_scratch_see_the_same_images_in_8_bits(tmp_path: Path) -> None:
    seen, fingerprints = [], []
    for bits in (8, 12):
        folder = write_plates(tmp_path / str(bits), bits=bits)
        found = image_batches.usable_images(dataset.scan(DataSettings(folder)))
        size, used = ImageSize(20, 20), found.dataset.significant_bits
        seen.append(
            [
                *image_batches.batches_in_order(found.dataset.images, size, 24, significant_bits=used),
                *image_batches.shuffled_batches(
                    found.dataset.images,
                    size,
                    24,
                    augmentation=AugmentationSettings(),
                    seed=(3,),
                    significant_bits=used,
                ),
            ]
        )
        fingerprints.append(found.fingerprint)
    for one, other in zip(*seen, strict=True):
        np.testing.assert_array_equal(one.pixels, other.pixels)
    scanned = dataset.scan(DataSettings(tmp_path / "12", significant_bits=14))
    assert image_batches.usable_images(scanned).fingerprint not in fingerprints


def test_graph_and_saved_model_record_the_bits(model: RetrainedModel, exported: Path, tmp_path: Path) -> None:
    assert model.significant_bits == 12
    assert recorded.significant_bits(graph_file.read(exported)) == 12
    folder = model.export(tmp_path / "saved", format="saved_model")
    run = saved_model.read(folder)
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    np.testing.assert_allclose(run(pixels), model.probabilities(pixels), atol=1e-6)
    assert b"_significant_bits" in (folder / "saved_model.pb").read_bytes()


def test_exported_graph_reads_an_image_as_the_training_did(
    model: RetrainedModel, exported: Path, twelve_bits: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shallow = twelve_bits.with_name("shallow.png")
    shallow.write_bytes(encoded(Image.fromarray(plate(is_above=True, seed=999)), "PNG"))
    classifier = retraining.load_classifier(exported)
    sources: list[ImageSource] = [twelve_bits, twelve_bits.read_bytes(), Image.open(twelve_bits), shallow]
    predicted = classifier.predict(sources)
    expected = model.predict(shallow)[0]
    for predictions in (*predicted, *model.predict(sources)):
        assert [prediction.label for prediction in predictions] == ["above", "below"]
        assert predictions[0].score == pytest.approx(expected[0].score, abs=1e-6)
    assert caplog.messages == []


def test_label_image_prints_for_12_bits_what_it_prints_for_8(
    exported: Path, twelve_bits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shallow = twelve_bits.with_name("shallow.png")
    shallow.write_bytes(encoded(Image.fromarray(plate(is_above=True, seed=999)), "PNG"))
    printed = []
    for path in (twelve_bits, shallow):
        labels = exported.with_name("plates_labels.txt")
        assert (
            label_image.main(["--graph", str(exported), "--labels", str(labels), "--image", str(path)]) == 0
        )
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]
    assert printed[0].err == ""


@pytest.fixture
def of_8_bits(tf2_module: Path, tmp_path: Path) -> Path:
    """A graph of a training on 8-bit images, which has nothing to record."""
    folder = write_plates(tmp_path / "shallow", bits=8)
    settings: dict[str, Any] = {"tfhub_module": str(tf2_module), "bottleneck_dir": tmp_path / "cache"}
    model = retraining.retrain(folder, how_many_training_steps=20, **settings)
    return model.export(tmp_path / "shallow.pb")


def test_image_that_neither_its_file_nor_the_graph_explains_is_warned_of(
    of_8_bits: Path, twelve_bits: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recorded.significant_bits(graph_file.read(of_8_bits)) is None
    labels = of_8_bits.with_name("shallow_labels.txt")
    flags = [
        "--graph",
        str(of_8_bits),
        "--labels",
        str(labels),
        "--image",
        str(twelve_bits),
        str(twelve_bits),
    ]
    assert label_image.main(flags) == 0
    assert capsys.readouterr().err.splitlines() == [
        "warning: 2 16-bit images do not record how many of their bits are used; the largest value in them is "
        "4,015. Nothing says what was used in training, so all 16 are assumed, and the images may come out too "
        "dark. Set --significant_bits to the camera's number of bits, such as 12."
    ]
    assert label_image.main([*flags, "--significant_bits", "12"]) == 0
    assert capsys.readouterr().err == ""


def test_bright_image_of_16_bits_is_not_warned_of(of_8_bits: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.clear()
    content = grey_tiff(np.full((40, 40), 40_000, np.uint16))
    retraining.load_classifier(of_8_bits).predict(content)
    assert caplog.messages == []


@pytest.mark.parametrize("flags", [(), ("--flip_left_right", "--distorted_views", "0")])
def test_run_trains_and_checks_its_graph_on_12_bits(
    flags: tuple[str, ...], plates: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = ("--how_many_training_steps", "20")
    assert retrain.main(words(plates, tmp_path, *flags, *steps, module=tf2_module)) == 0
    captured = capsys.readouterr()
    lines = captured.out.splitlines()
    assert DECIDED in lines
    assert captured.err.count("class 'above' has only 12 images") == 1
    assert "Final test accuracy = 100.0%" in "\n".join(lines)
    assert recorded.significant_bits(graph_file.read(tmp_path / "graph.pb")) == 12


def test_comparison_decides_once_and_records_it(
    plates: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "compared"
    flags = ["--image_dir", str(plates), "--models", str(tf2_module), "--how_many_training_steps", "20"]
    places = ["--bottleneck_dir", str(tmp_path / "cache"), "--output_dir", str(out)]
    assert compare.main([*flags, *places, "--epochs", "2"]) == 0
    captured = capsys.readouterr()
    assert captured.out.splitlines().count(DECIDED) == 1
    assert captured.err.count("class 'above' has only 12 images") == 1
    assert recorded.significant_bits(graph_file.read(out / "output_graph.pb")) == 12


@pytest.fixture(scope="module")
def random_alexnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of a thin AlexNet that has learnt nothing."""
    path = tmp_path_factory.mktemp("alexnet") / "alexnet.npz"
    network = construction.build("alexnet", classes=2, image_size=67, width=0.05)
    checkpoint.write(network, path, Description("alexnet", ("above", "below"), 67, 0.05))
    return path


def test_network_to_look_into_opens_an_image_with_the_bits_that_are_set(
    random_alexnet: Path, twelve_bits: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = plate(is_above=True, seed=999)
    settings: dict[str, Any] = {"network": "alexnet", "weights": random_alexnet}
    with_bits = inspected_network.load(NetworkSettings(**settings, significant_bits=12))
    np.testing.assert_array_equal(np.asarray(with_bits.open_image(twelve_bits))[..., 0], shown)
    assert caplog.messages == []
    without = inspected_network.load(NetworkSettings(**settings))
    assert np.asarray(without.open_image(twelve_bits)).max() == 15
    assert "such as 12." in caplog.messages[0]


def test_network_to_look_into_opens_an_image_as_its_graph_records(twelve_bits: Path, tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [None, 8, 8, 3], "Placeholder")
        maps = tf.nn.conv2d(pixels, tf.ones([1, 1, 3, 2]), 1, "SAME")
        tf.nn.softmax(tf.reduce_mean(maps, [1, 2]))
    graph_def = graph.as_graph_def()
    recorded.record(graph_def, significant_bits=12)
    (tmp_path / "graph.pb").write_bytes(graph_def.SerializeToString())
    network = inspected_network.load(NetworkSettings(graph=tmp_path / "graph.pb"))
    expected = plate(is_above=True, seed=999)
    np.testing.assert_array_equal(np.asarray(network.open_image(twelve_bits))[..., 0], expected)


def test_feature_maps_warn_of_an_image_that_nothing_explains(
    random_alexnet: Path, twelve_bits: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = ["--network", "alexnet", "--weights", str(random_alexnet)]
    places = ["--image", str(twelve_bits), "--output_dir", str(tmp_path / "maps")]
    assert feature_maps.main([*network, *places]) == 0
    assert "Set --significant_bits to the camera's number of bits" in capsys.readouterr().err
