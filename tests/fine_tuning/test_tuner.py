"""Fine-tuning of a small network, from a model to a better one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retraining
from retraining.data import images
from retraining.errors import WorkFailed
from retraining.export import classifier_graph
from retraining.fine_tuning import recipe
from retraining.fine_tuning.tuner import Tuner
from retraining.graphs import graph_file
from retraining.graphs.quiet_tensorflow import tf
from retraining.model import RetrainedModel
from retraining.runtimes.batches import BATCH_SIZE
from retraining.training.learning_curve import Epoch
from tests.fine_tuning.conftest import Tuned

MakeTuner = Callable[..., Tuner[RetrainedModel]]


def exported(model: RetrainedModel) -> bytes:
    return graph_file.encode(classifier_graph.of_model(model))


def stop_after(epoch: int) -> Callable[..., None]:
    def stop(number: int, *_: object) -> None:
        if number == epoch:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("blocks", [2, pytest.param("all", marks=pytest.mark.soak)])
def test_model_gets_better_and_its_vectors_are_those_of_the_new_network(
    tuner: MakeTuner, model: RetrainedModel, blocks: int | str
) -> None:
    tuned = tuner(fine_tune_blocks=blocks).run()
    assert tuned.is_used
    assert tuned.tuned.accuracy > tuned.frozen.accuracy
    assert tuned.model.extractor.fingerprint != model.extractor.fingerprint
    assert tuned.model.evaluation is not None
    assert len(tuned.model.bottlenecks.training) == len(model.bottlenecks.training)
    testing = tuned.model.bottlenecks.testing
    assert testing.keys == model.bottlenecks.testing.keys
    size = tuned.model.extractor.image_size
    pixels = np.stack([_decoded(path, size) for path in testing.paths[:BATCH_SIZE]])
    np.testing.assert_allclose(
        tuned.model.extractor.extract(pixels), testing.vectors[:BATCH_SIZE], rtol=1e-5, atol=1e-6
    )


def _decoded(path: Path, size: Any) -> np.ndarray:
    return images.decode(path.read_bytes(), size)


def test_weights_before_the_trained_blocks_stay_and_bytes_stay_bytes(
    tuned: Tuned, model: RetrainedModel
) -> None:
    before, after = _constants(exported(model)), _constants(exported(tuned.result.model))
    assert {name: value.dtype for name, value in before.items() if value.dtype != np.float32} == {
        name: value.dtype for name, value in after.items() if value.dtype != np.float32
    }
    changed = {name for name in before.keys() & after.keys() if not np.array_equal(before[name], after[name])}
    halves = {name for name, value in before.items() if value.dtype == np.float16}
    counts = {name for name, value in before.items() if value.dtype == np.int8}
    assert (len(halves), len(counts)) == (2, 4)
    assert not changed & halves
    assert len(changed & counts) == 1


def _constants(content: bytes) -> dict[str, np.ndarray]:
    graph_def = graph_file.parse(content)
    assert graph_def is not None
    nodes = (node for node in graph_def.node if node.op == "Const")
    return {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in nodes}


def test_frozen_model_is_kept_if_fine_tuning_does_not_beat_it(tuner: MakeTuner, tuned: Tuned) -> None:
    ruined = tuner(trained=tuned.result.model, fine_tune_learning_rate=1e4, fine_tune_epochs=1).run()
    assert not ruined.is_used
    assert ruined.model is tuned.result.model
    assert ruined.tuned.accuracy <= ruined.frozen.accuracy


def test_two_runs_give_the_same_bytes(tuner: MakeTuner, tuned: Tuned, tmp_path: Path) -> None:
    assert exported(tuner(folder=tmp_path / "again").run().model) == exported(tuned.result.model)
    names = [path.name for path in (tmp_path / "again" / "fine_tuning").iterdir()]
    assert sorted(names) == sorted(path.name for path in (tuned.folder / "fine_tuning").iterdir())


@pytest.mark.parametrize("views", [2, pytest.param(0, marks=pytest.mark.soak)])
def test_run_that_was_interrupted_ends_like_one_that_was_not(
    tuner: MakeTuner, tuned: Tuned, tmp_path: Path, views: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tuned.result if views == 2 else tuner(folder=tmp_path / "whole", views=views).run()
    with pytest.raises(KeyboardInterrupt):
        tuner(folder=tmp_path / "parts", views=views).run(stop_after(1))
    epochs: list[int] = []
    resumed = tuner(folder=tmp_path / "parts", views=views).run(lambda number, *_: epochs.append(number))
    assert epochs == [2, 3]
    assert "Fine-tuning: 2 of 4 epochs were already done." in caplog.messages
    assert exported(resumed.model) == exported(whole.model)


def test_run_that_is_repeated_takes_the_result_of_the_one_before(tuner: MakeTuner, tuned: Tuned) -> None:
    again = tuner(folder=tuned.folder).run(stop_after(0))  # which is never called
    assert exported(again.model) == exported(tuned.result.model)
    assert again.tuned == tuned.result.tuned


def test_damaged_file_is_told_and_trained_again(
    tuner: MakeTuner, tuned: Tuned, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (file,) = (tuned.folder / "fine_tuning").glob("*.npz")
    damaged = tmp_path / "bottlenecks" / "fine_tuning" / file.name
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(file.read_bytes()[:-100])
    assert exported(tuner().run().model) == exported(tuned.result.model)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith(f"'{damaged}' is damaged (")
    assert warning.endswith("); fine-tuning starts again from the first epoch.")


def test_only_the_result_is_left_behind(tuned: Tuned) -> None:
    left = sorted(path.name for path in (tuned.folder / "fine_tuning").iterdir())
    assert left[0] == "CACHEDIR.TAG"
    assert [name[-4:] for name in left[1:]] == [".npz"]


def test_it_stops_when_there_is_no_gain_and_the_best_epoch_counts(tuner: MakeTuner) -> None:
    reported: list[Epoch] = []
    stopped = tuner(fine_tune_epochs=30, fine_tune_learning_rate=1e-12).run(
        lambda _, epoch, __: reported.append(epoch)
    )
    assert stopped.epochs == len(reported) < 30
    assert stopped.best_epoch == stopped.epochs - 1 - recipe.PATIENCE


def test_exported_model_classifies_as_the_model_does(tuned: Tuned, tmp_path: Path) -> None:
    model = tuned.result.model
    model.export(tmp_path / "tuned.pb")
    photo = model.bottlenecks.testing.paths[0]
    read = retraining.load_classifier(tmp_path / "tuned.pb").predict([photo])
    assert [label for label, _ in read[0]] == [label for label, _ in model.predict([photo])[0]]


def test_learning_rate_that_is_far_too_high_is_named(tuner: MakeTuner) -> None:
    with pytest.raises(WorkFailed) as caught:
        tuner(fine_tune_learning_rate=1e30).run()
    assert str(caught.value) == (
        "fine-tuning diverged in epoch 1: its numbers are no longer finite. No graph was written. Lower "
        "fine_tune_learning_rate."
    )


def test_image_that_changed_meanwhile_is_named(tuner: MakeTuner, model: RetrainedModel) -> None:
    photo = model.bottlenecks.validation.paths[0]
    content = photo.read_bytes()
    photo.write_bytes(content + b" ")
    try:
        with pytest.raises(WorkFailed) as caught:
            tuner().run()
    finally:
        photo.write_bytes(content)
    assert str(caught.value) == (
        f"{photo} has changed, although its feature vector has been computed. Run the command again."
    )
