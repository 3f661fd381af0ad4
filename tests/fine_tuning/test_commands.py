"""Fine-tuning as a user runs it, with a small frozen graph."""

from __future__ import annotations

import re
import signal
from pathlib import Path

import pytest

import label_image
import retrain
import retraining
from retraining.graphs import graph_file
from tests import toy_networks
from tests.conftest import write_colour_photos, write_photo
from tests.forked_retrain import Forks
from tests.test_retrain import final_accuracy, words


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("module") / "toy.pb"
    path.write_bytes(graph_file.encode(toy_networks.network(toy_networks.residual)))
    return path


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_photos(tmp_path_factory.mktemp("photos") / "photos", per_class=20)


def fine_tuning(module: Path, photos: Path, out: Path) -> list[str]:
    reading = "--input_tensor_name images --bottleneck_tensor_name Mean --input_mean 0 --input_std 255"
    tuning = "--fine_tune --fine_tune_blocks 2 --fine_tune_epochs 3 --fine_tune_learning_rate 0.03"
    more = "--testing_percentage 20 --validation_percentage 20 --how_many_training_steps 1"
    return words(photos, out, *f"{reading} {tuning} {more}".split(), module=module)


def test_lines_say_what_is_trained_what_it_gains_and_what_is_used(
    module: Path, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert retrain.main(fine_tuning(module, photos, tmp_path)) == 0
    said = capsys.readouterr().out
    lines = said.splitlines()
    begun = lines.index("Fine-tuning the last 2 of 4 blocks of toy: at most 3 epochs of 37 images.")
    assert re.fullmatch(r"296 bottlenecks computed in .+ images per second\)\.", lines[begun + 1])
    for number, line in enumerate(lines[begun + 2 : begun + 5], start=1):
        assert re.fullmatch(
            rf"Fine-tuning: epoch {number} of 3: loss \d\.\d{{4}}, training accuracy \d+\.\d%, validation accuracy "
            r"\d+\.\d%",
            line,
        )
    assert re.fullmatch(r"60 bottlenecks computed in .+ images per second\)\.", lines[begun + 5])
    assert re.fullmatch(
        r"Best of 3 epochs: [123], taken (25|50|75|100)% of the way from the frozen weights\.",
        lines[begun + 6],
    )
    assert re.fullmatch(
        r"Validation accuracy of the fine-tuned network: \d+\.\d% with float32 weights, \d+\.\d% with weights "
        r"rounded to bytes, as they are exported\.",
        lines[begun + 7],
    )
    assert re.fullmatch(
        r"Validation loss and accuracy: \d\.\d{4} and 33\.3% frozen, \d\.\d{4} and \d+\.\d% fine-tuned \(N=15\); "
        r"the fine-tuned network is used\.",
        lines[begun + 8],
    )
    assert final_accuracy(said) > 50
    assert list((tmp_path / "logs" / "fine_tuning" / "validation").glob("events.out.tfevents.*"))
    write_photo(tmp_path / "new.jpg", (0, 255, 255), seed=7)
    files = [
        "--graph",
        tmp_path / "graph.pb",
        "--labels",
        tmp_path / "labels.txt",
        "--image",
        tmp_path / "new.jpg",
    ]
    assert label_image.main([str(word) for word in files]) == 0


@pytest.mark.soak
def test_function_gives_the_model_that_the_command_exports(
    module: Path, photos: Path, tmp_path: Path
) -> None:
    assert retrain.main(fine_tuning(module, photos, tmp_path)) == 0
    model = retraining.retrain(
        photos,
        tfhub_module=str(module),
        input_tensor_name="images",
        bottleneck_tensor_name="Mean",
        input_mean=0,
        input_std=255,
        testing_percentage=20,
        validation_percentage=20,
        how_many_training_steps=1,
        bottleneck_dir=tmp_path / "other",
        fine_tune=True,
        fine_tune_blocks=2,
        fine_tune_epochs=3,
        fine_tune_learning_rate=0.03,
    )
    assert model.export(tmp_path / "model.pb").read_bytes() == (tmp_path / "graph.pb").read_bytes()


@pytest.mark.soak
def test_run_that_was_killed_goes_on_after_its_last_epoch(
    module: Path, photos: Path, tmp_path: Path, forks: Forks, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = fine_tuning(module, photos, tmp_path / "whole")
    assert retrain.main(flags) == 0
    capsys.readouterr()
    flags = fine_tuning(module, photos, tmp_path / "parts")
    killed = forks.run(flags, tmp_path, call="retraining.fine_tuning.progress_file:write")
    assert killed.status == -signal.SIGKILL
    assert not (tmp_path / "parts" / "graph.pb").exists()
    assert retrain.main(flags) == 0
    assert "Fine-tuning: 1 of 3 epochs were already done.\n" in capsys.readouterr().out
    assert (tmp_path / "parts" / "graph.pb").read_bytes() == (tmp_path / "whole" / "graph.pb").read_bytes()
