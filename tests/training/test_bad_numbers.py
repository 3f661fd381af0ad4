"""Trainings that diverge and modules that give NaN: noticed, named, and no bad output left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import retrain
from retraining import compare
from retraining.errors import WorkFailed
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.training import TrainingSettings
from retraining.training import softmax_layer, trainer
from retraining.training.trainer import TrainingStep
from tests.conftest import MODULE_SIZE, Computed, write_colour_photos, write_photo
from tests.test_retrain import words


@pytest.mark.parametrize("rate", ["1e4", "1e6", "1e20", "1e38", "1e300"])
def test_diverging_training_ends_at_its_step_with_the_reason_and_no_graph(
    rate: str, colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "graph.pb").write_bytes(b"of an earlier run")
    more = ("--learning_rate", rate, "--intermediate_store_frequency", "1")
    assert retrain.main(words(colour_photos, tmp_path, *more, module=tf2_module)) == 1
    captured = capsys.readouterr()
    assert re.fullmatch(
        r"retrain: error: training diverged at step 0: the logits are [\d.e+naif]+ apart, far above the "
        r"100000 that a layer that learns never reaches\. No graph was written\. Lower --learning_rate, received "
        rf"{re.escape(f'{float(rate):g}')}\.\n",
        captured.err,
    ), captured.err
    assert "Final test accuracy" not in captured.out
    assert (tmp_path / "graph.pb").read_bytes() == b"of an earlier run"
    assert not (tmp_path / "labels.txt").exists()
    assert list((tmp_path / "intermediate").glob("*")) == []


@pytest.mark.parametrize("rate", [0.001, 0.01, 0.1, 1.0])
def test_training_that_learns_is_not_reported_as_diverging(rate: float, computed: Computed) -> None:
    reports: list[TrainingStep] = []
    settings = TrainingSettings(how_many_training_steps=500, learning_rate=rate)
    trainer.train(computed.bottlenecks, settings, on_report=reports.append)
    assert reports[-1].training.accuracy > 0.9


def test_divergence_is_noticed_at_the_last_step_too(computed: Computed) -> None:
    settings = TrainingSettings(how_many_training_steps=1, learning_rate=1e6)
    with pytest.raises(WorkFailed, match=r"^training diverged at step 0: "):
        trainer.train(computed.bottlenecks, settings)


@pytest.fixture(scope="module")
def save(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable[[tf.Tensor], tf.Tensor]], Path]:
    """Save a function of pixels as a module, and return its folder."""

    def of(name: str, function: Callable[[tf.Tensor], tf.Tensor]) -> Path:
        folder = tmp_path_factory.mktemp("modules") / name
        module = tf.Module()
        module.scale = tf.Variable(1.0)
        signature = [tf.TensorSpec([None, MODULE_SIZE, MODULE_SIZE, 3], tf.float32, "inputs")]
        module.features = tf.function(
            lambda inputs: function(inputs) * module.scale, input_signature=signature
        )
        tf.saved_model.save(module, str(folder), signatures={"serving_default": module.features})
        return folder

    return of


Save = Callable[[str, Callable[[tf.Tensor], tf.Tensor]], Path]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_module_that_gives_no_finite_vectors_is_named_with_the_image(
    value: str, colour_photos: Path, tmp_path: Path, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    module = save("broken", lambda pixels: tf.reduce_mean(pixels, [1, 2]) * float(value))
    assert retrain.main(words(colour_photos, tmp_path, module=module)) == 1
    assert capsys.readouterr().err == (
        "retrain: error: module broken gives values that are not numbers (NaN or infinite), first for "
        f"'{colour_photos}/cyan/cyan_000.jpg'. It is damaged, or expects pixels in a range other than 0 to 1. Use another "
        "module.\n"
    )
    assert not (tmp_path / "graph.pb").exists()


def standardized(pixels: tf.Tensor) -> tf.Tensor:
    """Divide by the standard deviation, which is 0 for an image of one colour."""
    mean, variance = tf.nn.moments(pixels, [1, 2], keepdims=True)
    return tf.reduce_mean((pixels - mean) / tf.sqrt(variance) + pixels, [1, 2])


def photos_and_a_plain_one(folder: Path) -> tuple[Path, Path]:
    photos = write_colour_photos(folder)
    plain = photos / "magenta" / "plain.bmp"
    Image.new("RGB", (64, 64), (0, 0, 0)).save(plain)
    return photos, plain


def test_image_without_a_finite_vector_is_skipped_and_never_cached(
    tmp_path: Path, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, plain = photos_and_a_plain_one(tmp_path / "photos")
    module = save("standardizing", standardized)
    for _ in range(2):
        assert retrain.main(words(photos, tmp_path, module=module)) == 0
        assert (
            f"warning: skipped {plain}: it makes module standardizing give values that are not numbers."
            in (capsys.readouterr().err.splitlines())
        )
    plain.unlink()
    write_photo(photos / "magenta" / "plain.jpg", (255, 0, 255), 5)
    assert retrain.main(words(photos, tmp_path, "--strict", module=module)) == 0


def test_huge_features_end_in_a_divergence_error_without_numpy_warnings(
    colour_photos: Path, tmp_path: Path, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    module = save("huge", lambda pixels: tf.reduce_mean(pixels, [1, 2]) * 1e30)
    assert retrain.main(words(colour_photos, tmp_path, module=module)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("retrain: error: training diverged at step ")


def test_probabilities_are_finite_for_any_logits() -> None:
    layer = softmax_layer.SoftmaxLayer(np.array([[1e38, -1e38, 0]], np.float32), np.zeros(3, np.float32))
    probabilities = layer.probabilities(np.array([[1.0], [-1.0], [0.0]], np.float32))
    np.testing.assert_allclose(
        probabilities, np.array([[1, 0, 0], [0, 1, 0], [1 / 3] * 3], np.float32), atol=1e-6
    )


def test_comparison_names_the_image_without_a_finite_vector(
    tmp_path: Path, save: Save, capsys: pytest.CaptureFixture[str]
) -> None:
    photos, plain = photos_and_a_plain_one(tmp_path / "photos")
    module = save("standardizing", standardized)
    flags = ["--image_dir", photos, "--models", module, "--epochs", "2", "--how_many_training_steps", "20"]
    flags += ["--bottleneck_dir", tmp_path / "bottlenecks", "--output_dir", tmp_path / "out"]
    assert compare.main([str(flag) for flag in flags]) == 0
    assert f"warning: skipped {plain}: it makes module standardizing give values that are not numbers." in (
        capsys.readouterr().err.splitlines()
    )
