from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from retraining.comparison import curves
from retraining.training.learning_curve import Epoch, LearningCurve
from retraining.training.metrics import Metrics


def curve(*accuracies: float, loss: float = 1.5, validated: bool = True) -> LearningCurve:
    metrics = [Metrics(accuracy, loss, 10) for accuracy in accuracies]
    return LearningCurve(tuple(Epoch(each, each if validated else None, None, 2.0) for each in metrics))


def test_mean_is_over_the_last_ten_epochs() -> None:
    learnt = curve(*(number / 100 for number in range(20)))
    assert np.isclose(learnt.mean_of_last(lambda epoch: epoch.training), np.mean(range(10, 20)) / 100)
    assert np.isnan(learnt.mean_of_last(lambda epoch: epoch.testing))
    assert learnt.seconds == 40


def test_curves_of_all_models_are_drawn(tmp_path: Path) -> None:
    models = {f"model {number}": curve(0.1, 0.5, number / 12) for number in range(12)}
    png, svg = curves.write(models, tmp_path / "made")
    with Image.open(png) as image:
        assert image.format == "PNG"
        colours = {
            tuple(colour) for colour in np.unique(np.array(image.convert("RGB")).reshape(-1, 3), axis=0)
        }
    assert {(31, 119, 180), (255, 127, 14), (44, 160, 44)} <= colours
    drawn = svg.read_text()
    for name in (*models, "training loss", "training accuracy", "validation accuracy"):
        assert f"<!-- {name} -->" in drawn


def test_same_curves_give_the_same_files(tmp_path: Path) -> None:
    models = {"a": curve(0.2, 0.9), "b": curve(0.1, 0.4, validated=False)}
    first, second = curves.write(models, tmp_path / "1"), curves.write(models, tmp_path / "2")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_curves_are_drawn_even_if_a_loss_is_not_a_number(tmp_path: Path) -> None:
    models = {"a": curve(0.2, 0.9), "b": curve(0.1, 0.4, loss=float("nan"))}
    for path in curves.write(models, tmp_path):
        assert path.stat().st_size > 1000
