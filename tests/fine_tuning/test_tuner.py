"""Fine-tuning of a small network, from a model to a better one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retraining
from retraining.errors import BadRequest, WorkFailed
from retraining.export import classifier_graph
from retraining.features.extractor import BATCH_SIZE
from retraining.fine_tuning.tuner import Tuner
from retraining.graphs import graph_file
from retraining.graphs.quiet_tensorflow import tf
from retraining.model import RetrainedModel
from retraining.training.learning_curve import Epoch

MakeTuner = Callable[..., Tuner[RetrainedModel]]


def exported(model: RetrainedModel) -> bytes:
    return graph_file.encode(classifier_graph.of_model(model))


def stop_after(epoch: int) -> Callable[..., None]:
    def stop(number: int, *_: object) -> None:
        if number == epoch:
            raise KeyboardInterrupt

    return stop


@pytest.mark.parametrize("blocks", [1, "all"])
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
    from retraining.data import images

    return images.decode(path.read_bytes(), size)


def test_weights_before_the_trained_blocks_stay_and_bytes_stay_bytes(
    tuner: MakeTuner, model: RetrainedModel
) -> None:
    made = tuner(fine_tune_blocks=2)
    before, after = _constants(exported(model)), _constants(exported(made.run().model))
    assert {name: value.dtype for name, value in before.items() if value.dtype != np.float32} == {
        name: value.dtype for name, value in after.items() if value.dtype != np.float32
    }
    changed = {name for name in before.keys() & after.keys() if not np.array_equal(before[name], after[name])}
    halves = {name for name, value in before.items() if value.dtype == np.float16}
    counts = {name for name, value in before.items() if value.dtype == np.int8}
    assert len(halves) == 2
    assert not changed & halves
    assert counts <= changed


def _constants(content: bytes) -> dict[str, np.ndarray]:
    graph_def = graph_file.parse(content)
    assert graph_def is not None
    nodes = (node for node in graph_def.node if node.op == "Const")
    return {node.name: tf.make_ndarray(node.attr["value"].tensor) for node in nodes}


def test_frozen_model_is_kept_if_fine_tuning_does_not_beat_it(
    tuner: MakeTuner, model: RetrainedModel
) -> None:
    first = tuner().run().model
    ruined = tuner(trained=first, fine_tune_learning_rate=3.0).run()
    assert not ruined.is_used
    assert ruined.model is first
    assert ruined.tuned.accuracy <= ruined.frozen.accuracy


def test_two_runs_give_the_same_bytes_and_another_seed_does_not_find_their_file(
    tuner: MakeTuner, tmp_path: Path
) -> None:
    runs = [tuner(folder=tmp_path / name).run().model for name in ("a", "b")]
    assert exported(runs[0]) == exported(runs[1])
    (file,) = (tmp_path / "a" / "fine_tuning").glob("*.npz")
    assert file.name == next((tmp_path / "b" / "fine_tuning").glob("*.npz")).name
    tuner(folder=tmp_path / "a", fine_tune_epochs=1).run()
    assert len(list((tmp_path / "a" / "fine_tuning").glob("*.npz"))) == 2


@pytest.mark.parametrize("views", [0, 2])
def test_run_that_was_interrupted_ends_like_one_that_was_not(
    tuner: MakeTuner, tmp_path: Path, views: int, caplog: pytest.LogCaptureFixture
) -> None:
    whole = tuner(folder=tmp_path / "whole", views=views).run()
    with pytest.raises(KeyboardInterrupt):
        tuner(folder=tmp_path / "parts", views=views).run(stop_after(1))
    epochs: list[int] = []
    resumed = tuner(folder=tmp_path / "parts", views=views).run(lambda number, *_: epochs.append(number))
    assert epochs == [2, 3]
    assert "Fine-tuning: 2 of 4 epochs were already done." in caplog.messages
    assert exported(resumed.model) == exported(whole.model)


def test_run_that_is_repeated_takes_the_result_of_the_one_before(tuner: MakeTuner) -> None:
    first = tuner().run()
    again = tuner().run(stop_after(0))  # which is never called
    assert exported(again.model) == exported(first.model)
    assert again.tuned == first.tuned


def test_damaged_file_is_told_and_trained_again(
    tuner: MakeTuner, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first = tuner().run()
    (file,) = (tmp_path / "bottlenecks" / "fine_tuning").glob("*.npz")
    file.write_bytes(file.read_bytes()[:-100])
    assert exported(tuner().run().model) == exported(first.model)
    (warning,) = (record.getMessage() for record in caplog.records if record.levelname == "WARNING")
    assert warning.startswith(f"'{file}' is damaged (")
    assert warning.endswith("); fine-tuning starts again from the first epoch.")


def test_only_the_result_is_left_behind(tuner: MakeTuner, tmp_path: Path) -> None:
    tuner().run()
    left = sorted(path.name for path in (tmp_path / "bottlenecks" / "fine_tuning").iterdir())
    assert left[0] == "CACHEDIR.TAG"
    assert [name[-4:] for name in left[1:]] == [".npz"]


def test_epochs_are_reported_until_there_is_no_gain(tuner: MakeTuner) -> None:
    reported: list[Epoch] = []
    tuned = tuner(fine_tune_epochs=30, fine_tune_learning_rate=1e-12).run(
        lambda _, epoch, __: reported.append(epoch)
    )
    assert tuned.epochs == len(reported) < 30
    assert reported[tuned.best_epoch].validation == tuned.float32


def test_exported_model_classifies_as_the_model_does(tuner: MakeTuner, tmp_path: Path) -> None:
    tuned = tuner().run().model
    tuned.export(tmp_path / "tuned.pb")
    photo = tuned.bottlenecks.testing.paths[0]
    read = retraining.load_classifier(tmp_path / "tuned.pb").predict([photo])
    assert [label for label, _ in read[0]] == [label for label, _ in tuned.predict([photo])[0]]


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


def test_more_blocks_than_there_are_and_networks_without_any_are_refused(tuner: MakeTuner) -> None:
    with pytest.raises(BadRequest) as caught:
        tuner(fine_tune_blocks=5)
    assert str(caught.value) == (
        "fine_tune_blocks must be at most 4, the number of blocks of this network, or 'all'; received 5."
    )
